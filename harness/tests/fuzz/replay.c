/* Runs a fuzz target over files, so that a corpus is a test: replay FILE... prints TAP; a crash ends the program. */
#include "target.h"
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    int failed = 0;
    for (int a = 1; a < argc; a++) {
        FILE *file = fopen(argv[a], "rb");
        uint8_t *data = malloc(1 << 20);
        const size_t size = file && data ? fread(data, 1, 1 << 20, file) : 0;
        if (file && data)
            LLVMFuzzerTestOneInput(data, size);
        else
            failed = 1;
        printf("%sok %d - %s\n", file && data ? "" : "not ", a, argv[a]);
        if (file)
            fclose(file);
        free(data);
    }
    printf("1..%d\n", argc - 1);
    return failed;
}
