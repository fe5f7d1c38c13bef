#define _POSIX_C_SOURCE 200809L
#include "blas.h"
#include <assert.h>
#include <cblas.h>
#include <convoy/plugin.h>
#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static struct {
    pthread_once_t once;
    __typeof__(cblas_sgemm) *sgemm; /* NULL: not opened, and failure says why */
    __typeof__(cblas_sgemv) *sgemv;
    char core[24];
    int64_t unpacked_limit;
    char failure[200];
} library = {.once = PTHREAD_ONCE_INIT};

/* Sets a variable for the time of the load only; the constructor of the library reads it. */
struct setting {
    const char *name;
    char *before; /* NULL: was unset */
    int changed;
};

static void setting_apply(struct setting *setting, const char *name, const char *value)
{
    const char *now = getenv(name);
    *setting = (struct setting){.name = name, .before = now ? strdup(now) : NULL};
    if (!now || setting->before)
        setting->changed = setenv(name, value, 1) == 0;
}

static void setting_restore(struct setting *setting)
{
    if (setting->changed && setting->before)
        setenv(setting->name, setting->before, 1);
    else if (setting->changed)
        unsetenv(setting->name);
    free(setting->before);
}

/* Left to itself, OpenBLAS chooses between several AVX-512 kernel sets by the processor's model; one name for all of them
 * gives the same sums on every such machine. A choice that the user has made stays. */
static int has_skylakex_instructions(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
#else
    return 0;
#endif
}

/* ISO C has no conversion from an object pointer to a function pointer; POSIX promises that they have the same form. */
static int find(void *handle, const char *name, void *function)
{
    void *const symbol = dlsym(handle, name);
    memcpy(function, &symbol, sizeof symbol);
    return symbol != NULL;
}

static void open_library(void)
{
    static const char file[] = "libopenblas.so.0";
    struct setting core = {0}, threads = {0};
    if (!getenv("OPENBLAS_CORETYPE") && has_skylakex_instructions())
        setting_apply(&core, "OPENBLAS_CORETYPE", "SKYLAKEX");
    setting_apply(&threads, "OPENBLAS_NUM_THREADS", "1"); /* or it starts threads that nobody uses */
    void *handle = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    const char *reason = handle ? NULL : dlerror();
    setting_restore(&threads);
    setting_restore(&core);
    if (!handle) {
        snprintf(library.failure, sizeof library.failure, "OpenBLAS cannot be loaded: %s", reason ? reason : file);
        return;
    }

    __typeof__(cblas_sgemm) *sgemm;
    __typeof__(cblas_sgemv) *sgemv;
    __typeof__(openblas_set_num_threads) *set_num_threads;
    __typeof__(openblas_get_corename) *get_corename;
    if (!find(handle, "cblas_sgemm", &sgemm) || !find(handle, "cblas_sgemv", &sgemv) ||
        !find(handle, "openblas_set_num_threads", &set_num_threads) || !find(handle, "openblas_get_corename", &get_corename)) {
        snprintf(library.failure, sizeof library.failure, "%s lacks a function of the C BLAS or of OpenBLAS", file);
        dlclose(handle);
        return;
    }
    set_num_threads(1); /* for a library that somebody else had loaded before */
    snprintf(library.core, sizeof library.core, "%s", get_corename());
    /* kernel/x86_64/sgemm_small_kernel_permit_skylakex.c of OpenBLAS: M*N*K <= 100^3, where both operands are row-major. */
    static const char *const unpacked[] = {"SkylakeX", "Cooperlake", "SapphireRapids"};
    for (size_t name = 0; name < sizeof unpacked / sizeof *unpacked; name++) {
        if (!strcmp(library.core, unpacked[name]))
            library.unpacked_limit = 1000000;
    }
    library.sgemv = sgemv;
    library.sgemm = sgemm;
}

convoy_status blas_open(struct convoy_error *err)
{
    const int status = pthread_once(&library.once, open_library);
    if (status)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "pthread_once failed: %s", strerror(status));
    return library.sgemm ? CONVOY_OK : convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s", library.failure);
}

const char *blas_core(void)
{
    return library.core;
}

int64_t blas_unpacked_limit(void)
{
    return library.unpacked_limit;
}

void blas_multiply(enum blas_shape shape_a, enum blas_shape shape_b, int64_t m, int64_t n, int64_t k, const float *a, int64_t lda,
                   const float *b, int64_t ldb, float beta, float *c, int64_t ldc)
{
    static const CBLAS_TRANSPOSE shape[] = {[BLAS_PLAIN] = CblasNoTrans, [BLAS_TRANSPOSED] = CblasTrans};
    assert(m <= INT_MAX && n <= INT_MAX && k <= INT_MAX && lda <= INT_MAX && ldb <= INT_MAX && ldc <= INT_MAX);
    if (m == 1) { /* c^T = op(b)^T * a^T reads b as it lies; sgemm would pack a copy of it first */
        const CBLAS_TRANSPOSE across = shape_b == BLAS_PLAIN ? CblasTrans : CblasNoTrans;
        const int64_t rows = shape_b == BLAS_PLAIN ? k : n, columns = shape_b == BLAS_PLAIN ? n : k;
        library.sgemv(CblasRowMajor, across, (int)rows, (int)columns, 1.0f, b, (int)ldb, a, shape_a == BLAS_PLAIN ? 1 : (int)lda,
                      beta, c, 1);
        return;
    }
    library.sgemm(CblasRowMajor, shape[shape_a], shape[shape_b], (int)m, (int)n, (int)k, 1.0f, a, (int)lda, b, (int)ldb, beta, c,
                  (int)ldc);
}
