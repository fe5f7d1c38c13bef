/* ranks: the processes of a data-parallel run (mpirun -n N convoy-train ...). Without MPI, or without mpirun, there is one. */
#ifndef CONVOY_TRAIN_RANKS_H
#define CONVOY_TRAIN_RANKS_H

#include <convoy/convoy.h>
#include <signal.h>

convoy_status ranks_open(int *argc, char ***argv, struct convoy_error *err);
void ranks_close(void);
int32_t ranks_count(void);
int32_t ranks_me(void); /* 0 .. count-1 */

/* Sums over all processes, in place, in an order that depends on their number only. Gives up with CONVOY_FAILED when a process is
 * lost or *stop becomes non-zero while waiting: mpirun signals the others when one dies. */
convoy_status ranks_sum_f32(float *values, int64_t count, const volatile sig_atomic_t *stop, struct convoy_error *err);
convoy_status ranks_sum_f64(double *values, int64_t count, const volatile sig_atomic_t *stop, struct convoy_error *err);

#endif
