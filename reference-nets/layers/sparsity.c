/* A penalty on units that are active more often than a share p (Lee, Ekanadham & Ng, NIPS 2007; Ng, CS294A notes, section 3).
 * What passes is not changed; with q the mean of a channel over the batch and its m elements, training adds the gradient of
 *      weight * (-p log q - (1-p) log(1-q)),    which is    weight * (-p/q + (1-p)/(1-q)) / m,
 * to that of every element. For outputs in (0, 1). */
#include "layers/kinds.h"
#include "layers/planes.h"

#include <math.h>
#include <string.h>

static const double least = 1e-4; /* of q and 1-q, so that a unit that is off does not end the run            */

static void pass_on(const struct planes *p, int64_t n)
{
    memcpy(p->y + n * p->in_size, p->in + n * p->in_size, (size_t)p->in_size * sizeof *p->y);
}

static void penalise(const struct planes *p, int32_t c)
{
    const double target = p->layer->spec->spec.p, count = (double)p->layer->batch * (double)p->pixels;
    double mean = 0;
    for (int32_t n = 0; n < p->layer->batch; n++)
        for (int64_t i = 0; i < p->pixels; i++)
            mean += p->in[n * p->in_size + c * p->pixels + i] / count;
    const double q = fmin(fmax(mean, least), 1 - least);
    const double slope = (double)p->layer->spec->spec.alpha * ((1 - target) / (1 - q) - target / q) / count;
    for (int32_t n = 0; n < p->layer->batch; n++) {
        const int64_t first = n * p->in_size + c * p->pixels;
        for (int64_t i = first; i < first + p->pixels; i++)
            p->din[i] = (float)(p->dout[i] + slope);
    }
}

convoy_status sparsity_forward(struct layer *layer, struct convoy_error *err)
{
    return planes_forward(layer, pass_on, err);
}

convoy_status sparsity_backward(struct layer *layer, struct convoy_error *err)
{
    return layer->din[0] ? planes_channels(layer, penalise, err) : CONVOY_OK;
}
