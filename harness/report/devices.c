#include "report/devices.h"

#include "report/grid.h"
#include <math.h>
#include <string.h>

enum { WIDTH = 120 };

bool devices_has(const struct record *record)
{
    return !strcmp(record->command, "bench") && record->median_ns > 0 && *record->domain && strcmp(record->domain, "host");
}

static bool same_device(const struct record *a, const struct record *b)
{
    return !strcmp(a->machine, b->machine) && !strcmp(a->domain, b->domain) && !strcmp(a->backend, b->backend) &&
           !strcmp(a->variant, b->variant);
}

static double microseconds(int64_t ns)
{
    return ns > 0 ? (double)ns / 1e3 : (double)NAN;
}

static void put_nothing(struct grid *grid, const char *what, int64_t ns)
{
    if (ns <= 0)
        return;
    grid_cell(grid, "%s", what);
    grid_cell(grid, "%s", "");
    grid_number(grid, microseconds(ns));
    grid_cell(grid, "%s", "");
    grid_cell(grid, "%s", "");
}

/* The records of the device of the first one. */
static bool print_device(FILE *out, const struct record *records, size_t count)
{
    static const char *const names[] = {"problem", "kernels us", "execution us", "upload us", "download us"};
    enum { COLUMNS = sizeof names / sizeof names[0] };
    const struct record *const device = &records[0];
    struct grid *const grid = grid_open(COLUMNS);
    if (!grid)
        return false;
    for (size_t column = 0; column < COLUMNS; column++) {
        grid_cell(grid, "%s", names[column]);
        if (column > 0)
            grid_align_right(grid, column);
    }
    put_nothing(grid, "(nothing, waited for)", device->launch_ns);
    put_nothing(grid, "(nothing, queued)", device->queued_ns);
    for (size_t r = 0; r < count; r++) {
        if (!devices_has(&records[r]) || !same_device(&records[r], device))
            continue;
        grid_cell(grid, "%s", records[r].problem);
        grid_number(grid, microseconds(records[r].without_moves_ns));
        grid_number(grid, microseconds(records[r].median_ns));
        grid_number(grid, microseconds(records[r].upload_ns));
        grid_number(grid, microseconds(records[r].download_ns));
    }
    fprintf(out, "%s%s%s, %s\n\n", device->backend, *device->variant ? ":" : "", device->variant, device->domain);
    const bool printed = grid_print(grid, out, 1, WIDTH);
    fputc('\n', out);
    grid_close(grid);
    return printed;
}

bool devices_print(FILE *out, const char *heading, const struct record *records, size_t count)
{
    bool any = false, done = true;
    for (size_t first = 0; done && first < count; first++) {
        size_t earlier = 0;
        if (!devices_has(&records[first]))
            continue;
        while (earlier < first && !(devices_has(&records[earlier]) && same_device(&records[earlier], &records[first])))
            earlier++;
        if (earlier < first)
            continue;
        if (!any)
            fputs(heading, out);
        any = true;
        done = print_device(out, &records[first], count - first);
    }
    return done;
}
