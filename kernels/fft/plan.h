/* plan: what a plan of this backend is made of, for plugin.c and the two schedules. */
#ifndef CONVOY_KERNELS_FFT_PLAN_H
#define CONVOY_KERNELS_FFT_PLAN_H

#include "geometry.h"
#include "spectra.h"

struct plan {
    struct convoy_plan base;
    const struct convoy_host *host;
    struct geometry geometry;
    const struct fft_transform *transform;
    bool library; /* the transform is FFTW's and belongs to this plan */
    struct points points;
    convoy_status (*run)(const struct plan *plan, const struct convoy_args *args);
    uint32_t slots; /* one bit for each argument that execute needs */
    uint64_t workspace_bytes, prepared_bytes;
    struct convoy_numerics numerics;
    char algorithm[40];

    int64_t block;        /* tiles that are transformed, multiplied and transformed back together */
    uint64_t block_bytes; /* their left operand and product (gradients: both operands) */
    struct product product;
    union {
        struct {
            const struct side *from, *to;
            struct tiles left;
            struct kernels right;
            int32_t chunk_groups;
            ptrdiff_t *a_offset; /* depth, or NULL where no vector has unused lanes */
            bool shared;         /* all workers share one block; else each has its own */
        } data;
        struct {
            struct tiles x, y;
        } gradient;
    };
};

enum { SPLIT_CHANNELS = 64, SPLIT_TILES = 64 }; /* terms per partial sum; the operands of one sum stay in the first-level cache */

/* Layouts, blocks and sizes of a plan whose geometry, transform and points stand. */
convoy_status data_pass_plan(struct plan *plan, struct convoy_error *err);
convoy_status data_pass_prepare(const struct plan *plan, const struct convoy_args *args);
void gradient_pass_plan(struct plan *plan);

int64_t plan_points(const struct plan *plan);
/* Points that a worker multiplies in a row: what is fetched ahead for the next point is then its own. */
int64_t plan_point_run(const struct plan *plan);

/* The scratch memory of a worker: the transforms' memory is at the end of the workspace, one piece per worker. */
float *plan_scratch(const struct plan *plan, float *workspace, size_t worker);

#endif
