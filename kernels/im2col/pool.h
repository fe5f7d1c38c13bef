/* pool: one axis of a pooling window, and what the two passes share. Knows nothing of threads. */
#ifndef CONVOY_IM2COL_POOL_H
#define CONVOY_IM2COL_POOL_H

#include "im2col.h"

struct pool_axis {
    int32_t in, out, kernel, stride, dil, pad_before, pad_after;
};
struct pool_axis pool_axis_h(const struct convoy_pool *p);
struct pool_axis pool_axis_w(const struct convoy_pool *p);

/* The taps of window `out` that lie inside x: [*first, *last), which may be empty. */
void pool_taps(const struct pool_axis *axis, int64_t out, int32_t *first, int32_t *last);

/* How many taps of window `out` an average divides by. */
int64_t pool_divisor(const struct pool_axis *axis, int64_t out, int32_t kind);

/* The windows whose tap lies inside x. */
struct pool_range {
    int32_t first, last;
};
struct pool_range pool_windows(const struct pool_axis *axis, int32_t tap);

/* Where tap (r, s) of window (oh, ow) lies in a plane of x; outside x for a tap outside x. */
int64_t pool_tap_offset(const struct convoy_pool *p, int64_t oh, int64_t r, int64_t ow, int64_t s);

/* Whether the one window of an average is the whole plane, without padding before it. */
int pool_is_global_mean(const struct convoy_pool *p);

/* Whether windows and rows of x fit without a rest: planes that follow each other are then like one high plane. */
int pool_is_seamless(const struct convoy_pool *p);

/* Whether rows of x and y are so short that two images fit vectors of sixteen. */
int pool_is_paired(const struct convoy_pool *p);

/* Planes are dealt out in blocks, so that a task is worth its start. */
int64_t pool_block_planes(const struct convoy_pool *p);
int64_t pool_block_count(const struct convoy_pool *p);

/* ---- loops over rows, compiled for every instruction set ---- */

/* One output row of maxima. */
struct pool_max_row {
    const struct convoy_pool *p;
    const struct pool_range *windows; /* [kw]                                                       */
    const float *x;                   /* the row of x under tap row r_first                         */
    int32_t r_first, r_last;          /* tap rows inside x                                          */
    float *y;
    int32_t *index; /* NULL: not wanted                                           */
    uint8_t *bytes; /* NULL: the index is wanted as int32, else goes here too     */
    float *best;    /* scratch, [w]                                               */
    int32_t *taps;  /* scratch, [w]                                               */
};

/* One row of dx from rows of dy: what every tap brings is summed by phase, the remainder of the padded column by stride_w, where
 * windows lie side by side. */
struct pool_back_row {
    const struct convoy_pool *p;
    int32_t rows; /* at most kh: tap rows that meet this row of x               */
    struct pool_back_tap {
        int32_t r;
        const float *dy;   /* averages: over their divisors already                     */
        const void *index; /* maxima                                                    */
    } *tap;
    float *phases; /* scratch, [stride_w][pool_phase_floats]                    */
    float *dx;
};
/* Rows of dx of a maximum that follow each other. */
struct pool_back_rows {
    const struct convoy_pool *p;
    const float *dy;   /* of the plane, or of all planes that pool_is_seamless joins   */
    const void *index; /* as dy                                                        */
    int64_t oh;        /* rows of dy                                                   */
    int64_t h_first, rows;
    float *dx; /* row h_first                                                  */
};
int64_t pool_phase_floats(const struct convoy_pool *p);

/* Rows of y that follow each other, of one image or of two. An image is a plane, or planes that pool_is_seamless joins. */
struct pool_fwd_rows {
    const struct convoy_pool *p;
    const float *x; /* row 0 of the image                                                                     */
    int64_t h;      /* its rows                                                                               */
    int64_t first, rows;
    int paired, images; /* paired: the second of two images is h rows of x and `rows` rows of y after the first */
    float *y;
    uint8_t *bytes;                         /* the index of maxima; NULL: not wanted                       */
    const int32_t *divisors_h, *divisors_w; /* averages: [oh], [ow]                                        */
};

struct pool_loops {
    void (*max_row)(const struct pool_max_row *row);
    /* False: not this shape, or values that need max_row; what was written is nothing. May be NULL. */
    int (*fwd_rows)(const struct pool_fwd_rows *rows);
    /* False: not this shape. May be NULL. */
    int (*max_back_rows_fast)(const struct pool_back_rows *rows);
    void (*back_row)(const struct pool_back_row *row);
    /* y[ow] = sum over s of the sums over rows of x, over `divisor`*divisors[ow]. */
    void (*mean_row)(const struct pool_max_row *row, int64_t divisor, const int32_t *divisors);
    /* y[i] = mean of plane i. */
    void (*plane_means)(const float *x, int64_t planes, int64_t plane, float *y);
    /* Every float of plane i = y[i] / plane. */
    void (*fill_planes)(const float *y, int64_t planes, int64_t plane, float *x);
    /* Lines of 64 bytes, both addresses aligned to that, past the caches. */
    void (*stream_lines)(float *to, const float *from, int64_t lines);
    void (*end_stream)(void); /* orders them before what follows; waits for the memory, so once a task */
};
int pool_fwd_rows_avx512(const struct pool_fwd_rows *rows);
extern const struct pool_loops pool_loops_portable, pool_loops_avx2, pool_loops_avx512;

/* ---- outputs that leave the caches ---- */

/* Rows are collected in a buffer and go past the caches in whole lines. `buffer` holds POOL_STAGE_BYTES, aligned to 64. */
enum { POOL_STAGE_BYTES = 8192, POOL_STAGE_ROW_BYTES = 4096 };
struct pool_stage {
    char *buffer, *to; /* to: where buffer[0] belongs, a multiple of 64 */
    int64_t begin, end;
};
void pool_stage_open(struct pool_stage *stage, void *buffer, void *to);
/* Where the next so many bytes are to be written, at most POOL_STAGE_ROW_BYTES. */
void *pool_stage_room(struct pool_stage *stage, const struct pool_loops *loops, int64_t bytes);
/* Gives back the last room, which was not used. */
void pool_stage_return(struct pool_stage *stage, int64_t bytes);
void pool_stage_close(struct pool_stage *stage, const struct pool_loops *loops);

uint64_t pool_fwd_workspace_bytes(const struct plan *plan);
uint64_t pool_bwd_workspace_bytes(const struct plan *plan);
convoy_status pool_fwd_run(const struct plan *plan, const struct convoy_args *args, struct convoy_error *err);
convoy_status pool_bwd_run(const struct plan *plan, const struct convoy_args *args, struct convoy_error *err);

#endif
