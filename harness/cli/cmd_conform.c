#include "cli/commands.h"
#include "cli/journal.h"
#include "core/error.h"
#include "cli/progress.h"
#include "report/table.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What a reader wants to know of a backend, one line each; asked of supports(). */
static const struct {
    const char *what, *problem;
} abilities[] = {
    {"3x3 stride 1", "conv_fwd:c16h14k16kh3p1"},
    {"with bias", "conv_fwd:c16h14k16kh3p1b1"},
    {"with fused ReLU", "conv_fwd:c16h14k16kh3p1r1"},
    {"1x1", "conv_fwd:c16h14k16kh1"},
    {"5x5", "conv_fwd:c16h14k16kh5p2"},
    {"7x7 stride 2, 3 channels", "conv_fwd:c3h28k16kh7s2p3"},
    {"stride 2", "conv_fwd:c16h14k16kh3s2p1"},
    {"dilation 2", "conv_fwd:c16h14k16kh3d2p2"},
    {"2 groups", "conv_fwd:c16h14k16kh3p1g2"},
    {"depthwise", "conv_fwd:c16h14k16kh3p1g16"},
    {"asymmetric padding", "conv_fwd:c16h14k16kh3pt1pb2pl0pr1"},
    {"even kernel", "conv_fwd:c16h14k16kh4p1"},
    {"1x7", "conv_fwd:c16h14k16kh1kw7pl3pr3"},
    {"batch 16", "conv_fwd:n16c16h14k16kh3p1"},
    {"max pooling", "maxpool_fwd:c16h14kh2s2"},
    {"average pooling", "avgpool_fwd:c16h14kh3s2p1"},
    {"average, padding not counted", "avgpoolx_fwd:c16h14kh3s2p1"},
    {"L2 pooling", "l2pool_fwd:c16h14kh2s2"},
    {"batch norm, training", "bn_train:n4c16h14"},
    {"batch norm, inference", "bn_infer:n4c16h14"},
    {"ReLU", "relu:n1024"},
    {"addition", "add:n1024"},
    {"softmax cross-entropy", "xent:n1000classes10"},
    {"SGD step", "sgd:n1024"},
};
/* Speed is shown on layers that every network has. */
static const char *const races[] = {"conv_fwd:c64h56k64kh3p1", "conv_fwd:c256h14k256kh3p1", "conv_fwd:c64h56k256kh1",
                                    "maxpool_fwd:c64h112kh3s2p1", "bn_train:n4c64h56"};

/* ---- contract ---- */

static void print_rule(const char *verdict, const char *name, const char *text)
{
    const bool good = !strcmp(verdict, verdict_name(VERDICT_PASS)), bad = verdict_is_failure(verdict_by_name(verdict), false);
    printf("  %s%-16s%s %-17s %s\n", bad ? colour_bad() : good ? colour_good() : "", verdict, colour_off(), name, text);
}

static void judge_contract(const struct candidate *candidate, const struct options *options, int64_t threads, size_t *broken)
{
    struct session *session = &candidate->backend->session;
    for (size_t index = 0;; index++) {
        char request[128], *field[5];
        struct session_end end;
        snprintf(request, sizeof request, "conform\t%s\t%" PRId64 "\t%zu", candidate->variant, threads, index);
        if (session_call(session, request, options->timeout_s, &end) == SESSION_ENDED) {
            char number[32];
            snprintf(number, sizeof number, "rule %zu", index + 1);
            print_rule(verdict_name(end.verdict), number, end.reason);
            (*broken)++;
            continue;
        }
        const size_t fields = session_split(session->line, field, 5);
        if (!strcmp(field[0], "end"))
            return;
        if (fields != 5) {
            print_rule(verdict_name(VERDICT_NOT_RUN), "contract", fields == 3 ? field[2] : "the worker's answer makes no sense");
            (*broken)++;
            return;
        }
        *broken += verdict_is_failure(verdict_by_name(field[2]), options->strict);
        print_rule(field[2], field[1], field[3][0] ? field[3] : field[4]);
    }
}

/* ---- abilities ---- */

static void print_ability(const struct candidate *candidate, const struct options *options, const union problem *problem,
                          const char *what)
{
    char text[PROBLEM_TEXT_BYTES], request[PROBLEM_TEXT_BYTES + 64], *field[3];
    struct session_end end;
    problem_print(problem, text, sizeof text);
    snprintf(request, sizeof request, "supports\t%s\t%s", candidate->variant, text);
    if (session_call(&candidate->backend->session, request, options->timeout_s, &end) == SESSION_ENDED) {
        printf("  %-30s %-18s %s: %s\n", what, problem_op_name(problem), verdict_name(end.verdict), end.reason);
        return;
    }
    const size_t fields = session_split(candidate->backend->session.line, field, 3);
    if (!strcmp(field[0], "ok"))
        printf("  %-30s %-18s yes\n", what, problem_op_name(problem));
    else
        printf("  %-30s %-18s no (%s): %s\n", what, problem_op_name(problem), fields > 1 ? field[1] : "?",
               fields > 2 ? field[2] : "");
}

static void print_abilities(const struct candidate *candidate, const struct options *options)
{
    for (size_t a = 0; a < sizeof abilities / sizeof abilities[0]; a++) {
        union problem problem, other;
        if (problem_parse(abilities[a].problem, &problem, NULL) != CONVOY_OK)
            continue;
        for (int pass = 0; pass < PASS_COUNT; pass++) {
            if (pass == (int)problem_pass(&problem))
                print_ability(candidate, options, &problem, abilities[a].what);
            else if (problem_other_pass(&problem, (enum problem_pass)pass, &other))
                print_ability(candidate, options, &other, "");
        }
    }
}

/* ---- errors ---- */

struct class_error {
    char numerics[32], accuracy_class[16], worst[PROBLEM_TEXT_BYTES];
    double bounds, l2_rel;
    size_t passed, failed;
};
enum { MAX_CLASSES = 16 };

static void note(struct class_error *classes, size_t *count, const struct record *record, bool failed)
{
    size_t c = 0;
    while (c < *count && strcmp(classes[c].numerics, record->numerics))
        c++;
    if (c == MAX_CLASSES)
        return;
    if (c == *count) {
        classes[(*count)++] = (struct class_error){.bounds = -1};
        memcpy(classes[c].numerics, record->numerics, sizeof classes[c].numerics);
        memcpy(classes[c].accuracy_class, record->accuracy_class, sizeof classes[c].accuracy_class);
    }
    classes[c].passed += !failed;
    classes[c].failed += failed;
    if (record->error_in_bounds > classes[c].bounds) {
        classes[c].bounds = record->error_in_bounds;
        classes[c].l2_rel = record->l2_rel;
        memcpy(classes[c].worst, record->problem, sizeof classes[c].worst);
    }
}

static convoy_status judge_results(const struct candidate *candidate, const struct options *options,
                                   const struct journal *journal, int64_t threads, size_t *broken, struct convoy_error *err)
{
    struct table table = {0};
    struct class_error classes[MAX_CLASSES];
    size_t count = 0, declined = 0;
    const convoy_status status = table_load("smoke", &table, err);
    for (size_t r = 0; r < table.count && status == CONVOY_OK; r++) {
        for (int pass = 0; pass < PASS_COUNT; pass++) {
            struct table_row row = table.row[r];
            const enum problem_pass own = problem_pass(&row.problem);
            if ((int)own != pass &&
                (own != PASS_FWD || !problem_other_pass(&table.row[r].problem, (enum problem_pass)pass, &row.problem)))
                continue;
            struct record record;
            journal_start(journal, options, &row, candidate, threads, &record);
            verify_case(candidate, options, &record);
            const enum verdict verdict = verdict_by_name(record.verdict);
            const bool failed = verdict_is_failure(verdict, options->strict);
            if (failed)
                printf("  %s%s%s %s: %s\n", colour_bad(), record.verdict, colour_off(), record.problem, record.reason);
            *broken += failed;
            if (verdict == VERDICT_UNSUPPORTED)
                declined++;
            else
                note(classes, &count, &record, failed);
        }
    }
    table_free(&table);
    for (size_t c = 0; c < count; c++)
        printf("  %-16s %-8s %3zu passed, %zu failed; worst error %.3g of its bound, L2 %.2g: %s\n",
               classes[c].numerics[0] ? classes[c].numerics : "-", classes[c].accuracy_class, classes[c].passed,
               classes[c].failed, classes[c].bounds < 0 ? 0 : classes[c].bounds, classes[c].l2_rel, classes[c].worst);
    printf("  %zu problems of the table smoke declined\n", declined);
    return status;
}

/* ---- speed ---- */

static bool time_once(const struct candidate *candidate, const struct options *options, const char *problem, int64_t *ns)
{
    char request[512], *field[8];
    struct session *session = &candidate->backend->session;
    struct session_end end;
    *ns = 0;
    snprintf(request, sizeof request, "open\t%s\t1\t%" PRId64 "\t5000000\t0\t0\t%s", candidate->variant, options->seed, problem);
    if (session_call(session, request, options->timeout_s, &end) == SESSION_ENDED || session_split(session->line, field, 8) != 8)
        return false;
    char id[24];
    snprintf(id, sizeof id, "%s", field[1]);
    for (int round = 0; round < 5; round++) {
        snprintf(request, sizeof request, "batch\t%s", id);
        if (session_call(session, request, options->timeout_s, &end) == SESSION_ENDED ||
            session_split(session->line, field, 3) != 3)
            return false;
        const int64_t mean_ns = strtoll(field[1], NULL, 10);
        if (!*ns || mean_ns < *ns)
            *ns = mean_ns;
    }
    snprintf(request, sizeof request, "close\t%s", id);
    return session_call(session, request, options->timeout_s, &end) == SESSION_REPLY;
}

static void print_speed(const struct candidate *candidate, const struct candidate *yardstick, const struct options *options)
{
    for (size_t r = 0; r < sizeof races / sizeof races[0]; r++) {
        int64_t ns = 0, other_ns = 0;
        if (!time_once(candidate, options, races[r], &ns)) {
            printf("  %-32s not timed\n", races[r]);
            continue;
        }
        session_pause(&candidate->backend->session);
        if (yardstick && time_once(yardstick, options, races[r], &other_ns) && ns > 0)
            printf("  %-32s %10.3f ms, im2col %.3f ms: %.2f times as fast\n", races[r], 1e-6 * (double)ns,
                   1e-6 * (double)other_ns, (double)other_ns / (double)ns);
        else
            printf("  %-32s %10.3f ms\n", races[r], 1e-6 * (double)ns);
    }
}

/* ---- the report ---- */

static convoy_status judge(const struct candidate *candidate, const struct candidate *yardstick, const struct options *options,
                           const struct journal *journal, size_t *broken, struct convoy_error *err)
{
    char name[128];
    const int64_t threads = options->threads_count ? options->threads[0] : journal->machine.cores;
    candidate_name(candidate, name, sizeof name);
    printf("== %s %s, %s threads: %s\n\nContract\n", name, candidate->backend->version, candidate->backend->threading,
           candidate->backend->summary);
    judge_contract(candidate, options, threads, broken);
    printf("\nResults on the table smoke, all passes\n");
    const convoy_status status = judge_results(candidate, options, journal, threads, broken, err);
    if (status != CONVOY_OK)
        return status;
    printf("\nCapabilities\n");
    print_abilities(candidate, options);
    printf("\nSpeed, one thread\n");
    print_speed(candidate, yardstick, options);
    putchar('\n');
    return CONVOY_OK;
}

int cmd_conform(const struct options *options)
{
    struct convoy_error err = error_none();
    struct options narrowed = *options;
    struct lineup lineup = {0}, beside = {0};
    struct journal journal = {0};
    size_t broken = 0;
    char name[64] = "";
    convoy_status status = CONVOY_OK;
    if (options->arguments.count + options->backends.count != 1) {
        convoy_fail(&err, CONVOY_INVALID, CONVOY_WHY_OTHER,
                    "conform takes exactly one plugin: a file convoy_NAME.so, or -b NAME[:VARIANT]");
        return command_failed(&err);
    }
    if (options->arguments.count) {
        const char *path = options->arguments.item[0], *slash = strrchr(path, '/'), *file = slash ? slash + 1 : path;
        if (access(path, R_OK) || sscanf(file, "convoy_%63[a-z0-9_].so", name) != 1) {
            convoy_fail(&err, CONVOY_INVALID, CONVOY_WHY_OTHER, "%s: not a readable file named convoy_NAME.so", path);
            return command_failed(&err);
        }
        narrowed.plugins.item[narrowed.plugins.count++] = path;
        narrowed.backends.item[narrowed.backends.count++] = name;
    }
    status = lineup_open(&narrowed, &lineup, &err);
    if (status == CONVOY_OK && !lineup.referee)
        status = convoy_fail(&err, CONVOY_FAILED, CONVOY_WHY_OTHER, "the referee backend naive is not here; see `convoy list`");
    if (status == CONVOY_OK)
        status = journal_open(&journal, "verify", &narrowed, &err);
    struct options yardstick = {
        .seed = options->seed, .timeout_s = options->timeout_s, .backends = {.item = {"im2col"}, .count = 1}};
    struct convoy_error ignored = error_none();
    const bool have_yardstick = status == CONVOY_OK && lineup_open(&yardstick, &beside, &ignored) == CONVOY_OK;
    for (size_t c = 0; c < lineup.candidates && status == CONVOY_OK; c++)
        status = judge(&lineup.candidate[c], have_yardstick ? &beside.candidate[0] : NULL, &narrowed, &journal, &broken, &err);
    int code = EXIT_USAGE;
    if (status != CONVOY_OK) {
        code = command_failed(&err);
    } else {
        printf("%s: %zu finding%s\n", broken ? "does not conform" : "conforms", broken, broken == 1 ? "" : "s");
        code = broken ? EXIT_INCORRECT : EXIT_OK;
    }
    struct convoy_error close_err = error_none();
    if (journal_close(&journal, &close_err) != CONVOY_OK)
        code = command_failed(&close_err);
    if (have_yardstick)
        lineup_close(&beside);
    lineup_close(&lineup);
    return code;
}
