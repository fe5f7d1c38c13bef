/* Worked pooling. */
#ifndef CONVOY_GOLDEN_POOLING_H
#define CONVOY_GOLDEN_POOLING_H

#include "golden.h"

#define X5 "x: 3 3 2 1 0 / 0 0 1 3 1 / 3 1 2 2 3 / 2 0 0 2 2 / 2 0 0 0 1; "

static const struct golden pooling_goldens[] = {
    {"average 3x3", "avgpool_fwd:c1h5kh3", X5, .outputs = "y: 15 15 15 / 9 11 16 / 10 7 12", .divide = 9, .tolerance = 2e-7},
    /* An index is the row times 3 plus the column of the first maximum in its window. */
    {"maximum 3x3", "maxpool_fwd:c1h5kh3", X5, .outputs = "y: 3 3 3 / 3 3 3 / 3 2 3; index: 0 0 4 / 3 2 1 / 0 1 2"},
    {"maximum 3x3 without index", "maxpool_fwd:c1h5kh3noindex1", X5, .outputs = "y: 3 3 3 / 3 3 3 / 3 2 3"},
    {"maximum gradient", "maxpool_bwd:c1h5kh3", "dy: 1*9; index: 0 0 4 / 3 2 1 / 0 1 2",
     .outputs = "dx: 1 1 0 0 0 / 0 0 0 3 0 / 2 0 1 0 1 / 0*5 / 0*5"},
    {"2-norm 3x3", "l2pool_fwd:c1h5kh3", X5, .outputs = "y: 37 33 33 / 19 23 36 / 22 13 26", .tolerance = 1e-5, .squared = true},

    {"maximum, floor", "maxpool_fwd:c1h5kh2s2noindex1", X5, .outputs = "y: 3 3 / 3 2"},
    {"maximum, ceil", "maxpool_fwd:c1h5kh2s2ceil1noindex1", X5, .outputs = "y: 3 3 1 / 3 2 3 / 2 0 1"},
    /* The windows at the right and below reach past the image: 0+1 over 2, 3+2 over 2, 2+0 over 2, 0 over 2, 1 over 1. */
    {"average, ceil", "avgpool_fwd:c1h5kh2s2ceil1", X5, .outputs = "y: 1.5 1.75 0.5 / 1.5 1.5 2.5 / 1 0 1"},
    {"average of valid, ceil", "avgpoolx_fwd:c1h5kh2s2ceil1", X5, .outputs = "y: 1.5 1.75 0.5 / 1.5 1.5 2.5 / 1 0 1"},
    {"112 to 56, ceil", "maxpool_fwd:c1h112kh3s2ceil1noindex1", "x: 1*12544", .outputs = "y: 1*3136"},
    {"112 to 55, floor", "maxpool_fwd:c1h112kh3s2noindex1", "x: 1*12544", .outputs = "y: 1*3025"},
    {"112 to 56, pad 1", "maxpool_fwd:c1h112kh3s2p1noindex1", "x: 1*12544", .outputs = "y: 1*3136"},

    /* One row 1 2 3 4 with a pad at each end, windows of 3 at -1, 1, 3. The last holds 4, one pad, and one place beyond the
     * padded row: 0+1+2, 2+3+4, 4 over 3, 3, 2; or over 2, 3, 1 if pads do not count. */
    {"average counts pads", "avgpool_fwd:c1h1w4kh1kw3sw2pl1pr1ceil1", "x: 1..4", .outputs = "y: 1 3 2"},
    {"average leaves pads out", "avgpoolx_fwd:c1h1w4kh1kw3sw2pl1pr1ceil1", "x: 1..4", .outputs = "y: 1.5 3 4"},
    {"average gradient, pads count", "avgpool_bwd:c1h1w4kh1kw3sw2pl1pr1ceil1", "dy: 3 6 2", .outputs = "dx: 1 3 2 3"},
    {"average gradient, pads left out", "avgpoolx_bwd:c1h1w4kh1kw3sw2pl1pr1ceil1", "dy: 2 6 3", .outputs = "dx: 1 3 2 5"},
    {"global average", "avgpool_fwd:c2h2global1", "x: 1..8", .outputs = "y: 2.5 6.5"},
    {"global average gradient", "avgpool_bwd:c2h2global1", "dy: 4 -8", .outputs = "dx: 1*4 / -2*4"},

    {"padding never wins", "maxpool_fwd:c1h2kh3p1", "x: -4 -3 / -2 -1", .outputs = "y: -1*4; index: 8 7 / 5 4"},
    {"minus infinity", "maxpool_fwd:c1h2kh2", "x: -inf*4", .outputs = "y: -inf; index: 0"},
    {"NaN is the largest", "maxpool_fwd:c1h2w4kh2s2", "x: 1 nan 3 inf / nan 0 3 nan", .outputs = "y: nan nan; index: 1 3"},
    {"dilated maximum", "maxpool_fwd:c1h1w5kh1kw2dw3sw1", "x: 5 1 2 4 9", .outputs = "y: 5 9; index: 0 1"},
    {"257 taps and more: wide index", "maxpool_fwd:c1h17w16kh17kw16", "x: 0*271 5", .outputs = "y: 5; index: 271"},
    {"256 taps: byte index", "maxpool_fwd:c1h16kh16", "x: 0*255 5", .outputs = "y: 5; index: 255"},
    {"wide index gradient", "maxpool_bwd:c1h17w16kh17kw16", "dy: 7; index: 271", .outputs = "dx: 0*271 7"},

    /* 3,4 -> 5: gradient dy * x/y; nothing where y is 0. */
    {"2-norm", "l2pool_fwd:c1h2w2kh1kw2", "x: 3 4 / 0 0", .outputs = "y: 5 0"},
    {"2-norm gradient", "l2pool_bwd:c1h2w2kh1kw2", "x: 3 4 / 0 0; y: 5 0; dy: 10 1", .outputs = "dx: 6 8 / 0 0"},
};

#undef X5
#endif
