/* params.h: the parameters of every kernel, included by the planner (C), by GLSL and by OpenCL C: only int, uint and float
 * members, no arrays, so that all three lay them out alike.
 *
 * A divisor d is two words, d_mul and d_shift: n / d = (mulhi(n, d_mul) + n) >> d_shift for n < 2^31
 * (Granlund & Montgomery, PLDI 1994, figure 4.1). */
#ifndef CONVOY_GPU_PARAMS_H
#define CONVOY_GPU_PARAMS_H

#if defined(__STDC_VERSION__) && !defined(__OPENCL_VERSION__)
typedef unsigned int uint;
#endif

/* text/map, text/sgd, text/sum: elements one by one */
struct gpu_flat {
    int count;                       /* outputs */
    int first, parts, stride, pitch; /* sums: the first addend; how many; distances between outputs and between addends */
    float alpha, beta;
};

/* text/xent: rows of classes */
struct gpu_rows {
    int rows, classes;
    float alpha;
};

/* text/pool*: planes = n*c of this launch */
struct gpu_pool {
    int count; /* outputs: y forward, dx backward */
    int h, w, oh, ow;
    int kh, kw, stride_h, stride_w, dil_h, dil_w, pad_t, pad_l;
    int full_h, full_w;                              /* extents with both pads, for averages that count the padding */
    uint plane_mul, plane_shift, row_mul, row_shift; /* of the output: its plane, its row */
};

/* text/bn*: x as n, c, plane. A channel's n*plane elements are cut into parts of at most part_size. */
struct gpu_bn {
    int n, c, plane;
    int parts, part_size;
    int part_first, part_total; /* of this launch, and of all launches */
    int count;                  /* elements of an apply launch */
    float eps, momentum, elements;
    uint plane_mul, plane_shift, c_mul, c_shift;
};

/* text/conv*, text/pack*: a correlation of input planes with taps, described so that the forward pass, every phase of a strided
 * backward-data pass, and the gather of weight gradients are all the same:
 *     in_h = oh*stride_h + off_h + r*step_h            (0 outside 0..h-1; w alike)
 *     weight = w_first + m*w_m + c*w_c + r*w_r + s*w_s (m: output channel, c: input channel, both in the group g)
 *     out = out_first + ((n*groups + g)*m_count + m)*out_plane + oh*out_h + ow*out_w
 * Groups: weights of group g start g*w_group further, input channel c of the group is g*c_count + c. */
struct gpu_conv {
    int pixels, pixel_first; /* positions (n, oh, ow) of this launch; where they start among those of its tensors */
    int oh, ow, h, w;
    int c_count, m_count, groups;
    int taps_h, taps_w, stride_h, stride_w, off_h, off_w, step_h, step_w;
    int w_first, w_m, w_c, w_r, w_s, w_group;
    int out_first, out_plane, out_h, out_w;
    int flags;                /* GPU_BIAS ... */
    int rows, cols, depth;    /* of the product: output channels or weights, positions or taps, length of the sum */
    int depth_tiles;          /* per split, in steps of a tile's depth (panels: in terms) */
    int split_first;          /* where the partial sums of this launch go */
    int tiles_row, tiles_col; /* tiles of the product */
    int splits;               /* of the sum; a work-group z = split*groups + g */
    uint plane_mul, plane_shift, row_mul, row_shift;     /* oh*ow and ow */
    uint taps_mul, taps_shift, tap_w_mul, tap_w_shift;   /* taps_h*taps_w and taps_w */
    uint tiles_mul, tiles_shift, inner_mul, inner_shift; /* tiles_row*tiles_col and the inner of the two; see the texts */
};
#define GPU_BIAS 1
#define GPU_RELU 2
#define GPU_ADD 4 /* to what the output holds */

/* text/winograd*: tiles of M x M outputs of images, c and k channels per group. Weights: `tiles` panels of output channels
 * per group. Input: `panels` panels of tiles per group. Gradients: `panels` panels of channels per group. */
struct gpu_winograd {
    int count; /* invocations with work */
    int c, k, groups, h, w, oh, ow;
    int off_h, off_w;            /* input row and column of tile 0 */
    int tiles, tile_first;       /* of this launch; where they start among the n*tiles_h*tiles_w */
    int tiles_h, tiles_w;
    int panels;                  /* per group */
    int k_image;                 /* gradients: output channels of dy per group, of which k are wanted */
    int parts;                   /* gradients: partial sums */
    int pitch;                   /* floats between points */
    int w_m, w_c, w_group, flip; /* weights as in gpu_conv; flip 1 turns the kernel round */
    int flags;
    uint image_mul, image_shift, row_mul, row_shift;                     /* tiles_h*tiles_w, tiles_w */
    uint tiles_mul, tiles_shift, panel_mul, panel_shift, c_mul, c_shift; /* tiles, panels, c */
};

#if defined(__STDC_VERSION__) && !defined(__OPENCL_VERSION__)
union gpu_params {
    struct gpu_flat flat;
    struct gpu_rows rows;
    struct gpu_pool pool;
    struct gpu_bn bn;
    struct gpu_conv conv;
    struct gpu_winograd winograd;
};
#endif
#endif
