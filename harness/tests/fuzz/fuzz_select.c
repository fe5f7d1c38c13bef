#include "target.h"
#include "core/error.h"
#include "select/select.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What can be read can be written, and reads as the same selection again. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *path = target_file(data, size);
    struct convoy_error err = error_none();
    struct selection selection, again;
    char copy[64];
    if (!path)
        return 0;
    if (select_read(path, &selection, &err) != CONVOY_OK) {
        if (!err.text[0])
            target_broken("a refusal without a sentence");
        return 0;
    }
    snprintf(copy, sizeof copy, "/tmp/convoy_fuzz_select_%ld", (long)getpid());
    if (select_write(copy, &selection, &err) == CONVOY_OK) {
        if (select_read(copy, &again, &err) != CONVOY_OK)
            target_broken("what was written cannot be read");
        if (again.count != selection.count || strcmp(again.plugins, selection.plugins))
            target_broken("another selection came back");
        for (size_t r = 0; r < again.count; r++) {
            if (!problem_equal(&again.row[r].problem, &selection.row[r].problem) ||
                strcmp(again.row[r].backend, selection.row[r].backend))
                target_broken("another row came back");
            if (!select_find(&again, &again.row[r].problem, again.row[r].threads))
                target_broken("a row that is there is not found");
        }
        select_free(&again);
        unlink(copy);
    }
    select_free(&selection);
    return 0;
}
