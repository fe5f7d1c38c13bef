#include "cli/commands.h"
#include "core/error.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The stamping itself is a script, so that it works without this program: installed beside it as convoy-new-kernel, or in the
 * source tree two folders up. */
int cmd_new_kernel(const struct options *options)
{
    struct convoy_error err = error_none();
    if (options->arguments.count != 1) {
        convoy_fail(&err, CONVOY_INVALID, CONVOY_WHY_OTHER, "new-kernel needs exactly one name, got %zu",
                    options->arguments.count);
        return command_failed(&err);
    }
    char self[4096];
    const ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length < 0) {
        convoy_fail(&err, CONVOY_FAILED, CONVOY_WHY_OTHER, "/proc/self/exe: %s", strerror(errno));
        return command_failed(&err);
    }
    self[length] = '\0';
    char *slash = strrchr(self, '/');
    if (slash)
        *slash = '\0';
    char installed[4200], in_tree[4200];
    char *name = (char *)(uintptr_t)options->arguments.item[0];
    snprintf(installed, sizeof installed, "%s/convoy-new-kernel", self);
    snprintf(in_tree, sizeof in_tree, "%s/../../harness/new-kernel.sh", self);
    if (access(installed, X_OK) == 0) {
        char *argv[] = {installed, name, NULL};
        execv(installed, argv);
    } else {
        char *argv[] = {"bash", in_tree, "--in-tree", name, NULL};
        execv("/bin/bash", argv);
    }
    convoy_fail(&err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: %s", installed, strerror(errno));
    return command_failed(&err);
}
