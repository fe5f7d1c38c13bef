/* machine: where a result was measured. The id names the folder under results/: cpu model slug, cores, and 8 hex digits
 * of a hash over model, cores, caches and memory size (rounded to GiB), stable across runs and kernels. */
#ifndef CONVOY_CORE_MACHINE_H
#define CONVOY_CORE_MACHINE_H

#include <stdint.h>

struct machine {
    char id[64];          /* "amd-epyc-2c-1a2b3c4d"                                       */
    char cpu[96];         /* model name, and family/model/stepping where the name is vague */
    char isa[96];         /* the vector extensions that matter: "avx2 fma avx512f …"      */
    char governor[32];    /* "" if unreadable                                             */
    char kernel[96];      /* uname -sr                                                    */
    char compiler[96];    /* of this harness                                              */
    char revision[48];    /* git revision of this build, "-dirty" if so                   */
    int32_t cores;        /* usable by this process (affinity)                            */
    int64_t l1d_bytes, l2_bytes, l3_bytes, memory_bytes;
};

/* Never fails: what cannot be read is empty or 0. [any] */
void machine_describe(struct machine *machine);

#endif
