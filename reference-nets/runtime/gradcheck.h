/* gradcheck: the gradients of a model beside central differences. The loss is a random weighting of the heads' outputs, summed in
 * double. Knows execs and models. */
#ifndef CONVOY_NETS_GRADCHECK_H
#define CONVOY_NETS_GRADCHECK_H

#include "runtime/exec.h"

struct gradcheck {
    double worst;                      /* largest error of a tensor, as a share of its gradient's size        */
    char worst_name[PARAM_NAME_BYTES]; /* that tensor; "image" for the input                                 */
    int32_t checked, hidden;           /* tensors, and those whose gradient is less than rounding can make   */
};

enum { GRADCHECK_DIRECTIONS = 3 };

enum gradcheck_extent {
    GRADCHECK_EACH, /* the image and every learned tensor by itself                                         */
    GRADCHECK_WHOLE /* all of them moving together, each by the same share of its size: cheap, and blind to a tensor that weighs
                       little */
};

/* Compares derivatives along GRADCHECK_DIRECTIONS random directions, of which the median counts; what rounding of the loss can
 * make is no error. exec is of EXEC_CHECK over the model; its input is filled here and values are put back; the model's gradients
 * are left as backward made them. */
convoy_status gradcheck_run(struct exec *exec, struct model *model, enum gradcheck_extent extent, uint64_t seed,
                            struct gradcheck *result, struct convoy_error *err);

#endif
