/* The header is JSON, written and read by jansson; the rules of the format are checked here. */
#include "formats/safetensors.h"
#include "formats/atomic_file.h"

#include <convoy/plugin.h>
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { HEAD_BYTES = 8, HEADER_MOST = 100000000, RANK_MOST = 8 };

static const struct {
    const char *name;
    int64_t bytes;
} types[ST_TYPE_COUNT] = {[ST_F32] = {"F32", 4}, [ST_F64] = {"F64", 8}, [ST_I64] = {"I64", 8}, [ST_U8] = {"U8", 1}};

/* ---- writing ---- */

static int by_width_then_name(const void *left, const void *right)
{
    const struct st_tensor *a = *(const struct st_tensor *const *)left, *b = *(const struct st_tensor *const *)right;
    if (types[a->type].bytes != types[b->type].bytes)
        return types[a->type].bytes > types[b->type].bytes ? -1 : 1;
    return strcmp(a->name, b->name);
}

static json_t *describe(const struct st_tensor *tensor, int64_t offset)
{
    json_t *shape = json_array();
    for (int32_t axis = 0; axis < tensor->rank; axis++)
        json_array_append_new(shape, json_integer(tensor->extent[axis]));
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", types[tensor->type].name, "shape", shape, "data_offsets",
                     (json_int_t)offset, (json_int_t)(offset + tensor->bytes));
}

static char *make_header(const struct st_tensor *const *order, size_t tensors, const struct st_text *text, size_t texts)
{
    json_t *root = json_object();
    if (texts) {
        json_t *metadata = json_object();
        for (size_t i = 0; i < texts; i++)
            json_object_set_new(metadata, text[i].key, json_string(text[i].value));
        json_object_set_new(root, "__metadata__", metadata);
    }
    int64_t offset = 0;
    bool whole = root != NULL;
    for (size_t i = 0; whole && i < tensors; i++) {
        whole = json_object_set_new(root, order[i]->name, describe(order[i], offset)) == 0;
        offset += order[i]->bytes;
    }
    char *header = whole ? json_dumps(root, JSON_COMPACT) : NULL;
    json_decref(root);
    return header;
}

static void write_all(FILE *out, const char *header, const struct st_tensor *const *order, size_t tensors)
{
    static const char spaces[HEAD_BYTES] = "        ";
    const uint64_t length = strlen(header), padded = (length + HEAD_BYTES - 1) / HEAD_BYTES * HEAD_BYTES;
    uint8_t head[HEAD_BYTES];
    for (int byte = 0; byte < HEAD_BYTES; byte++)
        head[byte] = (uint8_t)(padded >> 8 * byte);
    fwrite(head, 1, sizeof head, out);
    fwrite(header, 1, length, out);
    fwrite(spaces, 1, padded - length, out);
    for (size_t i = 0; i < tensors; i++)
        fwrite(order[i]->data, 1, (size_t)order[i]->bytes, out);
}

convoy_status st_write(const char *path, const struct st_tensor *tensor, size_t tensors, const struct st_text *text, size_t texts,
                       struct convoy_error *err)
{
    const struct st_tensor **order = malloc((tensors + 1) * sizeof *order);
    if (!order)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "%s: no memory for %zu tensors", path, tensors);
    for (size_t i = 0; i < tensors; i++)
        order[i] = &tensor[i];
    qsort(order, tensors, sizeof *order, by_width_then_name);
    char *header = make_header(order, tensors, text, texts);
    struct atomic_file file;
    convoy_status status = header ? atomic_open(&file, path, err)
                                  : convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "%s: no memory for its header", path);
    if (!status) {
        write_all(file.out, header, order, tensors);
        status = atomic_close(&file, CONVOY_OK, err);
    }
    free(header);
    free(order);
    return status;
}

/* ---- reading ---- */

struct st_file {
    uint8_t *bytes;
    json_t *root;
    struct st_tensor *tensor;
    size_t tensors;
    const uint8_t *buffer;
    int64_t buffer_bytes;
};

static convoy_status read_file(const char *path, uint8_t **bytes, int64_t *count, struct convoy_error *err)
{
    FILE *in = fopen(path, "rb");
    struct stat info;
    if (!in)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: %s", path, strerror(errno));
    convoy_status status = CONVOY_OK;
    *bytes = NULL;
    if (fstat(fileno(in), &info) || !S_ISREG(info.st_mode))
        status = convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: not a regular file", path);
    else if (!(*bytes = malloc((size_t)info.st_size + 1)))
        status =
            convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "%s: no memory for %lld bytes", path, (long long)info.st_size);
    else if (fread(*bytes, 1, (size_t)info.st_size, in) != (size_t)info.st_size)
        status = convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: cannot be read whole", path);
    fclose(in);
    *count = info.st_size;
    return status;
}

static const char *shape_of(const json_t *shape, struct st_tensor *tensor)
{
    if (!json_is_array(shape) || json_array_size(shape) > RANK_MOST)
        return "its shape is no list of at most 8 extents";
    tensor->rank = (int32_t)json_array_size(shape);
    int64_t elements = 1;
    for (int32_t axis = 0; axis < tensor->rank; axis++) {
        const json_t *extent = json_array_get(shape, (size_t)axis);
        tensor->extent[axis] = json_integer_value(extent);
        if (!json_is_integer(extent) || tensor->extent[axis] < 0)
            return "its shape holds something that is no extent";
        if (tensor->extent[axis] && elements > INT64_MAX / tensor->extent[axis])
            return "its shape overflows";
        elements *= tensor->extent[axis];
    }
    if (elements > INT64_MAX / types[tensor->type].bytes)
        return "its shape overflows";
    tensor->bytes = elements * types[tensor->type].bytes;
    return NULL;
}

/* NULL: well formed. data_offsets are checked against the shape here and against the other tensors later. */
static const char *take(struct st_file *file, const char *name, const json_t *value)
{
    struct st_tensor *tensor = &file->tensor[file->tensors];
    const char *dtype = json_string_value(json_object_get(value, "dtype"));
    const json_t *offsets = json_object_get(value, "data_offsets");
    if (!dtype)
        return "it has no dtype";
    int type = 0;
    while (type < ST_TYPE_COUNT && strcmp(types[type].name, dtype))
        type++;
    if (type == ST_TYPE_COUNT)
        return "its dtype is none of F32, F64, I64, U8";
    *tensor = (struct st_tensor){.name = name, .type = (enum st_type)type};
    const char *wrong = shape_of(json_object_get(value, "shape"), tensor);
    if (wrong)
        return wrong;
    const json_t *first = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(first) || !json_is_integer(end))
        return "its data_offsets are not two numbers";
    const int64_t begin = json_integer_value(first), past = json_integer_value(end);
    if (begin < 0 || past < begin || past > file->buffer_bytes)
        return "its data_offsets leave the file";
    if (past - begin != tensor->bytes)
        return "its data_offsets do not fit its shape";
    tensor->data = file->buffer + begin;
    file->tensors++;
    return NULL;
}

static int by_place(const void *left, const void *right)
{
    const struct st_tensor *a = left, *b = right;
    if (a->data != b->data)
        return (const uint8_t *)a->data < (const uint8_t *)b->data ? -1 : 1;
    return (a->bytes > b->bytes) - (a->bytes < b->bytes);
}

static convoy_status check_places(const char *path, struct st_file *file, struct convoy_error *err)
{
    if (file->tensors)
        qsort(file->tensor, file->tensors, sizeof *file->tensor, by_place);
    const uint8_t *at = file->buffer;
    for (size_t i = 0; i < file->tensors; i++) {
        if (file->tensor[i].data != at)
            return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%.100s: tensor %.80s leaves a hole or overlaps another",
                               path, file->tensor[i].name);
        at += file->tensor[i].bytes;
    }
    if (at != file->buffer + file->buffer_bytes)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: %lld bytes at its end belong to no tensor", path,
                           (long long)(file->buffer + file->buffer_bytes - at));
    return CONVOY_OK;
}

static convoy_status take_all(const char *path, struct st_file *file, struct convoy_error *err)
{
    const char *name;
    json_t *value;
    file->tensor = calloc(json_object_size(file->root) + 1, sizeof *file->tensor);
    if (!file->tensor)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "%s: no memory for its tensors", path);
    json_object_foreach(file->root, name, value)
    {
        const char *wrong = NULL;
        if (!strcmp(name, "__metadata__")) {
            const char *key;
            json_t *text;
            if (!json_is_object(value))
                wrong = "it is no object";
            json_object_foreach(value, key, text) wrong = json_is_string(text) ? wrong : "it holds something else than text";
        } else {
            wrong = take(file, name, value);
        }
        if (wrong)
            return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%.100s: tensor %.80s: %s", path, name, wrong);
    }
    return check_places(path, file, err);
}

static convoy_status parse(const char *path, int64_t count, struct st_file *file, struct convoy_error *err)
{
    uint64_t length = 0;
    for (int byte = 0; count >= HEAD_BYTES && byte < HEAD_BYTES; byte++)
        length |= (uint64_t)file->bytes[byte] << 8 * byte;
    if (count < HEAD_BYTES || length == 0 || length > HEADER_MOST || length > (uint64_t)(count - HEAD_BYTES) || file->bytes[HEAD_BYTES] != '{')
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: not a safetensors file, or cut off", path);
    json_error_t wrong;
    file->root = json_loadb((const char *)file->bytes + HEAD_BYTES, length, JSON_REJECT_DUPLICATES, &wrong);
    if (!json_is_object(file->root))
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%.100s: its header: %.100s", path,
                           file->root ? "no object" : wrong.text);
    file->buffer = file->bytes + HEAD_BYTES + length;
    file->buffer_bytes = count - HEAD_BYTES - (int64_t)length;
    return take_all(path, file, err);
}

convoy_status st_open(const char *path, struct st_file **file, struct convoy_error *err)
{
    struct st_file *made = calloc(1, sizeof *made);
    int64_t count = 0;
    if (!made)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "%s: no memory", path);
    convoy_status status = read_file(path, &made->bytes, &count, err);
    if (!status)
        status = parse(path, count, made, err);
    if (status) {
        st_close(made);
        return status;
    }
    *file = made;
    return CONVOY_OK;
}

void st_close(struct st_file *file)
{
    if (!file)
        return;
    json_decref(file->root);
    free(file->tensor);
    free(file->bytes);
    free(file);
}

size_t st_count(const struct st_file *file)
{
    return file->tensors;
}

const struct st_tensor *st_at(const struct st_file *file, size_t index)
{
    return &file->tensor[index];
}

const struct st_tensor *st_find(const struct st_file *file, const char *name)
{
    for (size_t i = 0; i < file->tensors; i++)
        if (!strcmp(file->tensor[i].name, name))
            return &file->tensor[i];
    return NULL;
}

const char *st_text(const struct st_file *file, const char *key)
{
    return json_string_value(json_object_get(json_object_get(file->root, "__metadata__"), key));
}
