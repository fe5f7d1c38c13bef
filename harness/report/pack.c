#include "report/pack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put(struct pack *pack, const char *text)
{
    const size_t length = strlen(text);
    if (pack->used + length + 1 > pack->capacity) {
        const size_t capacity = 2 * pack->capacity + length + 64;
        char *larger = realloc(pack->text, capacity);
        if (!larger) {
            pack->failed = true;
            return;
        }
        pack->text = larger;
        pack->capacity = capacity;
    }
    memcpy(pack->text + pack->used, text, length + 1);
    pack->used += length;
}

/* "v*n" where that is shorter than n times "v". */
static void put_run(struct pack *pack)
{
    char counted[32];
    if (!pack->run)
        return;
    const size_t plain = pack->run * (strlen(pack->last) + 1) - 1;
    const int length = snprintf(counted, sizeof counted, "*%zu", pack->run);
    if (pack->begun)
        put(pack, ",");
    pack->begun = true;
    if (pack->run > 1 && plain > strlen(pack->last) + (size_t)length) {
        put(pack, pack->last);
        put(pack, counted);
    } else {
        for (size_t at = 0; at < pack->run; at++) {
            put(pack, at ? "," : "");
            put(pack, pack->last);
        }
    }
    pack->run = 0;
}

void pack_add(struct pack *pack, const char *text)
{
    if (strlen(text) >= sizeof pack->last || strpbrk(text, ",*")) {
        pack->failed = true;
        return;
    }
    if (pack->run && !strcmp(pack->last, text)) {
        pack->run++;
        return;
    }
    put_run(pack);
    snprintf(pack->last, sizeof pack->last, "%s", text);
    pack->run = 1;
}

bool pack_end(struct pack *pack)
{
    put_run(pack);
    put(pack, "");
    return !pack->failed;
}

void pack_free(struct pack *pack)
{
    free(pack->text);
    *pack = (struct pack){0};
}
