/* FFTW's transform of any tile, lanes interleaved, results split into real and imaginary parts. The only file that sees FFTW.
 *
 * FFTW's planner has global state, so all its calls are made under one lock; what it learned is kept in a file, in
 * $CONVOY_CACHE_DIR or $XDG_CACHE_HOME/convoy or $HOME/.cache/convoy. A file that cannot be read or written is no error: the plan
 * is then measured again. Large tiles are planned by FFTW's estimate, for measuring them takes seconds. */
#include "transform.h"
#include <convoy/plugin.h>
#include <fftw3.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MEASURED_TILE = 64 * 64, PATH_BYTES = 4096 };

struct library {
    struct fft_transform base;
    fftwf_plan forward, inverse;
};

static pthread_mutex_t planner = PTHREAD_MUTEX_INITIALIZER;

static bool wisdom_path(char *path, size_t bytes, bool make_folders)
{
    const char *direct = getenv("CONVOY_CACHE_DIR"), *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char parent[PATH_BYTES], folder[PATH_BYTES];
    parent[0] = '\0';
    int length;
    if (direct && *direct) {
        length = snprintf(folder, sizeof folder, "%s", direct);
    } else if (cache && *cache) {
        snprintf(parent, sizeof parent, "%s", cache);
        length = snprintf(folder, sizeof folder, "%s/convoy", cache);
    } else if (home && *home) {
        snprintf(parent, sizeof parent, "%s/.cache", home);
        length = snprintf(folder, sizeof folder, "%s/.cache/convoy", home);
    } else {
        return false;
    }
    if (length < 0 || (size_t)length >= sizeof folder)
        return false;
    if (make_folders) {
        if (parent[0])
            mkdir(parent, 0777);
        mkdir(folder, 0777);
    }
    length = snprintf(path, bytes, "%s/fftw-wisdom", folder);
    return length > 0 && (size_t)length < bytes;
}

static void load_wisdom(void)
{
    char path[PATH_BYTES];
    if (wisdom_path(path, sizeof path, false))
        fftwf_import_wisdom_from_filename(path);
}

/* Together with what other processes have learned since; through a file of its own name, so that no reader sees half of it. */
static void save_wisdom(void)
{
    char path[PATH_BYTES], fresh[PATH_BYTES + 32];
    if (!wisdom_path(path, sizeof path, true))
        return;
    load_wisdom();
    snprintf(fresh, sizeof fresh, "%s.%ld", path, (long)getpid());
    if (!fftwf_export_wisdom_to_filename(fresh) || rename(fresh, path) != 0)
        remove(fresh);
}

struct buffers { /* in a worker's scratch memory */
    float *real, *re, *im;
};

static size_t half_count(const struct fft_transform *transform)
{
    return (size_t)transform->tile_h * (size_t)(transform->tile_w / 2 + 1) * (size_t)transform->lanes;
}

static size_t aligned_floats(size_t floats)
{
    return (floats + 15) / 16 * 16;
}

static struct buffers split_scratch(const struct fft_transform *transform, float *scratch)
{
    const size_t tile = (size_t)transform->tile_h * (size_t)transform->tile_w * (size_t)transform->lanes;
    struct buffers buffers = {.real = scratch};
    buffers.re = buffers.real + aligned_floats(tile);
    buffers.im = buffers.re + aligned_floats(half_count(transform));
    return buffers;
}

static void gather(const struct fft_transform *transform, const struct fft_source *source, float *real)
{
    const int32_t lanes = transform->lanes;
    memset(real, 0, (size_t)transform->tile_h * (size_t)transform->tile_w * (size_t)lanes * sizeof *real);
    for (int32_t r = source->row_first; r < source->row_last; r++)
        for (int32_t c = 0; c < source->lanes; c++) {
            const float *from = source->origin + c * source->lane + r * source->row;
            float *to = real + (ptrdiff_t)r * transform->tile_w * lanes + c;
            for (int32_t s = source->col_first; s < source->col_last; s++)
                to[(ptrdiff_t)s * lanes] = from[s * source->col];
        }
}

static void scatter(const struct fft_transform *transform, const struct fft_sink *sink, const float *real)
{
    const int32_t lanes = transform->lanes;
    for (int32_t r = sink->row_first; r < sink->row_last; r++)
        for (int32_t c = 0; c < sink->lanes; c++) {
            float *to = sink->origin + c * sink->lane + r * sink->row;
            const float *from = real + (ptrdiff_t)r * transform->tile_w * lanes + c;
            const float bias = sink->bias ? sink->bias[c] : 0.0f;
            for (int32_t s = sink->col_first; s < sink->col_last; s++) {
                const float value = from[(ptrdiff_t)s * lanes] * sink->scale + bias;
                to[s * sink->col] = sink->relu && value < 0.0f ? 0.0f : value;
            }
        }
}

static void store_point(float *to, ptrdiff_t plane, enum fft_form form, const float *re, const float *im, int32_t lanes)
{
    for (int32_t c = 0; c < lanes; c++) {
        const float a = re[c], b = im[c];
        const float planes[3] = {form == FFT_LEFT_GAUSS ? a + b : a,
                                 form == FFT_FOUR         ? b
                                 : form == FFT_LEFT_GAUSS ? a
                                                          : -(b + a),
                                 form == FFT_LEFT_GAUSS ? b : a - b};
        for (int32_t p = 0; p < (form == FFT_FOUR ? 2 : 3); p++)
            to[p * plane + c] = planes[p];
    }
}

static void load_point(const float *from, ptrdiff_t plane, bool gauss, float *re, float *im, int32_t lanes)
{
    for (int32_t c = 0; c < lanes; c++) {
        re[c] = gauss ? from[c] - from[2 * plane + c] : from[c];
        im[c] = gauss ? from[c] + from[plane + c] : from[plane + c];
    }
}

/* Column j of the half spectrum is its own mirror image; of such columns the points below the middle are kept. */
static bool self_conjugate(int32_t j, int32_t tile)
{
    return j == 0 || 2 * j == tile;
}

static void forward(const struct fft_transform *transform, const struct fft_source *source, enum fft_form form,
                    const struct fft_spectrum *spectrum, float *scratch)
{
    const struct library *library = (const struct library *)transform;
    const struct buffers buffers = split_scratch(transform, scratch);
    const int32_t lanes = transform->lanes, th = transform->tile_h, tw = transform->tile_w;
    gather(transform, source, buffers.real);
    fftwf_execute_split_dft_r2c(library->forward, buffers.real, buffers.re, buffers.im);
    float *at = spectrum->at, *real_at = spectrum->real_at;
    for (int32_t j = 0; j <= tw / 2; j++)
        for (int32_t i = 0; i < th; i++) {
            const ptrdiff_t from = ((ptrdiff_t)i * (tw / 2 + 1) + j) * lanes;
            if (self_conjugate(j, tw) && self_conjugate(i, th)) {
                memcpy(real_at, buffers.re + from, (size_t)lanes * sizeof *real_at);
                real_at += spectrum->real_point;
            } else if (!self_conjugate(j, tw) || 2 * i < th) {
                store_point(at, spectrum->plane, form, buffers.re + from, buffers.im + from, lanes);
                at += spectrum->point;
            }
        }
}

static void inverse(const struct fft_transform *transform, const struct fft_spectrum *spectrum, bool gauss,
                    const struct fft_sink *sink, float *scratch)
{
    const struct library *library = (const struct library *)transform;
    const struct buffers buffers = split_scratch(transform, scratch);
    const int32_t lanes = transform->lanes, th = transform->tile_h, tw = transform->tile_w;
    const float *at = spectrum->at, *real_at = spectrum->real_at;
    for (int32_t j = 0; j <= tw / 2; j++)
        for (int32_t i = 0; i < th; i++) {
            const ptrdiff_t to = ((ptrdiff_t)i * (tw / 2 + 1) + j) * lanes;
            float *re = buffers.re + to, *im = buffers.im + to;
            if (self_conjugate(j, tw) && self_conjugate(i, th)) {
                memcpy(re, real_at, (size_t)lanes * sizeof *re);
                memset(im, 0, (size_t)lanes * sizeof *im);
                real_at += spectrum->real_point;
            } else if (!self_conjugate(j, tw) || 2 * i < th) {
                load_point(at, spectrum->plane, gauss, re, im, lanes);
                at += spectrum->point;
            } else {
                const ptrdiff_t mirror = ((ptrdiff_t)(th - i) * (tw / 2 + 1) + j) * lanes;
                memcpy(re, buffers.re + mirror, (size_t)lanes * sizeof *re);
                for (int32_t c = 0; c < lanes; c++)
                    im[c] = -buffers.im[mirror + c];
            }
        }
    fftwf_execute_split_dft_c2r(library->inverse, buffers.re, buffers.im, buffers.real);
    scatter(transform, sink, buffers.real);
}

/* Under the lock. A plan that no wisdom covers is measured, and what that taught is kept. */
static bool make_plans(struct library *library, const struct buffers *buffers, bool *learned)
{
    const struct fft_transform *base = &library->base;
    const int half = base->tile_w / 2 + 1, lanes = base->lanes;
    const fftwf_iodim forward_dims[2] = {{base->tile_h, base->tile_w * lanes, half * lanes}, {base->tile_w, lanes, lanes}};
    const fftwf_iodim inverse_dims[2] = {{base->tile_h, half * lanes, base->tile_w * lanes}, {base->tile_w, lanes, lanes}};
    const fftwf_iodim each = {lanes, 1, 1};
    const unsigned effort = base->tile_h * base->tile_w <= MEASURED_TILE ? FFTW_MEASURE : FFTW_ESTIMATE;
    const unsigned attempts[2] = {effort | FFTW_WISDOM_ONLY, effort};
    for (int attempt = 0; attempt < 2; attempt++) {
        const unsigned flags = attempts[attempt] | FFTW_DESTROY_INPUT;
        if (!library->forward)
            library->forward =
                fftwf_plan_guru_split_dft_r2c(2, forward_dims, 1, &each, buffers->real, buffers->re, buffers->im, flags);
        if (!library->inverse)
            library->inverse =
                fftwf_plan_guru_split_dft_c2r(2, inverse_dims, 1, &each, buffers->re, buffers->im, buffers->real, flags);
        if (library->forward && library->inverse)
            break;
        *learned = effort == FFTW_MEASURE;
    }
    return library->forward && library->inverse;
}

convoy_status fft_library_open(int32_t tile_h, int32_t tile_w, int32_t lanes, const struct fft_transform **transform,
                               struct convoy_error *err)
{
    static bool loaded; /* guarded by planner */
    convoy_status status = CONVOY_OK;
    bool learned = false;
    struct library *library = calloc(1, sizeof *library);
    if (!library)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a transform");
    library->base = (struct fft_transform){
        .tile_h = tile_h,
        .tile_w = tile_w,
        .lanes = lanes,
        .complex_points = fft_complex_points(tile_h, tile_w),
        .real_points = fft_real_points(tile_h, tile_w),
        .forward = forward,
        .inverse = inverse,
    };
    const size_t tile_floats = aligned_floats((size_t)tile_h * (size_t)tile_w * (size_t)lanes);
    library->base.scratch_bytes = (tile_floats + 2 * aligned_floats(half_count(&library->base))) * sizeof(float);
    float *scratch = aligned_alloc(64, library->base.scratch_bytes);
    if (!scratch) {
        status = convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory to plan a transform of %dx%d", tile_h, tile_w);
        goto free_library;
    }
    memset(scratch, 0, library->base.scratch_bytes);
    const struct buffers buffers = split_scratch(&library->base, scratch);
    pthread_mutex_lock(&planner);
    if (!loaded)
        load_wisdom();
    loaded = true;
    const bool made = make_plans(library, &buffers, &learned);
    if (made && learned)
        save_wisdom();
    pthread_mutex_unlock(&planner);
    free(scratch);
    if (made) {
        *transform = &library->base;
        return CONVOY_OK;
    }
    status = convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "FFTW makes no plan for %dx%d", tile_h, tile_w);
    fft_library_close(&library->base);
    return status;

free_library:
    free(library);
    return status;
}

void fft_library_close(const struct fft_transform *transform)
{
    struct library *library = (struct library *)(uintptr_t)transform;
    pthread_mutex_lock(&planner);
    if (library->forward)
        fftwf_destroy_plan(library->forward);
    if (library->inverse)
        fftwf_destroy_plan(library->inverse);
    pthread_mutex_unlock(&planner);
    free(library);
}
