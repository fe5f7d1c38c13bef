/* assign: which backend computes what: one by name, or the winners of a select.csv, which is made when it is not there. Knows
 * select files; must not know layers. */
#ifndef CONVOY_TRAIN_ASSIGN_H
#define CONVOY_TRAIN_ASSIGN_H

#include "nets/net.h"
#include "runtime/backends.h"
#include "select/select.h"

struct assign {
    char name[BACKEND_NAME_BYTES]; /* "" : by selection                                                     */
    struct selection selection;
    uint32_t threads;
    struct chooser chooser; /* over this struct, which must stay where it is                          */
};

/* backend: a name, the path of a select.csv, or "auto": the stored selection for (network, extents, batch, threads, machine), or
 * where that is missing or stale one that `convoy select` measures now within budget_s and that is stored. Where nothing can be
 * measured, auto falls back on im2col and says so. folders: as in registry_scan; an unknown name is CONVOY_INVALID. */
convoy_status assign_open(const char *backend, const char *const *folders, const struct net *net, int32_t batch, uint32_t threads,
                          double budget_s, bool training, struct assign *assign, struct convoy_error *err);
void assign_close(struct assign *assign);

#endif
