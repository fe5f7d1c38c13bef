/* The one file that knows MPI. A reduction of OpenMPI may associate differently from run to run on large messages, so each
 * process sums the parts of all others by itself in the order of their ranks: a reduce-scatter by hand (every rank gets
 * everyone's share of its piece), then an allgather. */
#include "train/ranks.h"

#include <convoy/plugin.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifdef HAVE_MPI
#include <mpi.h>

static int count = 1, me, opened;

/* MPI wants to be started by mpirun; a plain start stays plain, so that no daemon is needed. */
convoy_status ranks_open(int *argc, char ***argv, struct convoy_error *err)
{
    if (!getenv("OMPI_COMM_WORLD_SIZE") && !getenv("PMI_SIZE") && !getenv("PMIX_RANK"))
        return CONVOY_OK;
    if (MPI_Init(argc, argv) != MPI_SUCCESS)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "MPI cannot be started");
    opened = 1;
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_size(MPI_COMM_WORLD, &count);
    MPI_Comm_rank(MPI_COMM_WORLD, &me);
    return CONVOY_OK;
}

void ranks_close(void)
{
    if (opened)
        MPI_Finalize();
    opened = 0;
}

static convoy_status wait_for(MPI_Request *request, const volatile sig_atomic_t *stop, struct convoy_error *err)
{
    int done = 0;
    while (!done) {
        if (MPI_Test(request, &done, MPI_STATUS_IGNORE) != MPI_SUCCESS)
            return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "rank %d of %d: another process is lost", me, count);
        if (!done && stop && *stop)
            return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "rank %d of %d: stopped while waiting for the others", me,
                               count);
        if (!done)
            nanosleep(&(struct timespec){.tv_nsec = 20000}, NULL);
    }
    return CONVOY_OK;
}

/* Elements of a piece; the last may reach past the end and is padded. */
static int64_t piece(int64_t values)
{
    return (values + count - 1) / count;
}

static void add_f32(void *to, const void *from, int64_t values)
{
    float *sum = to;
    const float *part = from;
    for (int64_t i = 0; i < values; i++)
        sum[i] += part[i];
}

static void add_f64(void *to, const void *from, int64_t values)
{
    double *sum = to;
    const double *part = from;
    for (int64_t i = 0; i < values; i++)
        sum[i] += part[i];
}

static convoy_status sum(void *values, int64_t number, size_t size, MPI_Datatype type, void (*add)(void *, const void *, int64_t),
                         const volatile sig_atomic_t *stop, struct convoy_error *err)
{
    if (count == 1)
        return CONVOY_OK;
    const int64_t part = piece(number), whole = part * count;
    char *mine = calloc((size_t)whole, size), *parts = malloc((size_t)whole * size);
    convoy_status status = CONVOY_OK;
    MPI_Request request;
    if (!mine || !parts)
        status = convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory to sum %lld values", (long long)number);
    if (!status) {
        memcpy(mine, values, (size_t)number * size);
        if (MPI_Ialltoall(mine, (int)part, type, parts, (int)part, type, MPI_COMM_WORLD, &request) != MPI_SUCCESS)
            status = convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "rank %d of %d: another process is lost", me, count);
        else
            status = wait_for(&request, stop, err);
    }
    for (int rank = 1; !status && rank < count; rank++)
        add(parts, parts + (size_t)rank * (size_t)part * size, part);
    if (!status) {
        if (MPI_Iallgather(parts, (int)part, type, mine, (int)part, type, MPI_COMM_WORLD, &request) != MPI_SUCCESS)
            status = convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "rank %d of %d: another process is lost", me, count);
        else
            status = wait_for(&request, stop, err);
    }
    if (!status)
        memcpy(values, mine, (size_t)number * size);
    free(mine);
    free(parts);
    return status;
}

int32_t ranks_count(void)
{
    return count;
}

int32_t ranks_me(void)
{
    return me;
}

convoy_status ranks_sum_f32(float *values, int64_t number, const volatile sig_atomic_t *stop, struct convoy_error *err)
{
    return sum(values, number, sizeof *values, MPI_FLOAT, add_f32, stop, err);
}

convoy_status ranks_sum_f64(double *values, int64_t number, const volatile sig_atomic_t *stop, struct convoy_error *err)
{
    return sum(values, number, sizeof *values, MPI_DOUBLE, add_f64, stop, err);
}

#else

convoy_status ranks_open(int *argc, char ***argv, struct convoy_error *err)
{
    (void)argc, (void)argv;
    if (getenv("OMPI_COMM_WORLD_SIZE"))
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "this convoy-train was built without OpenMPI (libopenmpi-dev)");
    return CONVOY_OK;
}

void ranks_close(void) {}

int32_t ranks_count(void)
{
    return 1;
}

int32_t ranks_me(void)
{
    return 0;
}

convoy_status ranks_sum_f32(float *values, int64_t number, const volatile sig_atomic_t *stop, struct convoy_error *err)
{
    (void)values, (void)number, (void)stop, (void)err;
    return CONVOY_OK;
}

convoy_status ranks_sum_f64(double *values, int64_t number, const volatile sig_atomic_t *stop, struct convoy_error *err)
{
    (void)values, (void)number, (void)stop, (void)err;
    return CONVOY_OK;
}

#endif
