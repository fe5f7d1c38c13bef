/* Loshchilov & Hutter, "SGDR", arXiv 1608.03983 (cosine with restarts); Goyal et al., arXiv 1706.02677 (warm-up). */
#include "runtime/schedule.h"

#include <math.h>
#include <string.h>

static const char *const names[SCHEDULE_KIND_COUNT] = {
    [SCHEDULE_CONSTANT] = "constant", [SCHEDULE_STEP] = "step",       [SCHEDULE_MULTISTEP] = "multistep",
    [SCHEDULE_EXP] = "exp",           [SCHEDULE_POLY] = "poly",       [SCHEDULE_INV] = "inv",
    [SCHEDULE_COSINE] = "cosine",     [SCHEDULE_PLATEAU] = "plateau",
};

const char *schedule_name(enum schedule_kind kind)
{
    return names[kind];
}

bool schedule_by_name(const char *name, enum schedule_kind *kind)
{
    for (int k = 0; k < SCHEDULE_KIND_COUNT; k++) {
        if (!strcmp(names[k], name)) {
            *kind = (enum schedule_kind)k;
            return true;
        }
    }
    return false;
}

static double share_of(double part, double whole)
{
    return whole > 0 ? fmin(part / whole, 1) : 0;
}

/* Where a step lies in its cosine period, in [0, 1]. Periods last `every` epochs, each `factor` times as long as the last. */
static double cosine_share(const struct schedule_options *o, int64_t step)
{
    if (o->every <= 0)
        return share_of((double)step, (double)o->steps);
    const double factor = o->factor > 1 ? o->factor : 1;
    double period = (double)o->every * (double)o->steps_per_epoch, at = (double)step;
    while (period > 0 && at >= period) {
        at -= period;
        period *= factor;
    }
    return share_of(at, period);
}

static int32_t milestones_passed(const struct schedule_options *o, int64_t epoch)
{
    int32_t passed = 0;
    for (int32_t m = 0; m < o->milestones; m++)
        passed += epoch >= o->milestone[m];
    return passed;
}

double schedule_rate(const struct schedule_options *o, const struct schedule_state *state, int64_t step)
{
    const int64_t epoch = o->steps_per_epoch > 0 ? step / o->steps_per_epoch : 0;
    double rate = o->rate;
    switch (o->kind) {
    case SCHEDULE_STEP:
        rate *= pow(o->gamma, o->every > 0 ? (double)(epoch / o->every) : 0);
        break;
    case SCHEDULE_MULTISTEP:
        rate *= pow(o->gamma, milestones_passed(o, epoch));
        break;
    case SCHEDULE_EXP:
        rate *= pow(o->gamma, (double)epoch);
        break;
    case SCHEDULE_POLY:
        rate *= pow(1 - share_of((double)step, (double)o->steps), o->power);
        break;
    case SCHEDULE_INV:
        rate *= pow(1 + o->gamma * (double)step, -o->power);
        break;
    case SCHEDULE_COSINE:
        rate = o->least + (o->rate - o->least) / 2 * (1 + cos(acos(-1) * cosine_share(o, step)));
        break;
    case SCHEDULE_PLATEAU:
        rate *= state->scale;
        break;
    default:
        break;
    }
    if (step < o->warmup_steps)
        rate *= (double)(step + 1) / (double)o->warmup_steps;
    return rate;
}

bool schedule_observe(const struct schedule_options *o, struct schedule_state *state, double metric)
{
    if (metric < state->best) {
        state->best = metric;
        state->bad_epochs = 0;
        return false;
    }
    state->bad_epochs++;
    if (o->kind != SCHEDULE_PLATEAU || state->bad_epochs <= o->patience)
        return false;
    state->bad_epochs = 0;
    state->scale *= o->gamma;
    return true;
}

bool schedule_is_minimum(const struct schedule_options *o, int64_t step)
{
    if (o->kind != SCHEDULE_COSINE || o->every <= 0)
        return false;
    return cosine_share(o, step + 1) < cosine_share(o, step) || step + 1 == o->steps;
}
