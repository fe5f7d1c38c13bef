/* npy: NumPy's array files, versions 1.0 and 2.0, C order, little endian: float32 ("<f4"), uint8 ("|u1") and int32 ("<i4"). */
#ifndef CONVOY_REPORT_NPY_H
#define CONVOY_REPORT_NPY_H

#include "core/slots.h"

/* Reads a file that must hold exactly the slot's type and shape into `data` (info->bytes). Errors name the file, and say what it
 * holds and what was wanted. */
convoy_status npy_read(const char *path, const struct slot_info *info, void *data, struct convoy_error *err);

/* Writes to a temporary name beside `path` and renames, so that a failure leaves an old file whole. */
convoy_status npy_write(const char *path, const struct slot_info *info, const void *data, struct convoy_error *err);

#endif
