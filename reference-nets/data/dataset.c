#include "data/dataset.h"

#include "core/error.h"
#include "data/readers.h"

#include <convoy/plugin.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Of the made set where nothing else is asked for. */
enum { MADE_TRAIN = 4000, MADE_TEST = 1000, MADE_SIDE = 32, MADE_CLASSES = 10, MADE_SEED = 1 };

static reader *const readers[] = {idx_open, cifar_open, rows_open, folder_open};

static int32_t or_else(int32_t value, int32_t otherwise)
{
    return value ? value : otherwise;
}

convoy_status dataset_open(const char *folder, enum dataset_part part, int32_t c, int32_t h, int32_t w, struct dataset *set,
                           struct convoy_error *err)
{
    if (!folder || !strcmp(folder, "made"))
        return dataset_made(part, part == DATASET_TRAIN ? MADE_TRAIN : MADE_TEST, or_else(c, 1), or_else(h, MADE_SIDE),
                            or_else(w, MADE_SIDE), MADE_CLASSES, MADE_SEED, set, err);
    struct stat info;
    if (stat(folder, &info) || !S_ISDIR(info.st_mode))
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: no such folder of data", folder);
    for (size_t r = 0; r < sizeof readers / sizeof *readers; r++) {
        const convoy_status status = readers[r](folder, part, c, h, w, set, err);
        if (status != CONVOY_UNSUPPORTED)
            return status;
    }
    return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER,
                       "%.120s: holds no %s data: no IDX files, CIFAR binaries, CSV, or folders of pictures", folder,
                       part == DATASET_TRAIN ? "training" : "test");
}

void dataset_close(struct dataset *set)
{
    if (set->close)
        set->close(set);
    memset(set, 0, sizeof *set);
}

/* every 0: a head. */
struct view {
    const struct dataset *whole;
    int64_t every;
    bool held;
};

static int64_t place(const struct view *view, int64_t i)
{
    if (!view->every)
        return i;
    return view->held ? (i + 1) * view->every - 1 : i + i / (view->every - 1);
}

static convoy_status read_view(const struct dataset *set, int64_t i, float *pixels, int32_t *label, struct convoy_error *err)
{
    const struct view *view = set->own;
    return view->whole->read(view->whole, place(view, i), pixels, label, err);
}

static const char *name_in_view(const struct dataset *set, int32_t label)
{
    const struct view *view = set->own;
    return view->whole->class_name(view->whole, label);
}

static void close_view(struct dataset *set)
{
    free(set->own);
}

static convoy_status make_view(struct view as, int64_t count, struct dataset *set, struct convoy_error *err)
{
    struct view *view = malloc(sizeof *view);
    if (!view)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a part of %s", as.whole->name);
    *view = as;
    *set = *as.whole;
    set->count = count;
    set->read = read_view;
    set->class_name = as.whole->class_name ? name_in_view : NULL;
    set->close = close_view;
    set->own = view;
    return CONVOY_OK;
}

convoy_status dataset_head(const struct dataset *whole, int64_t count, struct dataset *set, struct convoy_error *err)
{
    if (count < 1 || count > whole->count)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_SIZE, "%s has %lld samples, not %lld", whole->name,
                           (long long)whole->count, (long long)count);
    return make_view((struct view){.whole = whole}, count, set, err);
}

convoy_status dataset_split(const struct dataset *whole, int64_t every, bool held, struct dataset *set, struct convoy_error *err)
{
    const int64_t count = every > 1 ? whole->count / every : 0;
    if (count < 1)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_SIZE, "%s has %lld samples: none is left of every %lld-th",
                           whole->name, (long long)whole->count, (long long)every);
    return make_view((struct view){.whole = whole, .every = every, .held = held}, held ? count : whole->count - count, set, err);
}

struct cache {
    float *pixels;
    int32_t *label;
};

static convoy_status read_cache(const struct dataset *set, int64_t i, float *pixels, int32_t *label, struct convoy_error *err)
{
    (void)err;
    const struct cache *cache = set->own;
    const int64_t size = (int64_t)set->c * set->h * set->w;
    memcpy(pixels, cache->pixels + i * size, (size_t)size * sizeof *pixels);
    *label = cache->label[i];
    return CONVOY_OK;
}

static void close_cache(struct dataset *set)
{
    struct cache *cache = set->own;
    free(cache->pixels);
    free(cache->label);
    free(cache);
}

convoy_status dataset_cached(const struct dataset *whole, int64_t count, struct dataset *set, struct convoy_error *err)
{
    const int64_t size = (int64_t)whole->c * whole->h * whole->w;
    struct cache *cache = calloc(1, sizeof *cache);
    convoy_status status = CONVOY_OK;
    if (cache) {
        cache->pixels = malloc((size_t)(count * size) * sizeof *cache->pixels);
        cache->label = malloc((size_t)count * sizeof *cache->label);
    }
    if (!cache || !cache->pixels || !cache->label)
        status = convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for %lld samples of %s", (long long)count,
                             whole->name);
    for (int64_t i = 0; !status && i < count; i++)
        status = whole->read(whole, i, cache->pixels + i * size, &cache->label[i], err);
    if (status) {
        if (cache)
            close_cache(&(struct dataset){.own = cache});
        return status;
    }
    *set = *whole;
    set->count = count;
    set->read = read_cache;
    set->close = close_cache;
    set->class_name = NULL;
    set->own = cache;
    return CONVOY_OK;
}

convoy_status dataset_moments(const struct dataset *set, int64_t limit, float *mean, float *deviation, struct convoy_error *err)
{
    const int64_t plane = (int64_t)set->h * set->w, taken = convoy_min(limit, set->count), step = set->count / taken;
    float *pixels = malloc((size_t)(set->c * plane) * sizeof *pixels);
    double *sum = calloc(2 * (size_t)set->c, sizeof *sum);
    convoy_status status = CONVOY_OK;
    if (!pixels || !sum)
        status = convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a sample of %s", set->name);
    for (int64_t i = 0; !status && i < taken; i++) {
        int32_t label;
        status = set->read(set, i * step, pixels, &label, err);
        for (int64_t p = 0; !status && p < set->c * plane; p++) {
            sum[2 * (p / plane)] += pixels[p];
            sum[2 * (p / plane) + 1] += (double)pixels[p] * pixels[p];
        }
    }
    for (int32_t c = 0; !status && c < set->c; c++) {
        const double count = (double)(taken * plane), middle = sum[2 * c] / count,
                     square = sum[2 * c + 1] / count - middle * middle;
        mean[c] = (float)middle;
        deviation[c] = square > 1e-12 ? (float)sqrt(square) : 1;
    }
    free(pixels);
    free(sum);
    return status;
}
