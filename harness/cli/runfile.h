/* runfile: one problem on tensors from NPY files, for `convoy run`. */
#ifndef CONVOY_CLI_RUNFILE_H
#define CONVOY_CLI_RUNFILE_H

#include "core/problem.h"

/* files: "slot=PATH" words. Input slots are read, output slots that are named are written, in-place slots are read and then
 * written back to the same file. An input that the problem needs and nobody named is an error that names the slot.
 * text gets one line of what was done. */
convoy_status runfile_execute(struct convoy_instance *instance, const union problem *problem, uint64_t mem_limit_bytes,
                              size_t count, char *const *files, char *text, size_t text_size, struct convoy_error *err);

#endif
