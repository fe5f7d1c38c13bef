#include "report/classes.h"

#include <string.h>

const char classes_text[] =
    "(fast): of the accuracy class fast, never to be compared with the others, which are strict or exact.\n";

void classes_note(struct classes *classes, const struct record *record)
{
    const bool fast = !strcmp(record->accuracy_class, "fast");
    classes->fast |= fast;
    classes->other |= !fast && record->accuracy_class[0];
}

const char *classes_mark(const struct classes *classes)
{
    if (!classes->fast)
        return "";
    return classes->other ? " (strict/fast)" : " (fast)";
}

const char *classes_mark_of(const struct record *record)
{
    struct classes classes = {0};
    classes_note(&classes, record);
    return classes_mark(&classes);
}
