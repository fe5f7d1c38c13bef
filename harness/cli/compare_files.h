/* compare_files: two result files, measured apart in time: weaker evidence than one interleaved run, and called so. */
#ifndef CONVOY_CLI_COMPARE_FILES_H
#define CONVOY_CLI_COMPARE_FILES_H

#include "cli/opt.h"

int compare_files(const struct options *options, const char *old_path, const char *new_path);

#endif
