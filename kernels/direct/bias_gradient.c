/* dbias[k] = sum of dy: interleaved chains over a row, rows added in double. */
#include "direct.h"

struct call {
    const struct dims *d;
    const struct tensors *t;
};

static void add_channel(void *context, size_t i, size_t worker)
{
    (void)worker;
    enum { CHAINS = 16 };
    const struct call *call = context;
    const struct dims *d = call->d;
    const float *const dy = call->t->dy + (int64_t)i / d->k * d->y.group + (int64_t)i % d->k * d->y.channel;
    double total = 0;
    for (int64_t n = 0; n < d->n; n++)
        for (int64_t oh = 0; oh < d->oh; oh++) {
            const float *const row = dy + n * d->y.image + oh * d->y.row;
            float sum[CHAINS] = {0};
            int64_t ow = 0;
            if (d->y.col == 1) {
                for (; ow + CHAINS <= d->ow; ow += CHAINS)
                    for (int64_t j = 0; j < CHAINS; j++)
                        sum[j] += row[ow + j];
            }
            double rest = 0;
            for (; ow < d->ow; ow++)
                rest += (double)row[ow * d->y.col];
            for (int64_t j = 0; j < CHAINS; j++)
                rest += (double)sum[j];
            total += rest;
        }
    call->t->dbias[i] = (float)total;
}

void bias_gradient(const struct convoy_host *host, const struct dims *d, const struct tensors *t)
{
    struct call call = {.d = d, .t = t};
    host->parallel(host, add_channel, &call, (size_t)d->groups * (size_t)d->k);
}
