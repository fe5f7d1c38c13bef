/* safetensors: named tensors in one file (huggingface/safetensors, format of version 0.3). Reads strictly: what the format
 * forbids is refused with the file and the reason. Writes to a temporary name, syncs and renames. Knows files only. */
#ifndef CONVOY_FORMATS_SAFETENSORS_H
#define CONVOY_FORMATS_SAFETENSORS_H

#include <convoy/convoy.h>

enum st_type { ST_F32, ST_F64, ST_I64, ST_U8, ST_TYPE_COUNT };

struct st_tensor {
    const char *name;
    enum st_type type;
    int32_t rank;
    int64_t extent[8];
    const void *data; /* reading: inside the file's memory, little endian, maybe unaligned                 */
    int64_t bytes;
};
struct st_text {
    const char *key, *value;
}; /* of __metadata__                                              */

convoy_status st_write(const char *path, const struct st_tensor *tensor, size_t tensors, const struct st_text *text, size_t texts,
                       struct convoy_error *err);

struct st_file;
convoy_status st_open(const char *path, struct st_file **file, struct convoy_error *err);
void st_close(struct st_file *file);
size_t st_count(const struct st_file *file);
const struct st_tensor *st_at(const struct st_file *file, size_t index);
const struct st_tensor *st_find(const struct st_file *file, const char *name); /* NULL: none                 */
const char *st_text(const struct st_file *file, const char *key);              /* NULL: none                 */

#endif
