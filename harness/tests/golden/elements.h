/* Worked batch norm, element-wise functions, softmax cross-entropy and SGD. Six decimals unless the result is exact. */
#ifndef CONVOY_GOLDEN_ELEMENTS_H
#define CONVOY_GOLDEN_ELEMENTS_H

#include "golden.h"

static const struct golden element_goldens[] = {
    /* mu 2.5, var 1.25, istd = 1/sqrt(1.25001) = 0.894424; run_mean 0.1*2.5, run_var 0.9 + 0.1*1.25*4/3. */
    {"batch norm", "bn_train:c1h1w4", "x: 1..4; gamma: 2; beta: 1; run_mean: 0; run_var: 1",
     .outputs =
         "y: -1.683271 0.105576 1.894424 3.683271; save_mean: 2.5; save_istd: 0.8944236; run_mean: 0.25; run_var: 1.0666667",
     .tolerance = 1e-6},
    {"batch norm and relu", "bn_train:c1h1w4r1", "x: 1..4; gamma: 2; beta: 1; run_mean: 0; run_var: 1",
     .outputs = "y: 0 0.105576 1.894424 3.683271", .tolerance = 1e-6},
    {"batch norm inference", "bn_infer:c1h1w4", "x: 1..4; gamma: 2; beta: 1; run_mean: 2.5; run_var: 1.25",
     .outputs = "y: -1.683271 0.105576 1.894424 3.683271", .tolerance = 1e-6},
    {"batch norm gradient", "bn_bwd:c1h1w4", "x: 1..4; dy: 1 0 0 0; gamma: 2; save_mean: 2.5; save_istd: 0.8944236",
     .outputs = "dx: 0.536661 -0.715537 -0.178887 0.357763; dgamma: -1.341635; dbeta: 1", .tolerance = 1e-6},
    /* One element has variance 0, biased and unbiased; istd = 1/sqrt(0.25) = 2. */
    {"batch norm of one element", "bn_train:c2h1eps0.25mom0.5", "x: 3 -1; gamma: 1 1; beta: 5 6; run_mean: 1 1; run_var: 1 3",
     .outputs = "y: 5 6; save_mean: 3 -1; save_istd: 2 2; run_mean: 2 0; run_var: 0.5 1.5"},
    /* The channel's elements come from both images: 1 3 and 5 7, mean 4, variance 5. */
    {"batch norm over images", "bn_train:n2c2h1w2eps4",
     "x: 1 3 10 10 / 5 7 10 10; gamma: 1 1; beta: 0 -3; run_mean: 0 0; run_var: 0 0",
     .outputs = "save_mean: 4 10; save_istd: 0.3333333 0.5; y: -1 -0.3333333 -3 -3 / 0.3333333 1 -3 -3", .tolerance = 1e-6},

    {"relu", "relu:n5", "x: -2 -0.5 0 0.5 2", .outputs = "y: 0 0 0 0.5 2"},
    {"relu gradient is 0 at 0", "relu_bwd:n3", "y: 0 0 2; dy: 5 6 7", .outputs = "dx: 0 0 7"},
    {"leaky", "leaky:n3alpha0.25", "x: -2 0 2", .outputs = "y: -0.5 0 2"},
    {"leaky gradient", "leaky_bwd:n3alpha0.25", "y: -0.5 0 2; dy: 4 8 3", .outputs = "dx: 1 2 3"},
    /* 1/(1+2) for x = -ln 2 */
    {"sigmoid", "sigmoid:n4", "x: 0 -0.69314718 200 -200", .outputs = "y: 0.5 0.3333333 1 0", .tolerance = 1e-7},
    {"sigmoid gradient", "sigmoid_bwd:n2", "y: 0.5 0.25; dy: 4 16", .outputs = "dx: 1 3"},
    /* tanh(x) = 2*sigmoid(2x) - 1: 2/(1+1/3) - 1 = 0.5 for x = ln(3)/2. LeCun's 1.7159*tanh(2x/3) is 1 at 1. */
    {"tanh", "tanh:n3", "x: 0 0.54930614 -0.54930614", .outputs = "y: 0 0.5 -0.5", .tolerance = 1e-7},
    {"tanh of LeCun", "tanh:n2alpha1.7159beta0.6666667", "x: 1 -1", .outputs = "y: 1 -1", .tolerance = 5e-6},
    /* alpha*beta*(1-(y/alpha)^2) = 2*3*(1-1/4) */
    {"tanh gradient", "tanh_bwd:n2alpha2beta3", "y: 1 0; dy: 1 2", .outputs = "dx: 4.5 12"},
    {"elu", "elu:n3", "x: -1 0 2", .outputs = "y: -0.632121 0 2", .tolerance = 5e-7},
    /* beta*alpha*(1/e - 1) */
    {"selu", "elu:n2alpha1.6732632beta1.050701", "x: -1 2", .outputs = "y: -1.111331 2.101402", .tolerance = 1e-6},
    {"elu gradient", "elu_bwd:n3alpha0.5beta2", "y: -0.75 0 3; dy: 4 4 4", .outputs = "dx: 1 4 8"},
    {"softplus", "softplus:n6", "x: -2 0 1 5 100 -100", .outputs = "y: 0.126928 0.693147 1.313262 5.006715 100 0",
     .tolerance = 6e-7},
    {"softplus gradient", "softplus_bwd:n2", "y: 0.69314718 0; dy: 2 3", .outputs = "dx: 1 0", .tolerance = 1e-6},
    {"hardtanh", "hardtanh:n5", "x: -3 -1 0.5 1 3", .outputs = "y: -1 -1 0.5 1 1"},
    {"hardtanh gradient", "hardtanh_bwd:n3", "y: -1 0.5 1; dy: 2 3 4", .outputs = "dx: 0 3 0"},
    {"softsign", "softsign:n3", "x: -1 0 3", .outputs = "y: -0.5 0 0.75"},
    {"softsign gradient", "softsign_bwd:n3", "y: -0.5 0 0.75; dy: 8 8 16", .outputs = "dx: 2 8 1"},
    {"add", "add:n2alpha2beta-1", "x: 1 2; x2: 3 4", .outputs = "y: -1 0"},
    {"mul", "mul:n2", "x: 2 -3; x2: 5 7", .outputs = "y: 10 -21"},
    {"scale", "scale:n2alpha2beta3", "x: 1 -4", .outputs = "y: 5 -5"},

    /* Equal logits over C classes cost ln C, whatever the label. */
    {"ln 2", "xent:n2classes2", "x: 3 3; index: 1", .outputs = "y: 0.693147", .tolerance = 6e-7},
    {"ln 10", "xent:n10classes10", "x: 0*10; index: 3", .outputs = "y: 2.302585", .tolerance = 6e-7},
    {"ln 15", "xent:n15classes15", "x: -2*15; index: 14", .outputs = "y: 2.708050", .tolerance = 6e-7},
    {"ln 100", "xent:n100classes100", "x: 0*100; index: 0", .outputs = "y: 4.605170", .tolerance = 6e-7},
    {"ln 1000", "xent:n1000classes1000", "x: 0*1000; index: 999", .outputs = "y: 6.907755", .tolerance = 6e-7},
    {"no label, no loss", "xent:n4classes2", "x: 1 2 3 3; index: -1 0", .outputs = "y: 0 0.693147", .tolerance = 6e-7},
    {"large logits", "xent:n4classes2", "x: 1000 0 1000 0; index: 0 1", .outputs = "y: 0 1000"},
    /* softmax - onehot: 1/4 each, and ln 1, ln 3 give 1/4 and 3/4 */
    {"xent gradient", "xent_bwd:n4classes4alpha2", "x: 7*4; index: 2", .outputs = "dx: 0.5 0.5 -1.5 0.5"},
    {"xent gradient of a batch", "xent_bwd:n4classes2", "x: 0 1.0986123 5 6; index: 0 -1", .outputs = "dx: -0.75 0.75 0 0",
     .tolerance = 1e-7},

    /* rate 0.5, momentum 0.5, decay 0.25: g = 1 + 0.25*4 = 2, v = 0.5*2 + 2 = 3, w = 4 - 0.5*3; nesterov 4 - 0.5*(2 + 0.5*3) */
    {"sgd", "sgd:n1", "dw: 1; w: 4; x2: 2; scalars: 0.5 0.5 0.25 0", .outputs = "w: 2.5; x2: 3"},
    {"sgd nesterov", "sgd:n1", "dw: 1; w: 4; x2: 2; scalars: 0.5 0.5 0.25 1", .outputs = "w: 2.25; x2: 3"},
};

#endif
