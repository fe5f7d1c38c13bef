/* profile.h: the optional extension "convoy.profile/1" of a plugin: how the time of one execute divides into phases. A
 * backend that works in another layout or another domain shows here what that costs, so that "without reorders" can be
 * reported beside the whole time and never in its place. A new phase is appended, and struct_size tells who knows it.
 *
 * plugin->extension(CONVOY_PROFILE_ID) returns a struct convoy_profiler, or NULL: the plugin has no phases to tell apart. */
#ifndef CONVOY_PROFILE_H
#define CONVOY_PROFILE_H

#include "convoy.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CONVOY_PROFILE_ID "convoy.profile/1"

enum {                               /* phases; what fits none of the others is CONVOY_PHASE_MULTIPLY          */
    CONVOY_PHASE_INPUT_TRANSFORM,    /* into the domain of the algorithm: FFT, Winograd, lowering              */
    CONVOY_PHASE_WEIGHT_TRANSFORM,   /* the same for weights, where execute does it                            */
    CONVOY_PHASE_MULTIPLY,           /* the sums of products; the whole kernel where its phases interleave     */
    CONVOY_PHASE_OUTPUT_TRANSFORM,   /* back from that domain                                                  */
    CONVOY_PHASE_REORDER,            /* between NCHW and a layout of the plugin's own, no arithmetic           */
    CONVOY_PHASE_UPLOAD,             /* from the host to a device, within execute                              */
    CONVOY_PHASE_DOWNLOAD,           /* and back                                                               */
    CONVOY_PHASE_COUNT
};

struct convoy_profile {   /* caller-allocated; the caller sets struct_size                                     */
    uint32_t struct_size, reserved;
    uint64_t phase_ns[CONVOY_PHASE_COUNT]; /* wall time on the host, or device time; 0: not in this execute    */
};

struct convoy_profiler {
    uint32_t struct_size, reserved;
    /* Reading a clock between phases takes time itself, so a plan starts with this off. [plan] */
    void (*enable)(struct convoy_plan *, uint32_t on);
    /* The last execute that ran enabled, or zeros; on a device after sync. Copies what struct_size covers. [plan] */
    void (*read)(const struct convoy_plan *, struct convoy_profile *);
};

#ifdef __cplusplus
}
#endif
#endif
