/* tune.h: the optional extension "convoy.tune/1" of a plugin that can compute a problem in several configurations (tile sizes,
 * splits of a sum, work-groups) and does not know which one is the fastest here. The plugin lists them and remembers a choice; the
 * harness (`convoy tune`) checks, times and chooses. What plan() does without a choice is the plugin's default.
 *
 *     target -> candidate 0, 1, ... -> for each: force -> plan, execute, destroy -> force NULL -> keep
 *
 * A configuration is a short text of the plugin's own, like "64x128x16/4x8": one line, no blanks, and the same text always means
 * the same configuration. Plans made from a choice say so in their info's algorithm. Every candidate must be right, in the
 * numerics that its plan's info declares; the harness trusts none.
 *
 * plugin->extension(CONVOY_TUNE_ID) returns a struct convoy_tuner, or NULL: there is nothing to choose from. */
#ifndef CONVOY_TUNE_H
#define CONVOY_TUNE_H

#include "convoy.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CONVOY_TUNE_ID "convoy.tune/1"

enum { CONVOY_TUNE_TEXT_BYTES = 32 }; /* room for any configuration, its final NUL included                    */

struct convoy_tune_target { /* caller-allocated; the caller sets struct_size                                   */
    uint32_t struct_size;
    uint32_t software; /* 1: a CPU plays the device: times are not worth keeping                          */
    char device[160];  /* what choices are kept for, beside the plugin's version: the hardware            */
    char driver[256];  /* and its driver, with everything that tells one version from another             */
    char path[512];    /* where choices are kept; "": there is no place, and keep() fails                 */
};

struct convoy_tuner {
    uint32_t struct_size, reserved;
    /* What an instance tunes for. [instance] */
    convoy_status (*target)(const struct convoy_instance *, struct convoy_tune_target *, struct convoy_error *);
    /* Writes configuration `index` of the problem to `text`, which has room for CONVOY_TUNE_TEXT_BYTES. 0 is the default. All of
     * them keep to the device's limits. CONVOY_UNSUPPORTED: there are no more; for index 0, the problem itself is declined. [any] */
    convoy_status (*candidate)(const struct convoy_instance *, const struct convoy_problem *, uint32_t index, char *text,
                               struct convoy_error *);
    /* From now on plan() of this instance takes this configuration for every problem, and fails where it cannot; choices that are
     * kept do not count. NULL ends that. [instance] */
    convoy_status (*force)(struct convoy_instance *, const char *text, struct convoy_error *);
    /* Remembers the configuration for this problem and this instance's variant, for all instances of this process and of later
     * ones on the same device, driver and plugin version. An earlier choice is replaced. [instance] */
    convoy_status (*keep)(struct convoy_instance *, const struct convoy_problem *, const char *text, struct convoy_error *);
};

#ifdef __cplusplus
}
#endif
#endif
