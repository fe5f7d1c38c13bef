/* Portable C: the store of a tile is the scattered one at every distance. */
#include "isa.h"
#include "tiles.h"

enum { LANES = 4 };
#include "fill_body.h"
#include "depthwise_body.h"
#include "columns_body.h"
#include "scatter_body.h"

static void transpose(const struct transpose *t)
{
    for (int64_t p = 0; p < t->pixels; p++) {
        float *const to = t->to + p * t->row;
        for (int64_t j = 0; j < t->width; j++)
            to[j] = j < t->channels ? t->from[j * t->channel + p] : 0;
    }
}

const struct isa isa_portable = {
    .family = &mk_portable,
    .store_rows = 16,
    .fill = fill_panel,
    .store = store_scattered,
    .transpose = transpose,
    .columns = pack_columns,
    .depthwise = depthwise_rows,
    .depthwise_gradient = depthwise_gradient,
};
