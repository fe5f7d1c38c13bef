/* LeCun, Bottou, Bengio & Haffner, "Gradient-based learning applied to document recognition", 1998, section II.B, as it was: maps
 * of C3 see some maps of S2 only, pools have a coefficient and a bias per map, and the output layer measures distances to fixed
 * codes. 60,000 parameters are learned; the codes are not. */
#include "nets/families.h"

#include "core/rng.h"

enum { S2_MAPS = 6, C3_MAPS = 16, F6_UNITS = 84, CODE_ROWS = 12, CODE_COLUMNS = 7, DIGITS = 10 };

/* Table I: bit c is set where a map of C3 sees map c of S2. */
static const uint8_t connections[C3_MAPS] = {
    0x07, 0x0e, 0x1c, 0x38, 0x31, 0x23,             /* three in a row, cyclic                                      */
    0x0f, 0x1e, 0x3c, 0x39, 0x33, 0x27, 0x1b, 0x36, 0x2d, /* four                                                  */
    0x3f,                                           /* all                                                         */
};

/* Codes are drawings of the digits in 7x12 pixels, as the paper has them, in a hand of our own: a row is seven bits. */
static const uint8_t digits[DIGITS][CODE_ROWS] = {
    {0x1c, 0x22, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x22, 0x1c, 0x00},
    {0x08, 0x18, 0x28, 0x08, 0x08, 0x08, 0x08, 0x08, 0x08, 0x08, 0x3e, 0x00},
    {0x3e, 0x41, 0x41, 0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x7f, 0x00},
    {0x3e, 0x41, 0x01, 0x01, 0x02, 0x1c, 0x02, 0x01, 0x01, 0x41, 0x3e, 0x00},
    {0x02, 0x06, 0x0a, 0x12, 0x22, 0x42, 0x7f, 0x02, 0x02, 0x02, 0x02, 0x00},
    {0x7f, 0x40, 0x40, 0x40, 0x7e, 0x01, 0x01, 0x01, 0x01, 0x41, 0x3e, 0x00},
    {0x1e, 0x20, 0x40, 0x40, 0x5e, 0x61, 0x41, 0x41, 0x41, 0x21, 0x1e, 0x00},
    {0x7f, 0x01, 0x01, 0x02, 0x02, 0x04, 0x04, 0x08, 0x08, 0x10, 0x10, 0x00},
    {0x3e, 0x41, 0x41, 0x41, 0x22, 0x1c, 0x22, 0x41, 0x41, 0x41, 0x3e, 0x00},
    {0x3c, 0x42, 0x41, 0x41, 0x41, 0x43, 0x3d, 0x01, 0x01, 0x02, 0x3c, 0x00},
};

/* At another width a map takes the place of the one at the same share of the way. */
static const uint8_t *make_mask(struct net *net, int32_t k, int32_t c, struct convoy_error *err)
{
    uint8_t *mask = net_keep(net, (size_t)k * (size_t)c, err);
    for (int32_t map = 0; mask && map < k; map++) {
        const uint8_t sees = connections[(int64_t)map * C3_MAPS / k];
        for (int32_t from = 0; from < c; from++)
            mask[(int64_t)map * c + from] = sees >> ((int64_t)from * S2_MAPS / c) & 1;
        if (c < S2_MAPS) /* so few maps that one might see none */
            mask[(int64_t)map * c + map % c] = 1;
    }
    return mask;
}

/* Other numbers of classes or units get codes at random, which the paper names as the other choice. */
static const float *make_codes(struct net *net, int32_t classes, int32_t units, struct convoy_error *err)
{
    const bool drawn = classes == DIGITS && units == F6_UNITS;
    float *codes = net_keep(net, (size_t)classes * (size_t)units * sizeof *codes, err);
    for (int32_t k = 0; codes && k < classes; k++)
        for (int32_t c = 0; c < units; c++) {
            const int64_t place = (int64_t)k * units + c;
            const bool set = drawn ? digits[k][c / CODE_COLUMNS] >> (CODE_COLUMNS - 1 - c % CODE_COLUMNS) & 1
                                   : rng_uniform(1998, 1, (uint64_t)place) > 0;
            codes[place] = set ? 1 : -1;
        }
    return codes;
}

/* A tanh(S x) with A = 1.7159 and S = 2/3, so that f(1) = 1 and f(-1) = -1: appendix A. */
#define SQUASH .kind = NET_ACT, .act = CONVOY_ELT_TANH, .alpha = 1.7159f, .beta = 2.0f / 3

convoy_status lenet_original_build(struct net *net, int32_t variant, struct convoy_error *err)
{
    (void)variant;
    const int32_t s2 = net_width(net, S2_MAPS, 1), c3 = net_width(net, C3_MAPS, 1), f6 = net_width(net, F6_UNITS, 1);
    const uint8_t *mask = make_mask(net, c3, s2, err);
    const float *codes = mask ? make_codes(net, net->classes, f6, err) : NULL;
    if (!codes)
        return CONVOY_NO_MEMORY;
    const struct net_spec spec[] = {
        {"c1", .kind = NET_CONV, .k = s2, .kernel = 5, .bias = true},
        {"c1.squash", SQUASH},
        {"s2.average", .kind = NET_AVGPOOL, .kernel = 2, .stride = 2},
        {"s2", .kind = NET_AFFINE},
        {"s2.squash", SQUASH},
        {"c3", .kind = NET_CONV, .k = c3, .kernel = 5, .bias = true, .mask = mask},
        {"c3.squash", SQUASH},
        {"s4.average", .kind = NET_AVGPOOL, .kernel = 2, .stride = 2},
        {"s4", .kind = NET_AFFINE},
        {"s4.squash", SQUASH},
        {"c5", .kind = NET_FC, .k = net_width(net, 120, 1), .bias = true},
        {"c5.squash", SQUASH},
        {"f6", .kind = NET_FC, .k = f6, .bias = true},
        {"f6.squash", SQUASH},
        {"output", .kind = NET_RBF, .k = net->classes, .codes = codes},
    };
    int32_t at = NET_IMAGE;
    const convoy_status status = net_append(net, "", spec, sizeof spec / sizeof *spec, &at, err);
    return status ? status : net_finish(net, err);
}
