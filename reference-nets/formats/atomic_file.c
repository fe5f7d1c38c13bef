#include "formats/atomic_file.h"

#include <convoy/plugin.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <string.h>
#include <unistd.h>

convoy_status atomic_open(struct atomic_file *file, const char *path, struct convoy_error *err)
{
    const int length = snprintf(file->path, sizeof file->path, "%s", path);
    if (length < 0 || (size_t)length >= sizeof file->path)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_SIZE, "%.100s...: the path is too long", path);
    snprintf(file->temporary, sizeof file->temporary, "%s.partial", path);
    file->out = fopen(file->temporary, "wb");
    if (!file->out)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%.150s: %s", file->temporary, strerror(errno));
    return CONVOY_OK;
}

/* So that the new name itself survives a crash; a file system that cannot sync a folder is no failure. */
static void sync_folder(const char *path)
{
    char copy[4096];
    snprintf(copy, sizeof copy, "%s", path);
    const int folder = open(dirname(copy), O_RDONLY | O_DIRECTORY);
    if (folder < 0)
        return;
    (void)fsync(folder);
    close(folder);
}

convoy_status atomic_close(struct atomic_file *file, convoy_status status, struct convoy_error *err)
{
    if (!status && (ferror(file->out) || fflush(file->out) || fsync(fileno(file->out))))
        status = convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%.150s: %s", file->temporary, strerror(errno));
    if (fclose(file->out) && !status)
        status = convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%.150s: %s", file->temporary, strerror(errno));
    if (!status && rename(file->temporary, file->path))
        status = convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%.150s: %s", file->path, strerror(errno));
    if (status)
        (void)unlink(file->temporary);
    else
        sync_folder(file->path);
    return status;
}
