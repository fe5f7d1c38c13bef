#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/error.h"
#include "select/totals.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char layers[][64] = {"conv_fwd:n2c3h8k4kh3p1", "conv_fwd:n2c4h8k4kh3p1", "conv_fwd:n2c4h8k8kh1"};

/* A bench row of the layer `at` with a time and no spread. */
static struct record timed(size_t at, const char *backend, const char *variant, int64_t ns)
{
    struct record record;
    record_clear(&record);
    strcpy(record.command, "bench");
    strcpy(record.network, "net");
    snprintf(record.layer, sizeof record.layer, "layer%zu", at);
    strcpy(record.problem, layers[at]);
    strcpy(record.pass, "fwd");
    strcpy(record.cache, "hot");
    strcpy(record.verdict, "PASS");
    strcpy(record.deterministic, "yes");
    strcpy(record.accuracy_class, "strict");
    snprintf(record.backend, sizeof record.backend, "%s", backend);
    snprintf(record.variant, sizeof record.variant, "%s", variant);
    strcpy(record.plugin_hash, "0123456789abcdef");
    record.count = 1;
    record.threads = 1;
    record.median_ns = record.low_ns = record.high_ns = ns;
    record.workspace_bytes = 0;
    return record;
}

static struct record spread(struct record record, int64_t low_ns, int64_t high_ns, int64_t workspace_bytes)
{
    record.low_ns = low_ns;
    record.high_ns = high_ns;
    record.workspace_bytes = workspace_bytes;
    return record;
}

static struct record on_device(struct record record, int64_t upload_ns, int64_t download_ns)
{
    strcpy(record.domain, "device");
    record.upload_ns = upload_ns;
    record.download_ns = download_ns;
    return record;
}

/* The selection for inference from these rows, all of one network. */
static struct selection select_from(const struct record *record, size_t count, bool training, const struct selection *stored)
{
    const struct cost_rules rules = {.training = training, .cache = "hot"};
    struct selection selection = {0};
    struct costs costs;
    assert_true(costs_make(record, count, &rules, &costs));
    for (size_t c = 0; c < costs.chains; c++) {
        struct path_choice *choice = calloc(costs.chain[c].layers, sizeof *choice);
        assert_non_null(choice);
        assert_true(path_choose(&costs.chain[c], stored, choice));
        assert_true(path_rows(&costs.chain[c], choice, &selection));
        free(choice);
    }
    costs_free(&costs);
    snprintf(selection.machine, sizeof selection.machine, "machine");
    snprintf(selection.purpose, sizeof selection.purpose, "%s", training ? "training" : "inference");
    selection.plugins = strdup("a=0123456789abcdef b=0123456789abcdef");
    assert_non_null(selection.plugins);
    return selection;
}

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void takes_the_fastest(void **state)
{
    (void)state;
    const struct record rows[] = {timed(0, "a", "", 300), timed(0, "b", "x", 200), timed(0, "b", "y", 250),
                                  timed(1, "a", "", 10)};
    struct selection selection = select_from(rows, COUNT(rows), false, NULL);
    assert_int_equal(selection.count, 2);
    assert_string_equal(selection.row[0].backend, "b:x");
    assert_string_equal(selection.row[0].runner_up, "b:y");
    assert_true(fabs(selection.row[0].lead - 1.25) < 1e-9);
    assert_false(selection.row[0].tie);
    assert_string_equal(selection.row[1].backend, "a");
    assert_string_equal(selection.row[1].runner_up, "");
    assert_true(isnan(selection.row[1].lead));
    select_free(&selection);
}

static void failed_never_wins(void **state)
{
    (void)state;
    struct record rows[] = {timed(0, "a", "", 300), timed(0, "b", "", 100), timed(0, "b", "", 100), timed(1, "b", "", 5)};
    strcpy(rows[2].command, "verify"); /* seen with two threads only, but it is the same file on the same problem */
    strcpy(rows[2].verdict, "FAIL");
    rows[2].threads = 2;
    rows[2].median_ns = INT64_MIN;
    strcpy(rows[3].verdict, "INVALID_PERF");
    struct selection selection = select_from(rows, COUNT(rows), false, NULL);
    assert_int_equal(selection.count, 1);
    assert_string_equal(selection.row[0].backend, "a");
    select_free(&selection);

    strcpy(rows[2].verdict, "A_VERDICT_OF_TOMORROW");
    selection = select_from(rows, COUNT(rows), false, NULL);
    assert_string_equal(selection.row[0].backend, "a");
    select_free(&selection);

    strcpy(rows[2].verdict, "UNSUPPORTED"); /* a normal no of some other thread count */
    selection = select_from(rows, COUNT(rows), false, NULL);
    assert_string_equal(selection.row[0].backend, "b");
    select_free(&selection);
}

static void a_rebuilt_plugin_starts_anew(void **state)
{
    (void)state;
    struct record rows[] = {timed(0, "a", "", 300), timed(0, "b", "", 100), timed(1, "b", "", 5)};
    strcpy(rows[2].plugin_hash, "fedcba9876543210");
    struct selection selection = select_from(rows, COUNT(rows), false, NULL);
    assert_string_equal(selection.row[0].backend, "a"); /* b's time there is of the old file */
    assert_string_equal(selection.row[1].backend, "b");
    select_free(&selection);
}

static void fast_arithmetic_must_be_allowed(void **state)
{
    (void)state;
    struct record rows[] = {timed(0, "a", "", 300), timed(0, "b", "", 100)};
    strcpy(rows[1].accuracy_class, "fast");
    struct selection selection = select_from(rows, COUNT(rows), false, NULL);
    assert_string_equal(selection.row[0].backend, "a");
    assert_string_equal(selection.row[0].accuracy_class, "strict");
    select_free(&selection);
}

static void ties_go_by_rule(void **state)
{
    (void)state;
    struct record rows[] = {spread(timed(0, "c", "", 1000), 980, 1030, 64), spread(timed(0, "b", "", 1020), 990, 1040, 32),
                            spread(timed(0, "a", "", 1025), 990, 1050, 32), spread(timed(0, "d", "", 1100), 1000, 1200, 0)};
    struct selection selection = select_from(rows, COUNT(rows), false, NULL);
    assert_string_equal(selection.row[0].backend, "a"); /* b and a need less than c; then the name. d is more than 3 % behind */
    assert_true(selection.row[0].tie);
    assert_string_equal(selection.row[0].runner_up, "c");
    assert_true(selection.row[0].lead_low <= 1 && selection.row[0].lead_high >= 1); /* never slower by its own interval */
    select_free(&selection);

    strcpy(rows[1].deterministic, "no");
    strcpy(rows[2].deterministic, "no");
    selection = select_from(rows, COUNT(rows), false, NULL);
    assert_string_equal(selection.row[0].backend, "c");
    select_free(&selection);

    rows[0].high_ns = 1005; /* clear of b and a, whatever they promise */
    rows[1].low_ns = rows[2].low_ns = 1010;
    strcpy(rows[0].deterministic, "no");
    selection = select_from(rows, COUNT(rows), false, NULL);
    assert_string_equal(selection.row[0].backend, "c");
    select_free(&selection);
}

static void training_pays_for_preparing(void **state)
{
    (void)state;
    struct record rows[] = {timed(0, "a", "", 300), timed(0, "b", "", 100)};
    rows[1].prepare_ns = 250;
    struct selection selection = select_from(rows, COUNT(rows), false, NULL);
    assert_string_equal(selection.row[0].backend, "b");
    select_free(&selection);
    selection = select_from(rows, COUNT(rows), true, NULL);
    assert_string_equal(selection.row[0].backend, "a");
    assert_true(fabs(selection.row[0].ms - 300e-6) < 1e-12);
    select_free(&selection);
}

static void transfers_are_paid_for(void **state)
{
    (void)state;
    /* A device twice as fast in the middle layer alone is not worth the way there and back … */
    struct record rows[] = {timed(0, "a", "", 1000),
                            timed(1, "a", "", 1000),
                            on_device(timed(1, "b", "", 500), 400, 400),
                            timed(2, "a", "", 1000),
                            on_device(timed(2, "b", "", 1000), 400, 400),
                            on_device(timed(0, "b", "", 900), 400, 400)};
    struct selection selection = select_from(rows, COUNT(rows), false, NULL);
    for (size_t r = 0; r < 3; r++)
        assert_string_equal(selection.row[r].backend, "a");
    select_free(&selection);
    /* … but it is where several layers share that way: 2400 + 800 against 5000 at counts 1, 3, 1. */
    rows[1].count = rows[2].count = 3;
    rows[2].median_ns = rows[2].low_ns = rows[2].high_ns = 200;
    selection = select_from(rows, COUNT(rows), false, NULL);
    for (size_t r = 0; r < 3; r++)
        assert_string_equal(selection.row[r].backend, "b");
    select_free(&selection);
}

/* The cheapest path against all paths, on random costs with two memories. */
static void the_path_is_the_shortest(void **state)
{
    (void)state;
    uint32_t random = 12345;
    for (int turn = 0; turn < 200; turn++) {
        struct record rows[6];
        for (size_t at = 0; at < 3; at++) {
            for (size_t b = 0; b < 2; b++) {
                int64_t draw[3];
                for (size_t d = 0; d < 3; d++)
                    draw[d] = 1 + (int64_t)((random = random * 1664525u + 1013904223u) >> 22);
                rows[2 * at + b] = timed(at, b ? "b" : "a", "", draw[0]);
                if (b)
                    rows[2 * at + b] = on_device(rows[2 * at + b], draw[1] / 2, draw[2] / 2);
            }
        }
        const struct cost_rules rules = {.cache = "hot"};
        struct costs costs;
        struct path_choice choice[3];
        assert_true(costs_make(rows, COUNT(rows), &rules, &costs));
        assert_int_equal(costs.chains, 1);
        assert_true(path_choose(&costs.chain[0], NULL, choice));
        double least_ns = INFINITY;
        for (unsigned path = 0; path < 8; path++) {
            struct path_choice other[3] = {{0}};
            for (size_t at = 0; at < 3; at++)
                other[at].winner = &costs.chain[0].layer[at].option[path >> at & 1];
            least_ns = fmin(least_ns, path_total_ns(&costs.chain[0], other));
        }
        assert_true(fabs(path_total_ns(&costs.chain[0], choice) - least_ns) < 1e-6);
        costs_free(&costs);
    }
}

static void stored_winners_stay_until_beaten(void **state)
{
    (void)state;
    struct record rows[] = {spread(timed(0, "a", "", 1000), 950, 1050, 0), spread(timed(0, "b", "", 1060), 1030, 1100, 0)};
    const struct record before[] = {timed(0, "a", "", 1000), timed(0, "b", "", 900)};
    struct selection stored = select_from(before, COUNT(before), false, NULL);
    assert_string_equal(stored.row[0].backend, "b");
    struct selection selection = select_from(rows, COUNT(rows), false, &stored);
    assert_string_equal(selection.row[0].backend, "b"); /* the intervals touch */
    assert_true(selection.row[0].tie);
    select_free(&selection);

    free(stored.plugins); /* another file than the one that won */
    stored.plugins = strdup("a=0123456789abcdef b=1111111111111111");
    selection = select_from(rows, COUNT(rows), false, &stored);
    assert_string_equal(selection.row[0].backend, "a");
    select_free(&selection);

    free(stored.plugins);
    stored.plugins = strdup("a=0123456789abcdef b=0123456789abcdef");
    rows[0].high_ns = 1020; /* clearly beaten */
    selection = select_from(rows, COUNT(rows), false, &stored);
    assert_string_equal(selection.row[0].backend, "a");
    select_free(&selection);
    select_free(&stored);
}

static void backward_follows_forward_reversed(void **state)
{
    (void)state;
    struct record rows[] = {timed(0, "a", "", 1), timed(0, "a", "", 1), timed(1, "a", "", 1), timed(1, "a", "", 1)};
    strcpy(rows[1].problem, "conv_bwd_weights:n2c3h8k4kh3p1");
    strcpy(rows[3].problem, "conv_bwd_weights:n2c4h8k4kh3p1");
    strcpy(rows[1].pass, "bwd-weights");
    strcpy(rows[3].pass, "bwd-weights");
    struct selection selection = select_from(rows, COUNT(rows), true, NULL);
    assert_int_equal(selection.count, 4);
    static const char *const order[] = {"layer0", "layer1", "layer1", "layer0"};
    for (size_t r = 0; r < 4; r++)
        assert_string_equal(selection.row[r].layer, order[r]);
    select_free(&selection);
    selection = select_from(rows, COUNT(rows), false, NULL);
    assert_int_equal(selection.count, 2);
    select_free(&selection);
}

static void totals_compare_on_equal_layers(void **state)
{
    (void)state;
    struct record rows[] = {timed(0, "a", "", 300), timed(0, "b", "x", 200), timed(0, "b", "y", 250), timed(1, "a", "", 10),
                            timed(1, "b", "y", 8)};
    rows[3].count = rows[4].count = 10;
    const struct cost_rules rules = {.cache = "hot"};
    struct costs costs;
    struct path_choice choice[2];
    struct totals totals;
    assert_true(costs_make(rows, COUNT(rows), &rules, &costs));
    assert_true(path_choose(&costs.chain[0], NULL, choice));
    assert_true(totals_make(&costs.chain[0], choice, &totals));
    assert_string_equal(totals.total[0].backend, "b");
    assert_true(totals.total[0].plugin);
    assert_true(fabs(totals.total[0].ns - 280) < 1e-9 && fabs(totals.total[0].best_ns - 280) < 1e-9);
    const struct total *single = totals_best_single(&totals, &costs.chain[0], choice);
    assert_non_null(single);
    assert_string_equal(single->backend, "b:y");
    assert_true(fabs(single->ns - 330) < 1e-9);
    const struct total *last = &totals.total[totals.count - 1];
    assert_string_equal(last->backend, "b:x"); /* one layer of two: beside the winner of that one */
    assert_int_equal(last->layers, 1);
    assert_true(fabs(last->best_ns - 200) < 1e-9);
    totals_free(&totals);
    costs_free(&costs);
}

/* ---- the file ---- */

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void comes_back_from_its_file(void **state)
{
    (void)state;
    char path[] = "/tmp/convoy_test_select_XXXXXX";
    const int file = mkstemp(path);
    assert_true(file >= 0);
    close(file);
    struct record rows[] = {timed(0, "a", "x,\"y\"", 300), timed(0, "b", "", 200), timed(1, "a", "", 10)};
    strcpy(rows[1].layer, "layer0");
    struct selection selection = select_from(rows, COUNT(rows), false, NULL), again;
    struct convoy_error err = error_none();
    assert_int_equal(select_write(path, &selection, &err), CONVOY_OK);
    assert_int_equal(select_read(path, &again, &err), CONVOY_OK);
    assert_int_equal(again.count, selection.count);
    assert_string_equal(again.machine, "machine");
    assert_string_equal(again.purpose, "inference");
    assert_string_equal(again.plugins, selection.plugins);
    for (size_t r = 0; r < again.count; r++) {
        assert_string_equal(again.row[r].backend, selection.row[r].backend);
        assert_string_equal(again.row[r].runner_up, selection.row[r].runner_up);
        assert_true(problem_equal(&again.row[r].problem, &selection.row[r].problem));
        assert_true(fabs(again.row[r].ms - selection.row[r].ms) < 1e-9);
        assert_int_equal(isnan(again.row[r].lead), isnan(selection.row[r].lead));
    }
    select_free(&again);
    select_free(&selection);
    unlink(path);
}

#define HEADER                                                                                                                   \
    "network,layer,count,problem,threads,backend,algorithm,accuracy_class,ms,low_ms,high_ms,prepare_ms,runner_up,runner_up_ms,"  \
    "lead,lead_low,lead_high,tie,purpose,machine,plugins\n"

static void refuses_what_makes_no_sense(void **state)
{
    (void)state;
    static const struct {
        const char *text, *complaint;
    } bad[] = {
        {"", "holds no selection"},
        {HEADER, "holds no selection"},
        {"network,layer\nn,l\n", "no column count"},
        {HEADER "n,l,0,conv_fwd:c3h8k4kh3,1,a,x,strict,1,,,,,,,,,no,training,m,a=0\n", "column count"},
        {HEADER "n,l,1,conv_fwd:c3h8,1,a,x,strict,1,,,,,,,,,no,training,m,a=0\n", "column problem"},
        {HEADER "n,l,1,conv_fwd:c3h8k4kh3,0,a,x,strict,1,,,,,,,,,no,training,m,a=0\n", "column threads"},
        {HEADER "n,l,1,conv_fwd:c3h8k4kh3,1,,x,strict,1,,,,,,,,,no,training,m,a=0\n", "column backend"},
        {HEADER "n,l,1,conv_fwd:c3h8k4kh3,1,a,x,strict,nan,,,,,,,,,no,training,m,a=0\n", "column ms"},
        {HEADER "n,l,1,conv_fwd:c3h8k4kh3,1,a,x,strict,-1,,,,,,,,,no,training,m,a=0\n", "column ms"},
        {HEADER "n,l,1,conv_fwd:c3h8k4kh3,1,a,x,strict,1,,,,,,,,,maybe,training,m,a=0\n", "column tie"},
        {HEADER "n,l,1,conv_fwd:c3h8k4kh3,1,a,x,strict,1,,,,,,,,,no,,m,a=0\n", "column purpose"},
        {HEADER "n,l,1,conv_fwd:c3h8k4kh3,1,a,x,strict,1\n", "fields"},
        {HEADER "n,l,1,conv_fwd:c3h8k4kh3,1,a,x,strict,1,,,,,,,,,no,training,m,a=0\n"
                "n,l,1,conv_fwd:c3h8k4kh3,1,a,x,strict,1,,,,,,,,,no,training,other,a=0\n",
         "column machine"},
    };
    char path[] = "/tmp/convoy_test_select_XXXXXX";
    const int file = mkstemp(path);
    assert_true(file >= 0);
    close(file);
    for (size_t b = 0; b < COUNT(bad); b++) {
        struct selection selection;
        struct convoy_error err = error_none();
        write_text(path, bad[b].text);
        assert_int_not_equal(select_read(path, &selection, &err), CONVOY_OK);
        assert_non_null(strstr(err.text, bad[b].complaint));
        assert_null(selection.row);
    }
    unlink(path);
    struct selection selection;
    struct convoy_error err = error_none();
    assert_int_equal(select_read("/nonexistent/select.csv", &selection, &err), CONVOY_FAILED);
}

static void a_stale_file_is_refused(void **state)
{
    (void)state;
    struct registry_entry entries[] = {{.name = (char *)(uintptr_t) "a", .hash = "0123456789abcdef"},
                                       {.name = (char *)(uintptr_t) "b", .hash = "0123456789abcdef"}};
    const struct registry both = {entries, 2}, one = {entries, 1};
    struct machine machine = {.id = "machine"};
    const struct record rows[] = {timed(0, "a", "", 300)};
    struct selection selection = select_from(rows, COUNT(rows), false, NULL);
    struct convoy_error err = error_none();
    assert_int_equal(select_check(&selection, &both, &machine, &err), CONVOY_OK);
    assert_int_equal(select_check(&selection, &one, &machine, &err), CONVOY_FAILED);
    assert_non_null(strstr(err.text, "plugin b"));
    strcpy(entries[0].hash, "ffffffffffffffff");
    assert_int_equal(select_check(&selection, &both, &machine, &err), CONVOY_FAILED);
    assert_non_null(strstr(err.text, "plugin a"));
    strcpy(machine.id, "other");
    assert_int_equal(select_check(&selection, &both, &machine, &err), CONVOY_FAILED);
    assert_non_null(strstr(err.text, "machine"));
    select_free(&selection);
}

static void finds_what_only_folds_a_relu(void **state)
{
    (void)state;
    const struct record rows[] = {timed(0, "a", "", 300)};
    struct selection selection = select_from(rows, COUNT(rows), false, NULL);
    union problem problem;
    assert_int_equal(problem_parse("conv_fwd:n2c3h8k4kh3p1r1", &problem, NULL), CONVOY_OK);
    assert_ptr_equal(select_find(&selection, &problem, 1), &selection.row[0]);
    assert_null(select_find(&selection, &problem, 2));
    assert_int_equal(problem_parse("conv_fwd:n2c3h8k4kh3p1b1", &problem, NULL), CONVOY_OK);
    assert_null(select_find(&selection, &problem, 1));
    select_free(&selection);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_the_fastest),
        cmocka_unit_test(failed_never_wins),
        cmocka_unit_test(a_rebuilt_plugin_starts_anew),
        cmocka_unit_test(fast_arithmetic_must_be_allowed),
        cmocka_unit_test(ties_go_by_rule),
        cmocka_unit_test(training_pays_for_preparing),
        cmocka_unit_test(transfers_are_paid_for),
        cmocka_unit_test(the_path_is_the_shortest),
        cmocka_unit_test(stored_winners_stay_until_beaten),
        cmocka_unit_test(backward_follows_forward_reversed),
        cmocka_unit_test(totals_compare_on_equal_layers),
        cmocka_unit_test(comes_back_from_its_file),
        cmocka_unit_test(refuses_what_makes_no_sense),
        cmocka_unit_test(a_stale_file_is_refused),
        cmocka_unit_test(finds_what_only_folds_a_relu),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
