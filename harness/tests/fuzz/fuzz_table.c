#include "target.h"
#include "report/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *path = target_file(data, size);
    struct convoy_error err = {.struct_size = sizeof err};
    struct table table = {0};
    if (path && table_load(path, &table, &err) != CONVOY_OK && !err.text[0])
        target_broken("a refusal without a sentence");
    table_free(&table);
    return 0;
}
