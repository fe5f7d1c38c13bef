/* gradcheck: the gradients of a model beside central differences. The loss is a random weighting of the heads' outputs, summed in
 * double. Knows execs and models. */
#ifndef CONVOY_NETS_GRADCHECK_H
#define CONVOY_NETS_GRADCHECK_H

#include "runtime/exec.h"

struct gradcheck {
    double worst;                      /* largest error of a tensor, as a share of its gradient's size        */
    char worst_name[PARAM_NAME_BYTES]; /* that tensor; "image" for the input                                 */
};

enum { GRADCHECK_DIRECTIONS = 3 };

/* Compares, for the image and for every learned tensor, derivatives along GRADCHECK_DIRECTIONS random directions, of which the median
 * counts; what rounding of the loss can make is no error. exec is of EXEC_CHECK over the model; its input is filled here and values are put back. */
convoy_status gradcheck_run(struct exec *exec, struct model *model, uint64_t seed, struct gradcheck *result, struct convoy_error *err);

#endif
