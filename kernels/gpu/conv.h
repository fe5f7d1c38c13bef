/* conv.h: how the passes of a convolution become correlations, and the planners of the algorithms. Private to kernels/gpu. */
#ifndef CONVOY_GPU_CONV_H
#define CONVOY_GPU_CONV_H

#include "program.h"

/* One pass of a convolution as products of matrices. Forward and backward-data: `rows` x `cols` outputs, the sum over `depth`
 * terms, from the tensors in slots `in` and W to `out`. Weight gradient: rows x cols weights, the sum over positions. */
struct pass {
    const struct convoy_conv *p;
    struct gpu_conv shape; /* for all images of a slice: only pixels, rows, cols, depth and tiles are left to set */
    uint32_t in, out;
    int64_t in_image, out_image; /* floats per image of `in` and of `out` (dy for gradients) */
    int64_t weights;             /* floats of W, or of the rows that a gradient is for */
    int64_t row, rows;           /* gradients: the output channels of a group that are wanted; all where there are groups */
};

/* The whole forward pass, or the gather of the weight gradient. */
struct pass pass_forward(const struct convoy_conv *p);
/* Phase (ph, pw) of the backward-data pass: the outputs h = ph + stride_h*t. Fewer than one position: false. taps_h*taps_w may be
 * 0: those outputs are zero. */
bool pass_phase(const struct convoy_conv *p, int32_t ph, int32_t pw, struct pass *pass);

/* A part of a pass: images first_image.., output rows row_first.. (groups 1 where that is not all), terms of the sum by input
 * channels c_first.. (likewise). */
struct portion {
    int64_t image, images, row, rows, channel, channels;
    bool add; /* to what earlier portions wrote */
};
typedef void portion_program(struct planner *planner, const struct pass *pass, const struct portion *portion);
/* Cuts a pass so that every bind stays below the device's limit, and calls `program` for each portion. */
void pass_portions(struct planner *planner, const struct pass *pass, portion_program *program);

/* Binds of a portion: its input images, its output images, the rows of W it reads, its part of the bias. */
void bind_input(struct planner *planner, struct gpu_step *step, uint32_t at, const struct pass *pass,
                const struct portion *portion);
void bind_output(struct planner *planner, struct gpu_step *step, uint32_t at, const struct pass *pass,
                 const struct portion *portion);
void bind_weights(struct planner *planner, struct gpu_step *step, uint32_t at, const struct pass *pass,
                  const struct portion *portion);
void bind_bias(struct planner *planner, struct gpu_step *step, uint32_t at, const struct pass *pass,
               const struct portion *portion);
/* pass->shape for a portion: rows, cols = positions, depth, flags and where the outputs start. */
struct gpu_conv portion_shape(const struct pass *pass, const struct portion *portion);

/* Binds of a gradient: dy of the wanted output channels for images first.., and their weights. */
void bind_slopes(struct planner *planner, struct gpu_step *step, uint32_t at, const struct pass *pass, int64_t first,
                 int64_t images);
void bind_gradient(struct planner *planner, struct gpu_step *step, uint32_t at, const struct pass *pass, uint32_t access);

int32_t tiles_count(void);
/* "64x128x16/4x8" of the tile with that number in struct gpu_choice; false: there is none, or the device has no room for it. */
bool tiles_name(const struct gpu_device *device, int32_t index, char *name, size_t size);

/* Algorithms: portions of correlations, and gradients of pass->rows output channels, pass->weights in all. */
void tiles_portion(struct planner *planner, const struct pass *pass, const struct portion *portion);
void panels_portion(struct planner *planner, const struct pass *pass, const struct portion *portion);
void direct_portion(struct planner *planner, const struct pass *pass, const struct portion *portion);
void tiles_gradient(struct planner *planner, const struct pass *pass);
void panels_gradient(struct planner *planner, const struct pass *pass);
void direct_gradient(struct planner *planner, const struct pass *pass);
/* Declares what Winograd's algorithm computes with, or refuses; then the forward and backward-data pass, or a gradient. */
bool winograd_declare(struct planner *planner, const struct convoy_conv *p);
void winograd_pass(struct planner *planner, const struct convoy_conv *p);
void winograd_gradient(struct planner *planner, const struct pass *pass);

/* A product of panels that are in the workspace or prepared: shape->rows, cols, depth, groups, splits and the output fields are
 * set, depth_tiles to the terms of a split or 0; `a` is a panel array of planner_panels().row wide panels, `b` of .col wide ones.
 * Leaves output and bias, binds 2 and 3, to the caller. */
struct panels {
    int32_t row, col; /* widths */
};
/* For `products` products of that size at a time. */
struct panels planner_panels(const struct planner *planner, int64_t rows, int64_t cols, int64_t products);
struct array {
    uint32_t slot;
    uint64_t offset, bytes;
};
struct array workspace_array(struct planner *planner, int64_t floats);
struct gpu_step *panels_product(struct planner *planner, const struct panels *panels, const struct gpu_conv *shape,
                                bool to_planes, const struct array *a, const struct array *b);

#endif
