/* readers: one function per kind of files. Each returns CONVOY_UNSUPPORTED where its files are not in the folder, so that
 * dataset_open can ask the next. */
#ifndef CONVOY_DATA_READERS_H
#define CONVOY_DATA_READERS_H

#include "data/dataset.h"

typedef convoy_status reader(const char *folder, enum dataset_part part, int32_t c, int32_t h, int32_t w, struct dataset *set,
                             struct convoy_error *err);

reader idx_open;    /* idx.c: MNIST and what looks like it                                                  */
reader cifar_open;  /* cifar.c                                                                              */
reader folder_open; /* folder.c: one folder of pictures per class                                           */
reader rows_open;   /* rows.c: CSV                                                                          */

#endif
