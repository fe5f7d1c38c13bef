#include "cli/commands.h"
#include "core/error.h"
#include "report/table.h"
#include <convoy/shape.h>
#include <inttypes.h>
#include <stdio.h>

/* Layers and multiply-adds with multiplicity; parameters of convolutions (biases too) and gamma and beta of batch norm. */
struct totals {
    int64_t layers, convolutions, macs, parameters;
};

static void add_row(struct totals *totals, const struct table_row *row)
{
    totals->layers += row->count;
    if (problem_family(&row->problem) == FAMILY_CONV) {
        totals->convolutions += row->count;
        totals->macs += row->count * convoy_conv_macs(&row->problem.conv);
        totals->parameters += row->count * convoy_conv_params(&row->problem.conv);
    } else if (problem_family(&row->problem) == FAMILY_BN) {
        totals->parameters += row->count * 2 * (int64_t)row->problem.bn.c;
    }
}

static bool wanted(const struct options *options, const struct table_row *row)
{
    return !options->families || (options->families & 1u << problem_family(&row->problem));
}

static void print_rows(const struct options *options, const struct table *table)
{
    printf("%-14s %-28s %5s  %-58s %14s %12s\n", "network", "layer", "count", "problem", "MACs", "parameters");
    struct totals totals = {0};
    for (size_t r = 0; r < table->count; r++) {
        const struct table_row *row = &table->row[r];
        if (!wanted(options, row))
            continue;
        char problem[PROBLEM_TEXT_BYTES];
        problem_print(&row->problem, problem, sizeof problem);
        printf("%-14s %-28s %5" PRId64 "  %-58s", row->network, row->layer, row->count, problem);
        if (problem_family(&row->problem) == FAMILY_CONV)
            printf(" %14" PRId64 " %12" PRId64, convoy_conv_macs(&row->problem.conv), convoy_conv_params(&row->problem.conv));
        putchar('\n');
        add_row(&totals, row);
    }
    printf("%" PRId64 " layers, %" PRId64 " of them convolutions (fully connected included), %" PRId64 " MACs, %" PRId64
           " parameters, counts applied\n",
           totals.layers, totals.convolutions, totals.macs, totals.parameters);
}

static int print_names(void)
{
    struct convoy_error err = error_none();
    char **names = table_names();
    if (!names || !names[0]) {
        table_names_free(names);
        convoy_fail(&err, CONVOY_FAILED, CONVOY_WHY_OTHER, "no table found; CONVOY_TABLE_PATH names the folders to look in");
        return command_failed(&err);
    }
    int code = EXIT_OK;
    for (char **name = names; *name; name++) {
        struct table table = {0};
        if (table_load(*name, &table, &err) != CONVOY_OK) {
            code = command_failed(&err);
            continue;
        }
        struct totals totals = {0};
        for (size_t r = 0; r < table.count; r++)
            add_row(&totals, &table.row[r]);
        printf("%-14s %4zu rows %5" PRId64 " layers %8.3f GMAC\n", *name, table.count, totals.layers, 1e-9 * (double)totals.macs);
        table_free(&table);
    }
    table_names_free(names);
    return code;
}

int cmd_table(const struct options *options)
{
    if (!options->arguments.count)
        return print_names();
    struct convoy_error err = error_none();
    struct table table = {0};
    for (size_t a = 0; a < options->arguments.count; a++) {
        if (table_load(options->arguments.item[a], &table, &err) != CONVOY_OK) {
            table_free(&table);
            return command_failed(&err);
        }
    }
    print_rows(options, &table);
    table_free(&table);
    return EXIT_OK;
}
