/* devices: what an execution on a device is made of, as text for a terminal or Markdown: its kernels by the device's own clock,
 * the whole, the copies there and back, and two rows of nothing: what a launch costs by itself. Prints what the records say. */
#ifndef CONVOY_REPORT_DEVICES_H
#define CONVOY_REPORT_DEVICES_H

#include "core/record.h"
#include <stdbool.h>
#include <stdio.h>

/* Whether a record is a time in a device's memory. */
bool devices_has(const struct record *record);

/* `heading` comes first, and nothing at all where no record is of a device. False: no memory. */
bool devices_print(FILE *out, const char *heading, const struct record *records, size_t count);

#endif
