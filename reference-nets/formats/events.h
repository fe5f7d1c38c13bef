/* events: a TensorBoard event file (records with masked CRC-32C around protocol-buffer messages). Appends and flushes; knows
 * files only. Layout: tensorboard/compat/proto/{event,summary}.proto, tensorflow/core/lib/io/record_writer. */
#ifndef CONVOY_FORMATS_EVENTS_H
#define CONVOY_FORMATS_EVENTS_H

#include <convoy/convoy.h>

struct events;

/* Makes events.out.tfevents.SECONDS.HOST in a folder that exists or is made. wall_time < 0: the clock; else fixed, for tests. */
convoy_status events_open(const char *folder, double wall_time, struct events **events, struct convoy_error *err);
convoy_status events_close(struct events *events, struct convoy_error *err); /* NULL: nothing                */
convoy_status events_scalar(struct events *events, int64_t step, const char *tag, float value, struct convoy_error *err);
/* png: a whole PNG file. */
convoy_status events_image(struct events *events, int64_t step, const char *tag, int32_t h, int32_t w, int32_t channels,
                           const void *png, size_t bytes, struct convoy_error *err);

uint32_t crc32c(uint32_t crc, const void *data, size_t bytes); /* Castagnoli; start with 0                  */

#endif
