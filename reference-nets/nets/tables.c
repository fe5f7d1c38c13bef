/* convoy-tables: prints the layer table of one network, or writes those that are kept in harness/tables. */
#include "nets/catalog.h"
#include "nets/layer_table.h"

#include "core/error.h"

#include <convoy/plugin.h>
#include <errno.h>
#include <string.h>

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 4 };

static convoy_status print_table(const char *name, FILE *out, struct convoy_error *err)
{
    struct net net;
    convoy_status status = catalog_build(name, NULL, &net, err);
    if (status)
        return status;
    status = layer_table_write(&net, out, err);
    net_free(&net);
    return status;
}

static convoy_status write_file(const char *folder, const char *name, struct convoy_error *err)
{
    char path[4096];
    const int length = snprintf(path, sizeof path, "%s/%s.csv", folder, name);
    if (length < 0 || (size_t)length >= sizeof path)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_SIZE, "the path %.80s... is too long", folder);
    FILE *out = fopen(path, "w");
    if (!out)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: %s", path, strerror(errno));
    const convoy_status status = print_table(name, out, err);
    if (fclose(out) && !status)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: %s", path, strerror(errno));
    return status;
}

static convoy_status write_all(const char *folder, struct convoy_error *err)
{
    convoy_status status = CONVOY_OK;
    for (size_t index = 0; !status && index < catalog_count; index++)
        if (catalog[index].tabled)
            status = write_file(folder, catalog[index].name, err);
    return status;
}

static int usage(void)
{
    fputs("usage: convoy-tables NETWORK | --write FOLDER\nnetworks:", stderr);
    for (size_t index = 0; index < catalog_count; index++)
        fprintf(stderr, " %s", catalog[index].name);
    fputc('\n', stderr);
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    struct convoy_error err = error_none();
    convoy_status status;
    if (argc == 2 && argv[1][0] != '-')
        status = print_table(argv[1], stdout, &err);
    else if (argc == 3 && !strcmp(argv[1], "--write"))
        status = write_all(argv[2], &err);
    else
        return usage();
    if (!status)
        return EXIT_OK;
    fprintf(stderr, "convoy-tables: %s\n", err.text);
    return status == CONVOY_INVALID ? EXIT_USAGE : EXIT_FAILED;
}
