/* batch: the correlations of correlate.h for images of a few pixels. The rows of a tile are images at one output, so that they
 * fill it where an image would not, and the taps of an output are only those that meet the image. */
#ifndef CONVOY_DIRECT_BATCH_H
#define CONVOY_DIRECT_BATCH_H

#include "correlate.h"

/* Whether batch_plan suits; needs the first halves of the views. */
int batch_suits(const struct correlate *correlate);

/* As the functions of correlate.h, which also prepare the weights. */
int batch_plan(struct correlate *correlate);
void batch_execute(const struct correlate *correlate, const float *x, const float *prepared, const float *bias, float *y,
                   float *workspace);

#endif
