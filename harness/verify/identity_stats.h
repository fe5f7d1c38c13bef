/* identity_stats: the identities of pooling and batch norm; called by identity.c only. */
#ifndef CONVOY_VERIFY_IDENTITY_STATS_H
#define CONVOY_VERIFY_IDENTITY_STATS_H

#include "verify/identity.h"

bool identity_pool(struct rig *rig, const struct oracle *oracle, uint64_t seed, struct finding *finding);
bool identity_bn(struct rig *rig, const struct oracle *oracle, uint64_t seed, struct finding *finding);

#endif
