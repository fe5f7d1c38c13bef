/* A network on paper: layers, shapes, parameters, multiply-adds, receptive fields, memory, and which backend would compute what.
 */
#include "train/commands.h"

#include "core/error.h"

#include <convoy/plugin.h>
#include <stdio.h>
#include <string.h>

static void print_layer(struct session *s, int32_t l)
{
    const struct net_layer *layer = &s->net.layer[l];
    char shape[40], backends[256] = "";
    snprintf(shape, sizeof shape, "%dx%dx%d", layer->out.c, layer->out.h, layer->out.w);
    char name[PASS_COUNT][80];
    for (int pass = 0; pass < PASS_COUNT; pass++)
        snprintf(name[pass], sizeof name[pass], "%.60s%s", exec_backend(s->train, l, (enum problem_pass)pass),
                 strcmp(exec_class(s->train, l, (enum problem_pass)pass), "fast") ? "" : " (fast)");
    const char *forward = name[PASS_FWD], *data = name[PASS_BWD_DATA], *weights = name[PASS_BWD_WEIGHTS];
    if (forward[0] && (strcmp(forward, data) || (weights[0] && strcmp(forward, weights))) && data[0])
        snprintf(backends, sizeof backends, "%s, %s%s%s", forward, data, weights[0] ? ", " : "", weights);
    else
        snprintf(backends, sizeof backends, "%s", forward);
    printf("%-28s %-15s %-16s %12lld %15lld %7lld  %s\n", layer->name, net_kind_name(layer->kind), shape,
           (long long)net_layer_params(&s->net, layer), (long long)net_layer_macs(layer),
           (long long)net_receptive_field(&s->net, l), backends);
}

static convoy_status summarise(struct session *s, struct convoy_error *err)
{
    convoy_status status = exec_create(&s->model, s->backends, s->batch, EXEC_TRAIN, &s->train, err);
    if (!status)
        status = exec_create(&s->model, s->backends, s->batch, EXEC_EVAL, &s->eval, err);
    if (status)
        return status;
    printf("%s on %dx%dx%d, %d classes\n", s->net.name, s->net.image.c, s->net.image.h, s->net.image.w,
           s->net.layer[s->net.head[0].layer].out.c);
    printf("%-28s %-15s %-16s %12s %15s %7s  %s\n", "layer", "kind", "output", "parameters", "multiply-adds", "field",
           "backend (forward, backward data, backward weights where they differ); (fast): accuracy class fast, else strict or exact");
    for (size_t l = 0; l < s->net.count; l++)
        print_layer(s, (int32_t)l);
    const int64_t macs = net_macs(&s->net);
    printf("parameters      %lld (%.1f MB)\n", (long long)net_params(&s->net), (double)net_params(&s->net) * 4 / 1e6);
    printf("multiply-adds   %lld an image (%lld operations)\n", (long long)macs, (long long)(2 * macs));
    int64_t main_macs, main_params;
    if (s->net.heads > 1 && net_main_totals(&s->net, &main_macs, &main_params))
        printf("without auxiliary heads: %lld parameters, %lld multiply-adds\n", (long long)main_params, (long long)main_macs);
    printf("activations     %.1f MB training, %.1f MB evaluating, at batch %d\n", (double)exec_activation_bytes(s->train) / 1e6,
           (double)exec_activation_bytes(s->eval) / 1e6, s->batch);
    return CONVOY_OK;
}

int command_summary(const struct settings *settings)
{
    struct session session = {0};
    struct convoy_error err = error_none();
    convoy_status status = session_open(settings, true, &session, &err);
    if (!status)
        status = summarise(&session, &err);
    session_close(&session);
    return status ? train_failed(status, &err) : TRAIN_OK;
}
