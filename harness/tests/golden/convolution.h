/* Worked convolutions: the examples of the lectures, and small cases whose arithmetic stands beside them. */
#ifndef CONVOY_GOLDEN_CONVOLUTION_H
#define CONVOY_GOLDEN_CONVOLUTION_H

#include "golden.h"

/* The 5x5 image and the 3x3 kernel of the example that most cases share. */
#define X5 "x: 3 3 2 1 0 / 0 0 1 3 1 / 3 1 2 2 3 / 2 0 0 2 2 / 2 0 0 0 1; "
#define K3 "w: 0 1 2 / 2 2 0 / 0 1 2; "

static const struct golden convolution_goldens[] = {
    /* Top left: 3*0+3*1+2*2 + 0*2+0*2+1*0 + 3*0+1*1+2*2 = 7+0+5 = 12. The turned kernel would give 18. */
    {"stride 1", "conv_fwd:c1h5k1kh3", X5 K3, .outputs = "y: 12 12 17 / 10 17 19 / 9 6 14"},
    {"turned kernel", "conv_fwd:c1h5k1kh3", X5 "w: 2 1 0 / 0 2 2 / 2 1 0", .outputs = "y: 18 20 19 / 10 9 17 / 11 8 14"},
    /* Every second row and column of the stride 1, pad 1 output below. */
    {"stride 2 pad 1", "conv_fwd:c1h5k1kh3s2p1", X5 K3, .outputs = "y: 6 17 3 / 8 17 13 / 6 4 4"},
    {"stride 1 pad 1", "conv_fwd:c1h5k1kh3p1", X5 K3,
     .outputs = "y: 6 14 17 11 3 / 14 12 12 17 11 / 8 10 17 19 13 / 11 9 6 14 12 / 6 4 4 6 4"},
    /* Rows and columns 0, 2, 4: 3*0+2*1+0*2 + 3*2+2*2+3*0 + 2*0+0*1+1*2 = 2+10+2 = 14. */
    {"dilation 2", "conv_fwd:c1h5k1kh3d2", X5 K3, .outputs = "y: 14"},
    {"stride 3 drops the remainder", "conv_fwd:c1h5k1kh2s3", X5 "w: 1 0 / 0 0", .outputs = "y: 3 1 / 2 2"},
    {"bias", "conv_fwd:c1h5k1kh3b1", X5 K3 "bias: -12", .outputs = "y: 0 0 5 / -2 5 7 / -3 -6 2"},
    {"bias and relu", "conv_fwd:c1h5k1kh3b1r1", X5 K3 "bias: -12", .outputs = "y: 0 0 5 / 0 5 7 / 0 0 2"},

    {"filter identity", "conv_fwd:c1h5k1kh3", X5 "w: 0 0 0 / 0 1 0 / 0 0 0", .outputs = "y: 0 1 3 / 1 2 2 / 0 0 2"},
    {"filter edge", "conv_fwd:c1h5k1kh3", X5 "w: 1 0 -1 / 0 0 0 / -1 0 1", .outputs = "y: 0 3 3 / -3 -1 2 / -1 -1 0"},
    {"filter laplace", "conv_fwd:c1h5k1kh3", X5 "w: 0 1 0 / 1 -4 1 / 0 1 0", .outputs = "y: 5 3 -7 / 1 -4 2 / 3 4 -4"},
    {"filter gauss", "conv_fwd:c1h5k1kh3", X5 "w: 1 2 1 / 2 4 2 / 1 2 1", .outputs = "y: 20 25 29 / 17 21 32 / 13 11 22"},

    /* Two input channels: 19+37, 25+47, 37+67, 43+77; with two groups they stay apart. */
    {"two channels", "conv_fwd:c2h3k1kh2", "x: 0..8 / 1..9; w: 0..3 / 1..4", .outputs = "y: 56 72 / 104 120"},
    {"two groups", "conv_fwd:c2h3k2kh2g2", "x: 0..8 / 1..9; w: 0..3 / 1..4", .outputs = "y: 19 25 37 43 / 37 47 67 77"},
    {"two output channels", "conv_fwd:c1h3k2kh2", "x: 0..8; w: 0..3 / 1..4", .outputs = "y: 19 25 37 43 / 27 37 57 67"},
    {"two images", "conv_fwd:n2c1h3k1kh2", "x: 0..8 / 1..9; w: 1..4", .outputs = "y: 27 37 57 67 / 37 47 67 77"},
    {"4x4 image in matrix form", "conv_fwd:c1h4k1kh3", "x: 0..15; w: 1..9", .outputs = "y: 303 348 / 483 528"},
    {"10x10x3 by 3x3x3", "conv_fwd:c3h10k1kh3", "x: 1*300; w: 1*27", .outputs = "y: 27*64"},
    /* A kernel as large as the image is a fully connected layer: 1+4+9+16, 4+6+6+4. */
    {"fully connected", "conv_fwd:c1h2k2kh2", "x: 1..4; w: 1..4 / 4 3 2 1", .outputs = "y: 30 20"},
    {"one by one", "conv_fwd:c2h1w3k2kh1", "x: 1 2 3 / 4 5 6; w: 1 10 / 2 -1", .outputs = "y: 41 52 63 / -2 -1 0"},
    /* Padding below and to the right only keeps the size of an even kernel: 1+2+3+4, 2+4, 3+4, 4. */
    {"same size, even kernel", "conv_fwd:c1h2k1kh2pb1pr1", "x: 1..4; w: 1*4", .outputs = "y: 10 6 / 7 4"},
    {"above and left only", "conv_fwd:c1h2k1kh2pt1pl1", "x: 1..4; w: 1*4", .outputs = "y: 1 3 / 4 10"},
    {"wider than high", "conv_fwd:c1h1w5k1kh1kw3sw2dw2pr2", "x: 1..5; w: 1 10 100", .outputs = "y: 531 53"},
    /* The outer outputs see nothing but padding. */
    {"padding beyond the kernel", "conv_fwd:c1h1k1kh1p1b1", "x: 5; w: 3; bias: 2", .outputs = "y: 2 2 2 / 2 17 2 / 2 2 2"},

    {"weight gradient", "conv_bwd_weights:c1h5k1kh3", X5 "dy: 1*9", .outputs = "dw: 15 15 15 / 9 11 16 / 10 7 12"},
    {"weight gradient stride 2 pad 1", "conv_bwd_weights:c1h5k1kh3s2p1", X5 "dy: 1*9", .outputs = "dw: 5 6 5 / 7 16 7 / 5 6 5"},
    {"bias gradient", "conv_bwd_weights:n2c1h2k2kh1b1", "x: 1*8; dy: 1..16", .outputs = "dw: 52 84; dbias: 52 84"},
    {"weight gradient, two groups", "conv_bwd_weights:c2h2k2kh1g2", "x: 1..8; dy: 1*4 / 2*4", .outputs = "dw: 10 52"},
    {"data gradient", "conv_bwd_data:c1h5k1kh3", "dy: 1*9; " K3,
     .outputs = "dx: 0 1 3 3 2 / 2 5 7 5 2 / 2 6 10 8 4 / 2 5 7 5 2 / 0 1 3 3 2"},
    {"data gradient stride 2 pad 1", "conv_bwd_data:c1h5k1kh3s2p1", "dy: 1*9; " K3,
     .outputs = "dx: 2 2 2 2 2 / 2 4 2 4 2 / 2 2 2 2 2 / 2 4 2 4 2 / 2 2 2 2 2"},
    /* Pixels that no output sees get a gradient of 0. */
    {"data gradient, unused pixels", "conv_bwd_data:c1h1w5k1kh1s2", "dy: 7 8 9; w: 2", .outputs = "dx: 14 0 16 0 18"},
    {"data gradient, two groups", "conv_bwd_data:c2h1k2kh1g2", "dy: 3 5; w: 2 7", .outputs = "dx: 6 35"},

    /* Each pixel becomes a 3x3 patch times its value, two apart; patches add where they meet:
     *   row 0: 1 2 3+2 4 6       row 2: 7+3 8+6 9+14+9+4 16+8 18+12 */
    {"transposed, stride 2", "conv_transpose:c1h2k1kh3s2", "dy: 1..4; w: 1..9",
     .outputs = "dx: 1 2 5 4 6 / 4 5 14 10 12 / 10 14 36 24 30 / 12 15 34 20 24 / 21 24 55 32 36"},
    /* Padding cuts a frame off that; output padding puts one row and column back at the end. */
    {"transposed, pad 1", "conv_transpose:c1h2k1kh3s2p1", "dy: 1..4; w: 1..9", .outputs = "dx: 5 14 10 / 14 36 24 / 15 34 20"},
    {"transposed, output padding", "conv_transpose:c1h2k1kh3s2p1oph1opw1", "dy: 1..4; w: 1..9",
     .outputs = "dx: 5 14 10 12 / 14 36 24 30 / 15 34 20 24 / 24 55 32 36"},
    /* Weights c_in,c_out: the two outputs are 1*2+2*4 and 1*3+2*5. */
    {"transposed, channels", "conv_transpose:c2h1k2kh1", "dy: 1 2; w: 2 3 / 4 5", .outputs = "dx: 10 13"},
};

#undef X5
#undef K3
#endif
