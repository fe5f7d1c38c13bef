/* table: layer tables, CSV files with the columns network,layer,count,problem (and an optional note). */
#ifndef CONVOY_REPORT_TABLE_H
#define CONVOY_REPORT_TABLE_H

#include "core/problem.h"

struct table_row { char network[48]; char layer[64]; int64_t count; union problem problem; };
struct table { struct table_row *row; size_t count; };

/* name: a file if it holds a '/' or ends in ".csv", else NAME.csv in CONVOY_TABLE_PATH, beside the executable's tree
 * (harness/tables), or the installed folder; unknown names list what there is. Rows are appended to `table`. Errors: "FILE:LINE: column problem: …". */
convoy_status table_load(const char *name, struct table *table, struct convoy_error *err);
/* The file that table_load would read; a NAME must exist, a path need not. */
convoy_status table_path(const char *name, char *path, size_t size, struct convoy_error *err);

convoy_status table_add(struct table *table, const char *network, const char *layer, int64_t count, const union problem *problem, struct convoy_error *err);
void table_free(struct table *table);

/* Names of the tables found, NULL-ended, sorted; free with table_names_free. */
char **table_names(void);
void table_names_free(char **names);

#endif
