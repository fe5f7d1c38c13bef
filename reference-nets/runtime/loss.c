#include "runtime/loss.h"

#include <convoy/plugin.h>
#include <math.h>
#include <string.h>

static const char *const names[LOSS_KIND_COUNT] = {[LOSS_XENT] = "xent", [LOSS_BCE] = "bce",     [LOSS_MSE] = "mse",
                                                   [LOSS_L1] = "l1",     [LOSS_HUBER] = "huber", [LOSS_HINGE] = "hinge", [LOSS_HINGE_EACH] = "hinge-each"};

const char *loss_name(enum loss_kind kind)
{
    return names[kind];
}

bool loss_by_name(const char *name, enum loss_kind *kind)
{
    for (int k = 0; k < LOSS_KIND_COUNT; k++) {
        if (!strcmp(names[k], name)) {
            *kind = (enum loss_kind)k;
            return true;
        }
    }
    return false;
}

/* One sample: targets are read through target_at, so that labels need no one-hot copy. */
struct sample {
    const struct loss_options *options;
    const float *z, *target; /* target NULL: label                                                         */
    float *dz;               /* NULL: not wanted                                                           */
    double scale;            /* of the gradient                                                            */
    int32_t label, classes;
};

static double smoothed(const struct sample *s, double target)
{
    const double smoothing = s->options->smoothing;
    return target * (1 - smoothing) + smoothing / s->classes;
}

static double target_at(const struct sample *s, int32_t k)
{
    return s->target ? s->target[k] : k == s->label;
}

static void put(const struct sample *s, int32_t k, double gradient)
{
    if (s->dz)
        s->dz[k] = (float)(gradient * s->scale);
}

/* Shifted by the largest z, so that no exp overflows. With class weights the targets count by them. */
static double xent(const struct sample *s)
{
    double largest = s->z[0], sum = 0, loss = 0, mass = 0;
    for (int32_t k = 1; k < s->classes; k++)
        largest = fmax(largest, s->z[k]);
    for (int32_t k = 0; k < s->classes; k++)
        sum += exp(s->z[k] - largest);
    const double log_sum = largest + log(sum);
    for (int32_t k = 0; k < s->classes; k++) {
        const double t = smoothed(s, target_at(s, k));
        mass += t;
        if (t > 0)
            loss += t * (log_sum - s->z[k]);
    }
    for (int32_t k = 0; k < s->classes; k++)
        put(s, k, mass * exp(s->z[k] - log_sum) - smoothed(s, target_at(s, k)));
    return loss;
}

/* log(1+exp(z)) - t*z, stable on both sides; gradient sigmoid(z) - t. */
static double bce(const struct sample *s)
{
    double loss = 0;
    for (int32_t k = 0; k < s->classes; k++) {
        const double z = s->z[k], t = smoothed(s, target_at(s, k)), small = exp(-fabs(z));
        loss += fmax(z, 0) + log1p(small) - t * z;
        put(s, k, (z >= 0 ? 1 / (1 + small) : small / (1 + small)) - t);
    }
    return loss;
}

static double mse(const struct sample *s)
{
    double loss = 0;
    for (int32_t k = 0; k < s->classes; k++) {
        const double r = s->z[k] - target_at(s, k);
        loss += 0.5 * r * r;
        put(s, k, r);
    }
    return loss;
}

static double l1(const struct sample *s)
{
    double loss = 0;
    for (int32_t k = 0; k < s->classes; k++) {
        const double r = s->z[k] - target_at(s, k);
        loss += fabs(r);
        put(s, k, (r > 0) - (r < 0));
    }
    return loss;
}

static double huber(const struct sample *s)
{
    const double delta = s->options->delta > 0 ? s->options->delta : 1;
    double loss = 0;
    for (int32_t k = 0; k < s->classes; k++) {
        const double r = s->z[k] - target_at(s, k), size = fabs(r);
        loss += size <= delta ? 0.5 * r * r : delta * size - 0.5 * delta * delta;
        put(s, k, size <= delta ? r : r > 0 ? delta : -delta);
    }
    return loss;
}

static int32_t likeliest(const struct sample *s)
{
    int32_t best = 0;
    for (int32_t k = 1; k < s->classes; k++)
        if (target_at(s, k) > target_at(s, best))
            best = k;
    return best;
}

static double hinge(const struct sample *s)
{
    const double margin = s->options->margin > 0 ? s->options->margin : 1;
    const int32_t label = s->target ? likeliest(s) : s->label;
    int32_t rival = -1;
    for (int32_t k = 0; k < s->classes; k++) {
        put(s, k, 0);
        if (k != label && (rival < 0 || s->z[k] > s->z[rival]))
            rival = k;
    }
    const double loss = rival < 0 ? 0 : margin + s->z[rival] - s->z[label];
    if (!(loss > 0))
        return isnan(loss) ? loss : 0;
    put(s, rival, 1);
    put(s, label, -1);
    return loss;
}

static double hinge_each(const struct sample *s)
{
    const double margin = s->options->margin > 0 ? s->options->margin : 1;
    double loss = 0;
    for (int32_t k = 0; k < s->classes; k++) {
        const double y = target_at(s, k) > 0.5 ? 1 : -1, short_of = margin - y * s->z[k];
        loss += isnan(short_of) ? short_of : fmax(short_of, 0);
        put(s, k, short_of > 0 ? -y : 0);
    }
    return loss;
}

static double (*const functions[LOSS_KIND_COUNT])(const struct sample *) = {
    [LOSS_XENT] = xent, [LOSS_BCE] = bce, [LOSS_MSE] = mse, [LOSS_L1] = l1, [LOSS_HUBER] = huber, [LOSS_HINGE] = hinge, [LOSS_HINGE_EACH] = hinge_each};

static bool counts(const struct loss_batch *batch, int32_t n)
{
    return batch->target || batch->label[n] != LOSS_IGNORE;
}

static double weight_of(const struct loss_options *options, const struct loss_batch *batch, int32_t n)
{
    if (!counts(batch, n))
        return 0;
    return options->class_weight && !batch->target ? options->class_weight[batch->label[n]] : 1;
}

static convoy_status check_labels(const struct loss_batch *batch, struct convoy_error *err)
{
    for (int32_t n = 0; n < batch->batch; n++)
        if (!batch->target && batch->label[n] != LOSS_IGNORE && (batch->label[n] < 0 || batch->label[n] >= batch->classes))
            return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_SIZE,
                               "sample %d of the batch has label %d, the network has %d classes", n, batch->label[n],
                               batch->classes);
    return CONVOY_OK;
}

/* How many z are larger than the label's, equal ones before it counting too: 0 is a correct answer. */
static int32_t rank_of(const struct sample *s, int32_t label)
{
    int32_t rank = 0;
    for (int32_t k = 0; k < s->classes; k++)
        rank += s->z[k] > s->z[label] || (k < label && s->z[k] == s->z[label]) || (isnan(s->z[k]) && k != label);
    return isnan(s->z[label]) ? s->classes : rank;
}

convoy_status loss_run(const struct loss_options *options, const struct loss_batch *batch, struct loss_result *result,
                       struct convoy_error *err)
{
    const convoy_status status = check_labels(batch, err);
    if (status)
        return status;
    double total = 0;
    for (int32_t n = 0; n < batch->batch; n++)
        total += weight_of(options, batch, n);
    *result = (struct loss_result){0};
    for (int32_t n = 0; n < batch->batch; n++) {
        const double weight = weight_of(options, batch, n);
        const int64_t at = (int64_t)n * batch->classes;
        struct sample sample = {
            .options = options,
            .z = batch->z + at,
            .target = batch->target ? batch->target + at : NULL,
            .dz = batch->dz ? batch->dz + at : NULL,
            .scale = total > 0 ? weight / total * batch->weight : 0,
            .label = batch->target ? 0 : batch->label[n],
            .classes = batch->classes,
        };
        if (!counts(batch, n)) {
            if (sample.dz)
                memset(sample.dz, 0, (size_t)batch->classes * sizeof *sample.dz);
            continue;
        }
        result->loss += functions[options->kind](&sample) * weight / total;
        const int32_t rank = rank_of(&sample, batch->target ? likeliest(&sample) : sample.label);
        result->counted++;
        result->correct += rank == 0;
        result->correct5 += rank < 5;
    }
    return CONVOY_OK;
}
