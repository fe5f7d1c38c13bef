#include "target.h"
#include "report/results.h"
#include <stdlib.h>
#include <string.h>

/* Result files, and the line form of records: what decodes must encode to a line that decodes to the same line. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *path = target_file(data, size);
    struct convoy_error err = {.struct_size = sizeof err};
    struct record *records = NULL;
    size_t count = 0;
    if (path && results_read(path, &records, &count, &err) != CONVOY_OK && !err.text[0])
        target_broken("a refusal without a sentence");
    for (size_t r = 0; r < count; r++) {
        static char once[16384], twice[16384];
        struct record again;
        record_encode(&records[r], once, sizeof once);
        if (!record_decode(once, &again))
            target_broken("an encoded record does not decode");
        record_encode(&again, twice, sizeof twice);
        if (strcmp(once, twice))
            target_broken("encode and decode give another record");
    }
    free(records);
    return 0;
}
