/* lanes: one vector of floats of an instruction set, for loops that are written once and compiled for each. A body file is included
 * by NAME_portable.c, NAME_avx2.c and NAME_avx512.c, which define LANES_HEADER before. Besides LANES and the operations by their
 * names:
 *
 *     lanes_mask_first(count)   the first count lanes, 0 <= count <= LANES
 *     lanes_load_some           touches the lanes of the mask only, the others are 0
 *     lanes_stream              to an address that is a multiple of the vector, past the caches; lanes_fence orders it
 *     lanes_keep                0 outside the mask
 *     lanes_choose              a inside the mask, else b
 *     lanes_rectify             max(0, v), NaN stays
 *     lanes_totals              the sums over the lanes of sixteen vectors */
#ifndef CONVOY_IM2COL_LANES_H
#define CONVOY_IM2COL_LANES_H

#include LANES_HEADER

#endif
