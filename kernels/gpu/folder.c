#include "gpu.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

bool gpu_cache_folder(char *folder, size_t size)
{
    const char *const own = getenv("CONVOY_CACHE_PATH"), *const shared = getenv("XDG_CACHE_HOME"), *const home = getenv("HOME");
    int length = -1;
    if (own && *own) {
        length = snprintf(folder, size, "%s", own);
    } else if (shared && *shared) {
        length = snprintf(folder, size, "%s/convoy", shared);
    } else if (home && *home) {
        if (snprintf(folder, size, "%s/.cache", home) < (int)size)
            mkdir(folder, 0755);
        length = snprintf(folder, size, "%s/.cache/convoy", home);
    }
    if (length < 0 || (size_t)length >= size || (mkdir(folder, 0755) != 0 && access(folder, R_OK | X_OK) != 0)) {
        folder[0] = '\0';
        return false;
    }
    return true;
}
