/* sample: which elements of a large output are looked at: corners, borders, both sides of every tile and panel seam that a fast
 * kernel may have, and random ones. Knows shapes only. */
#ifndef CONVOY_VERIFY_SAMPLE_H
#define CONVOY_VERIFY_SAMPLE_H

#include "core/slots.h"

struct sample {
    uint64_t *index; /* ascending, each once */
    uint64_t count;
};

enum { SAMPLE_RANDOM = 4096 };

/* At most about `most` elements (seams and random ones thin out in proportion; corners stay); all of them where the output has
 * no more than that. tile_h, tile_w: further seams to look at, 0: none. False: no memory. */
bool sample_open(const struct slot_info *info, int64_t tile_h, int64_t tile_w, uint64_t most, uint64_t seed,
                 struct sample *sample);
void sample_close(struct sample *sample);

#endif
