#include "train/commands.h"

#include <stdio.h>

int train_failed(convoy_status status, const struct convoy_error *err)
{
    (void)status;
    fprintf(stderr, "convoy-train: %s\n", err->text);
    return TRAIN_USAGE;
}
