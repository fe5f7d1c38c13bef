/* layer_table: a network as CSV, the format of harness/tables. */
#ifndef CONVOY_NETS_LAYER_TABLE_H
#define CONVOY_NETS_LAYER_TABLE_H

#include "nets/net.h"
#include <stdio.h>

/* Writes the header network,layer,count,problem and one row per distinct problem, in the order of its first layer, whose name
 * the row has; count is the number of layers that pose it. */
convoy_status layer_table_write(const struct net *net, FILE *out, struct convoy_error *err);

#endif
