#include "data/batches.h"

#include "core/error.h"
#include "core/rng.h"
#include "data/augment.h"

#include <convoy/plugin.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { AHEAD = 3, STREAM_SHUFFLE = 0x20000000, STREAM_MIXUP = 0x30000000 };

struct slot {
    float *pixels, *target;
    int32_t *label;
    int32_t count;
    bool soft;
    convoy_status status;
    struct convoy_error err;
};

struct batches {
    const struct dataset *set;
    struct batches_options o;
    struct slot slot[AHEAD];
    int64_t *order, order_epoch; /* of the samples, of this epoch                                           */
    float *sample, *mixed, *scratch;
    int64_t per_epoch, waited_ns;
    int64_t made, taken; /* batches since the start of the run: those behind are `taken`, those ready up to `made` */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool threaded, stop;
};

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t ranks(const struct batches *b)
{
    return convoy_max(1, b->o.ranks);
}

/* Fisher & Yates, every swap drawn by its place, so that an epoch's order needs no other epoch's. */
static void shuffle(struct batches *b, int64_t epoch)
{
    if (b->order_epoch == epoch)
        return;
    for (int64_t i = 0; i < b->set->count; i++)
        b->order[i] = i;
    for (int64_t i = b->set->count - 1; b->o.shuffle && i > 0; i--) {
        const int64_t other = (int64_t)rng_below(b->o.seed, STREAM_SHUFFLE + (uint64_t)epoch, (uint64_t)i, (uint64_t)i + 1);
        const int64_t kept = b->order[i];
        b->order[i] = b->order[other];
        b->order[other] = kept;
    }
    b->order_epoch = epoch;
}

static convoy_status read_sample(struct batches *b, int64_t epoch, int64_t place, float *to, int32_t *label,
                                 struct convoy_error *err)
{
    const int64_t i = b->order[place];
    const convoy_status status = b->set->read(b->set, i, b->sample, label, err);
    if (!status)
        augment_sample(&b->o, b->set, (struct augment_key){b->o.seed, (uint64_t)epoch, (uint64_t)i}, b->sample, to, b->scratch);
    return status;
}

/* A sample meets the one at the mirrored place of the whole batch, so that every sample is used twice, and ranks agree. */
static convoy_status mix(struct batches *b, int64_t epoch, int64_t first, int64_t count, int64_t place, float lambda,
                         float *pixels, int32_t label, float *target, struct convoy_error *err)
{
    int32_t other;
    const int64_t size = (int64_t)b->o.c * b->o.h * b->o.w;
    const convoy_status status = read_sample(b, epoch, first + count - 1 - (place - first), b->mixed, &other, err);
    if (status)
        return status;
    for (int64_t p = 0; p < size; p++)
        pixels[p] = lambda * pixels[p] + (1 - lambda) * b->mixed[p];
    memset(target, 0, (size_t)b->set->classes * sizeof *target);
    target[label] += lambda;
    target[other] += 1 - lambda;
    return CONVOY_OK;
}

static void make(struct batches *b, int64_t number, struct slot *slot)
{
    const int64_t epoch = number / b->per_epoch, whole = b->o.batch * ranks(b), first = number % b->per_epoch * whole;
    const int64_t end = convoy_min(b->set->count, first + whole), size = (int64_t)b->o.c * b->o.h * b->o.w;
    /* A short last batch is shared evenly too. */
    const int64_t share = convoy_ceil_div(end - first, ranks(b));
    const int64_t mine = convoy_min(end, first + b->o.rank * share), mine_end = convoy_min(end, mine + share);
    const float alpha = b->o.augment.mixup_alpha;
    const struct augment_key key = {b->o.seed, (uint64_t)epoch, STREAM_MIXUP + (uint64_t)first};
    const float lambda = alpha > 0 ? augment_beta(key, alpha) : 1;
    shuffle(b, epoch);
    slot->count = (int32_t)(mine_end - mine);
    slot->soft = alpha > 0;
    slot->status = CONVOY_OK;
    slot->err = error_none();
    for (int64_t place = mine; !slot->status && place < mine_end; place++) {
        const int64_t n = place - mine;
        slot->status = read_sample(b, epoch, place, slot->pixels + n * size, &slot->label[n], &slot->err);
        if (!slot->status && slot->soft)
            slot->status = mix(b, epoch, first, end - first, place, lambda, slot->pixels + n * size, slot->label[n],
                               slot->target + n * b->set->classes, &slot->err);
    }
}

/* The slot of the batch that the caller holds is not written: AHEAD - 1 others are. */
static void *produce(void *context)
{
    struct batches *b = context;
    pthread_mutex_lock(&b->lock);
    while (!b->stop) {
        if (b->made - b->taken >= AHEAD - 1) {
            pthread_cond_wait(&b->changed, &b->lock);
            continue;
        }
        const int64_t number = b->made;
        pthread_mutex_unlock(&b->lock);
        make(b, number, &b->slot[number % AHEAD]);
        pthread_mutex_lock(&b->lock);
        b->made = number + 1;
        pthread_cond_broadcast(&b->changed);
    }
    pthread_mutex_unlock(&b->lock);
    return NULL;
}

static void stop(struct batches *b)
{
    if (!b->threaded)
        return;
    pthread_mutex_lock(&b->lock);
    b->stop = true;
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->lock);
    pthread_join(b->thread, NULL);
    b->threaded = false;
}

static convoy_status start(struct batches *b, struct convoy_error *err)
{
    b->stop = false;
    if (b->o.no_thread)
        return CONVOY_OK;
    if (pthread_create(&b->thread, NULL, produce, b))
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: no thread to load it", b->set->name);
    b->threaded = true;
    return CONVOY_OK;
}

static convoy_status allocate(struct batches *b, struct convoy_error *err)
{
    const size_t size = (size_t)b->o.c * (size_t)b->o.h * (size_t)b->o.w, batch = (size_t)b->o.batch;
    bool ok = (b->order = malloc((size_t)b->set->count * sizeof *b->order)) &&
              (b->sample = malloc((size_t)b->set->c * (size_t)b->set->h * (size_t)b->set->w * sizeof(float))) &&
              (b->mixed = malloc(size * sizeof(float))) &&
              (b->scratch = malloc((size_t)augment_scratch(&b->o, b->set) * sizeof(float)));
    for (int s = 0; ok && s < AHEAD; s++)
        ok = (b->slot[s].pixels = malloc(batch * size * sizeof(float))) && (b->slot[s].label = malloc(batch * sizeof(int32_t))) &&
             (b->slot[s].target = malloc(batch * (size_t)b->set->classes * sizeof(float)));
    return ok ? CONVOY_OK
              : convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "%s: no memory for batches of %zu", b->set->name, batch);
}

convoy_status batches_open(const struct dataset *set, const struct batches_options *options, struct batches **batches,
                           struct convoy_error *err)
{
    const int64_t whole = options->batch * convoy_max(1, options->ranks);
    if (set->c != options->c && set->c != 1 && options->c != 1)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_SIZE, "%s has %d channels, the network reads %d", set->name, set->c,
                           options->c);
    struct batches *b = calloc(1, sizeof *b);
    if (!b)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "%s: no memory for batches", set->name);
    b->set = set;
    b->o = *options;
    b->order_epoch = -1;
    b->per_epoch = options->keep_last || set->count < whole ? convoy_ceil_div(set->count, whole) : set->count / whole;
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->changed, NULL);
    convoy_status status = allocate(b, err);
    if (!status)
        status = start(b, err);
    if (status) {
        batches_close(b);
        return status;
    }
    *batches = b;
    return CONVOY_OK;
}

void batches_close(struct batches *b)
{
    if (!b)
        return;
    stop(b);
    for (int s = 0; s < AHEAD; s++) {
        free(b->slot[s].pixels);
        free(b->slot[s].label);
        free(b->slot[s].target);
    }
    free(b->order);
    free(b->sample);
    free(b->mixed);
    free(b->scratch);
    pthread_cond_destroy(&b->changed);
    pthread_mutex_destroy(&b->lock);
    free(b);
}

int64_t batches_per_epoch(const struct batches *b)
{
    return b->per_epoch;
}

convoy_status batches_seek(struct batches *b, int64_t epoch, int64_t batch, struct convoy_error *err)
{
    const int64_t number = epoch * b->per_epoch + batch;
    if (number == b->taken)
        return CONVOY_OK;
    stop(b);
    b->made = b->taken = number;
    return start(b, err);
}

/* `taken` counts the batch that the caller holds only when the next one is asked for. */
convoy_status batches_next(struct batches *b, struct batch *batch, struct convoy_error *err)
{
    const int64_t start_ns = now_ns();
    pthread_mutex_lock(&b->lock);
    const int64_t number = b->taken;
    if (b->o.no_thread && b->made <= number) {
        make(b, number, &b->slot[number % AHEAD]);
        b->made = number + 1;
    }
    while (b->made <= number)
        pthread_cond_wait(&b->changed, &b->lock);
    b->taken = number + 1;
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->lock);
    b->waited_ns += now_ns() - start_ns;
    const struct slot *slot = &b->slot[number % AHEAD];
    if (slot->status) {
        if (err)
            *err = slot->err;
        return slot->status;
    }
    *batch = (struct batch){slot->count, slot->pixels, slot->label, slot->soft ? slot->target : NULL};
    return CONVOY_OK;
}

int64_t batches_waited_ns(const struct batches *b)
{
    return b->waited_ns;
}
