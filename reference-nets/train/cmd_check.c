/* Gradients beside central differences, for a network as a user builds it. */
#include "train/commands.h"

#include "core/error.h"
#include "runtime/gradcheck.h"

#include <stdio.h>

static const double tolerance = 0.02;

int command_check(const struct settings *settings)
{
    struct session session = {0};
    struct convoy_error err = error_none();
    struct gradcheck result = {0};
    convoy_status status = session_open(settings, true, &session, &err);
    if (!status)
        status = exec_create(&session.model, session.backends, session.batch, EXEC_CHECK, &session.train, &err);
    if (!status)
        status = gradcheck_run(session.train, &session.model, GRADCHECK_EACH, (uint64_t)settings->seed, &result, &err);
    if (!status)
        printf("%s: the gradient differs most in %s, by %.3g of its size; of %d tensors %d have gradients that rounding hides\n",
               session.net.name, result.worst_name[0] ? result.worst_name : "none", result.worst, result.checked, result.hidden);
    session_close(&session);
    return status ? train_failed(status, &err) : result.worst < tolerance ? TRAIN_OK : TRAIN_MISSED;
}
