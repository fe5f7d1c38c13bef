#include "library.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* From the OpenMP API, version 4.5, section 3.2. Declared here because <omp.h> belongs to a compiler, and clang's names
 * another runtime than libgomp, which libdnnl has loaded: a second one would be a second set of threads. */
void omp_set_num_threads(int threads);
int omp_get_max_threads(void);

static pthread_once_t isa_once = PTHREAD_ONCE_INIT;

static void limit_isa(void)
{
    static const struct {
        const char *name;
        dnnl_cpu_isa_t isa;
    } levels[] = {{"portable", dnnl_cpu_isa_sse41}, {"avx2", dnnl_cpu_isa_avx2}};
    const char *const wanted = getenv("CONVOY_ISA");
    for (size_t level = 0; wanted && level < sizeof levels / sizeof levels[0]; level++) {
        /* It fails only where something else in this process has used oneDNN before; then its choice stands. */
        if (!strcmp(wanted, levels[level].name))
            (void)dnnl_set_max_cpu_isa(levels[level].isa);
    }
}

void library_limit_isa(void)
{
    pthread_once(&isa_once, limit_isa);
}

int library_block(void)
{
    return dnnl_get_effective_cpu_isa() >= dnnl_cpu_isa_avx512_core ? 16 : 8;
}

const char *library_status_name(dnnl_status_t status)
{
    static const char *const names[] = {
        [dnnl_success] = "success",
        [dnnl_out_of_memory] = "out of memory",
        [dnnl_invalid_arguments] = "invalid arguments",
        [dnnl_unimplemented] = "unimplemented",
        [dnnl_iterator_ends] = "iterator ends",
        [dnnl_runtime_error] = "runtime error",
        [dnnl_not_required] = "not required",
    };
    return (size_t)status < sizeof names / sizeof names[0] && names[status] ? names[status] : "an unknown status";
}

convoy_status library_fail(dnnl_status_t status, convoy_why why, const char *what, struct convoy_error *err)
{
    if (status == dnnl_out_of_memory)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "oneDNN says out of memory: %s", what);
    /* It answers "invalid arguments" also where the arguments are merely more general than it is. */
    const int declined = status == dnnl_unimplemented || status == dnnl_invalid_arguments || status == dnnl_iterator_ends;
    return convoy_fail(err, declined ? CONVOY_UNSUPPORTED : CONVOY_FAILED, why, "oneDNN says %s: %s", library_status_name(status),
                       what);
}

int library_enter_team(uint32_t threads)
{
    const int before = omp_get_max_threads();
    if (before != (int)threads)
        omp_set_num_threads((int)threads);
    return before;
}

void library_leave_team(int before)
{
    if (before != omp_get_max_threads())
        omp_set_num_threads(before);
}
