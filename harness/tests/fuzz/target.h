/* target: one fuzz target per parser. Each includes only the parser's public header, takes any bytes and must neither crash,
 * leak, hang nor break an identity that it states. Linked with libFuzzer by `make fuzz`, and with replay.c over the committed
 * corpus by `make check`. */
#ifndef CONVOY_TESTS_FUZZ_TARGET_H
#define CONVOY_TESTS_FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The bytes as a file for parsers that read paths; the path lives until the next call. NULL: no memory. */
const char *target_file(const uint8_t *data, size_t size);

/* abort() with a sentence: the identity is broken. */
void target_broken(const char *what);

#endif
