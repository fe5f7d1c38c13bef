/* augment: one sample made into one input of a network: fitted to its size, augmented, normalised. A pure function of its
 * arguments. Knows pixels only. */
#ifndef CONVOY_DATA_AUGMENT_H
#define CONVOY_DATA_AUGMENT_H

#include "data/batches.h"

/* Random draws of one sample: number `index` of the epoch. */
struct augment_key {
    uint64_t seed, epoch, index;
};

/* from: c,h,w of the set; to: options' c,h,w. A set of one channel is repeated, of three averaged, where the network wants
 * another number. scratch holds augment_scratch(options, set) floats. [any] */
int64_t augment_scratch(const struct batches_options *options, const struct dataset *set);
void augment_sample(const struct batches_options *options, const struct dataset *set, struct augment_key key, const float *from,
                    float *to, float *scratch);

/* lambda of Beta(alpha, alpha), by Joehnk's method (1964). [any] */
float augment_beta(struct augment_key key, float alpha);

#endif
