#include "cli/lineup.h"
#include <convoy/plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void copy_field(char *to, size_t size, const char *from)
{
    snprintf(to, size, "%s", from);
}

void lineup_introduce(struct backend *backend, int64_t timeout_s)
{
    struct session_end end;
    char *field[8];
    if (session_call(&backend->session, "hello", timeout_s, &end) == SESSION_ENDED) {
        copy_field(backend->reason, sizeof backend->reason, end.reason);
        return;
    }
    const size_t fields = session_split(backend->session.line, field, 8);
    if (fields == 3 && !strcmp(field[0], "error")) {
        copy_field(backend->reason, sizeof backend->reason, field[2]);
        return;
    }
    if (fields != 7 || strcmp(field[0], "ok")) {
        copy_field(backend->reason, sizeof backend->reason, "the worker's answer makes no sense");
        return;
    }
    copy_field(backend->version, sizeof backend->version, field[2]);
    copy_field(backend->author, sizeof backend->author, field[3]);
    copy_field(backend->threading, sizeof backend->threading, field[4]);
    copy_field(backend->summary, sizeof backend->summary, field[5]);
    char *save = NULL;
    for (char *word = strtok_r(field[6], ",", &save); word && backend->variants < LINEUP_MAX_VARIANTS;
         word = strtok_r(NULL, ",", &save))
        copy_field(backend->variant[backend->variants++], sizeof backend->variant[0], word);
    if (!backend->variants)
        backend->variants = 1;
    backend->usable = true;
}

static struct backend *find_backend(struct lineup *lineup, const char *name, size_t length)
{
    for (size_t b = 0; b < lineup->backends; b++) {
        const char *own = lineup->backend[b].entry->name;
        if (strlen(own) == length && !memcmp(own, name, length))
            return &lineup->backend[b];
    }
    return NULL;
}

static convoy_status unknown_backend(const struct lineup *lineup, const char *selection, struct convoy_error *err)
{
    char names[160] = "";
    size_t used = 0;
    for (size_t b = 0; b < lineup->backends && used < sizeof names; b++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", b ? ", " : "", lineup->backend[b].entry->name);
    return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "-b %s: no such backend; found: %s", selection,
                       names[0] ? names : "none at all");
}

static convoy_status unknown_variant(const struct backend *backend, const char *selection, struct convoy_error *err)
{
    char names[160] = "";
    size_t used = 0;
    for (size_t v = 0; v < backend->variants && used < sizeof names; v++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", v ? ", " : "", backend->variant[v]);
    return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "-b %s: no such variant; %s has: %s", selection,
                       backend->entry->name, names[0] ? names : "none");
}

static void add_candidate(struct lineup *lineup, struct backend *backend, const char *variant)
{
    for (size_t c = 0; c < lineup->candidates; c++) {
        if (lineup->candidate[c].backend == backend && !strcmp(lineup->candidate[c].variant, variant))
            return;
    }
    lineup->candidate[lineup->candidates++] = (struct candidate){backend, variant};
}

static void add_all_variants(struct lineup *lineup, struct backend *backend)
{
    for (size_t v = 0; v < backend->variants; v++)
        add_candidate(lineup, backend, backend->variant[v]);
}

static convoy_status select_by_name(struct lineup *lineup, const char *selection, int64_t timeout_s, struct convoy_error *err)
{
    const char *colon = strchr(selection, ':');
    struct backend *backend = find_backend(lineup, selection, colon ? (size_t)(colon - selection) : strlen(selection));
    if (!backend)
        return unknown_backend(lineup, selection, err);
    if (!backend->usable && !backend->reason[0])
        lineup_introduce(backend, timeout_s);
    if (!backend->usable)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "-b %s cannot be used: %s", selection, backend->reason);
    if (!colon) {
        add_all_variants(lineup, backend);
        return CONVOY_OK;
    }
    for (size_t v = 0; v < backend->variants; v++) {
        if (!strcmp(backend->variant[v], colon + 1)) {
            add_candidate(lineup, backend, backend->variant[v]);
            return CONVOY_OK;
        }
    }
    return unknown_variant(backend, selection, err);
}

convoy_status lineup_open(const struct options *options, struct lineup *lineup, struct convoy_error *err)
{
    *lineup = (struct lineup){0};
    const char *extra[OPT_MAX_LIST + 1] = {NULL};
    for (size_t p = 0; p < options->plugins.count; p++)
        extra[p] = options->plugins.item[p];
    convoy_status status = registry_scan(extra, &lineup->registry, err);
    if (status != CONVOY_OK)
        return status;
    const struct registry_entry *naive = registry_find(&lineup->registry, "naive");
    lineup->referee = naive ? naive->path : NULL;
    lineup->backend = calloc(lineup->registry.count + 1, sizeof *lineup->backend);
    lineup->candidate = calloc((lineup->registry.count + 1) * LINEUP_MAX_VARIANTS, sizeof *lineup->candidate);
    if (!lineup->backend || !lineup->candidate) {
        lineup_close(lineup);
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "out of memory");
    }
    for (size_t e = 0; e < lineup->registry.count; e++) {
        const struct registry_entry *entry = &lineup->registry.entry[e];
        if (entry->shadowed)
            continue;
        struct backend *backend = &lineup->backend[lineup->backends++];
        backend->entry = entry;
        session_init(&backend->session, entry->path, lineup->referee, options->in_process);
    }
    for (size_t b = 0; b < options->backends.count && status == CONVOY_OK; b++)
        status = select_by_name(lineup, options->backends.item[b], options->timeout_s, err);
    for (size_t b = 0; b < lineup->backends && !options->backends.count; b++) {
        lineup_introduce(&lineup->backend[b], options->timeout_s);
        if (lineup->backend[b].usable && options->first_variants)
            add_candidate(lineup, &lineup->backend[b], lineup->backend[b].variant[0]);
        else if (lineup->backend[b].usable)
            add_all_variants(lineup, &lineup->backend[b]);
    }
    if (status != CONVOY_OK)
        lineup_close(lineup);
    return status;
}

void lineup_close(struct lineup *lineup)
{
    for (size_t b = 0; b < lineup->backends; b++)
        session_close(&lineup->backend[b].session);
    free(lineup->backend);
    free(lineup->candidate);
    registry_free(&lineup->registry);
    *lineup = (struct lineup){0};
}

void candidate_name(const struct candidate *candidate, char *buf, size_t size)
{
    snprintf(buf, size, "%s%s%s", candidate->backend->entry->name, candidate->variant[0] ? ":" : "", candidate->variant);
}
