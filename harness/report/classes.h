/* classes: the accuracy class of a candidate as a mark behind its name. Most are strict (or exact), so only what is not is marked:
 * " (fast)", and " (strict/fast)" where it depends on the problem. */
#ifndef CONVOY_REPORT_CLASSES_H
#define CONVOY_REPORT_CLASSES_H

#include "core/record.h"

struct classes {
    bool fast, other; /* seen so far; start with zeros */
};

/* Rows without a class (declined, older files) say nothing. */
void classes_note(struct classes *classes, const struct record *record);
const char *classes_mark(const struct classes *classes);
const char *classes_mark_of(const struct record *record);

/* What goes with a table that has marks. */
extern const char classes_text[];

#endif
