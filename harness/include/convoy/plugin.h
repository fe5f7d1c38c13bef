/* plugin.h: the small helpers that every plugin author writes otherwise: refusals with a reason, size-checked member
 * access, slot pointers, integer arithmetic. Optional; static inline only. */
#ifndef CONVOY_PLUGIN_H
#define CONVOY_PLUGIN_H

#include "convoy.h"
#include <stdarg.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Whether the other side's struct is large enough to hold `member`; p->struct_size must be readable. */
#define convoy_has(p, member) \
    ((p)->struct_size >= offsetof(__typeof__(*(p)), member) + sizeof((p)->member))

#if defined(__GNUC__)
__attribute__((format(printf, 4, 5)))
#endif
/* Fills err (which may be NULL) and returns status: return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_STRIDE, "...", ...). */
static inline convoy_status convoy_fail(struct convoy_error *err, convoy_status status, convoy_why why, const char *format, ...)
{
    if (err) {
        va_list list;
        va_start(list, format);
        err->status = status;
        err->why = why;
        vsnprintf(err->text, sizeof err->text, format, list);
        va_end(list);
    }
    return status;
}

/* Host address of a slot, NULL if the caller passed none. Only for instances of the host domain. */
static inline void *convoy_slot(const struct convoy_args *args, uint32_t slot)
{
    if (slot >= args->nslots || !args->slot[slot].buffer)
        return NULL;
    return (char *)args->slot[slot].buffer->host + args->slot[slot].offset;
}
static inline float *convoy_slot_f32(const struct convoy_args *args, uint32_t slot)
{
    return (float *)convoy_slot(args, slot);
}

static inline int64_t convoy_min(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t convoy_max(int64_t a, int64_t b) { return a > b ? a : b; }
static inline int64_t convoy_ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
static inline int64_t convoy_round_up(int64_t a, int64_t multiple) { return convoy_ceil_div(a, multiple) * multiple; }

#ifdef __cplusplus
}
#endif
#endif
