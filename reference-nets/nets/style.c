/* Batch norm before the activation is its paper's place (Ioffe & Szegedy, arXiv 1502.03167, section 3.2), after it the one that
 * comparisons on AlexNet favour. A batch norm that a builder has moves; where a convolution has none before its activation, one
 * is added on either side. What ends a branch before a sum stays. */
#include "nets/style.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    struct net_spec spec;
} activations[] = {
    {"relu", {.kind = NET_ACT, .act = CONVOY_ELT_RELU}},
    {"leaky", {.kind = NET_ACT, .act = CONVOY_ELT_LEAKY, .alpha = 0.01f}},
    {"prelu", {.kind = NET_PRELU}},
    {"rrelu", {.kind = NET_RRELU, .alpha = 1.0f / 8, .beta = 1.0f / 3}},
    {"elu", {.kind = NET_ACT, .act = CONVOY_ELT_ELU}},
    {"selu", {.kind = NET_ACT, .act = CONVOY_ELT_ELU, .alpha = 1.6732632423543772f, .beta = 1.0507009873554805f}},
    {"softplus", {.kind = NET_ACT, .act = CONVOY_ELT_SOFTPLUS}},
    {"sigmoid", {.kind = NET_ACT, .act = CONVOY_ELT_SIGMOID}},
    {"tanh", {.kind = NET_ACT, .act = CONVOY_ELT_TANH}},
    {"hardtanh", {.kind = NET_ACT, .act = CONVOY_ELT_HARDTANH}},
    {"softsign", {.kind = NET_ACT, .act = CONVOY_ELT_SOFTSIGN}},
};

const struct net_spec *style_activation(const char *name)
{
    for (size_t index = 0; index < sizeof activations / sizeof *activations; index++)
        if (!strcmp(activations[index].name, name))
            return &activations[index].spec;
    return NULL;
}

bool style_bn_place(const char *name, enum net_bn_place *place)
{
    static const char *const names[] = {[NET_BN_BEFORE] = "before", [NET_BN_AFTER] = "after"};
    for (size_t index = NET_BN_BEFORE; index < sizeof names / sizeof *names; index++) {
        if (!strcmp(names[index], name)) {
            *place = (enum net_bn_place)index;
            return true;
        }
    }
    return false;
}

static struct net_spec restyled(const struct net *net, const struct net_spec *spec)
{
    if (!net->activation || spec->kind != NET_ACT || spec->act != CONVOY_ELT_RELU)
        return *spec;
    struct net_spec other = *net->activation;
    other.name = spec->name;
    return other;
}

/* After a sigmoid, where sparsity is asked for. */
static size_t append_sparsity(const struct net *net, struct net_spec *made, size_t count, char name[NET_NAME_BYTES])
{
    const struct net_spec *last = &made[count - 1];
    if (!(net->sparsity_weight > 0) || last->kind != NET_ACT || last->act != CONVOY_ELT_SIGMOID)
        return count;
    snprintf(name, NET_NAME_BYTES, "%s.sparsity", last->name);
    made[count] = (struct net_spec){name, .kind = NET_SPARSITY, .p = net->sparsity, .alpha = net->sparsity_weight};
    return count + 1;
}

size_t style_apply(const struct net *net, const struct net_spec *spec, size_t left, size_t *taken,
                   struct net_spec made[STYLE_MOST], struct style_names *names)
{
    const bool acts_next = left > 1 && spec[1].kind == NET_ACT;
    made[0] = restyled(net, &spec[0]);
    *taken = 1;
    if (!acts_next || net->bn_place == NET_BN_AS_BUILT || (spec[0].kind != NET_CONV && spec[0].kind != NET_BN))
        return append_sparsity(net, made, 1, names->sparsity);
    *taken = 2;
    struct net_spec bn = spec[0];
    size_t count = 0;
    if (spec[0].kind == NET_CONV) {
        snprintf(names->bn, sizeof names->bn, "%s.bn", spec[0].name);
        bn = (struct net_spec){names->bn, .kind = NET_BN};
        count = 1;
    }
    if (net->bn_place == NET_BN_BEFORE)
        made[count++] = bn;
    made[count] = restyled(net, &spec[1]);
    count = append_sparsity(net, made, count + 1, names->sparsity);
    if (net->bn_place == NET_BN_AFTER)
        made[count++] = bn;
    return count;
}
