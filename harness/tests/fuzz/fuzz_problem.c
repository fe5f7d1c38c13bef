#include "target.h"
#include "core/problem.h"
#include "core/slots.h"
#include <string.h>

/* What parses must print to a text that parses to the same problem and prints to itself; its slots must have sane sizes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[1024], once[PROBLEM_TEXT_BYTES], twice[PROBLEM_TEXT_BYTES];
    if (size >= sizeof text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    struct convoy_error err = {.struct_size = sizeof err};
    union problem problem, again;
    if (problem_parse(text, &problem, &err) != CONVOY_OK) {
        if (!err.text[0])
            target_broken("a refusal without a sentence");
        return 0;
    }
    if (problem_print(&problem, once, sizeof once) >= (int)sizeof once)
        target_broken("a problem's text does not fit");
    if (problem_parse(once, &again, &err) != CONVOY_OK || !problem_equal(&problem, &again))
        target_broken("print and parse give another problem");
    problem_print(&again, twice, sizeof twice);
    if (strcmp(once, twice))
        target_broken("the canonical text is not canonical");
    struct slot_info slots[CONVOY_NSLOTS];
    slots_describe(&problem, slots);
    for (int s = 0; s < CONVOY_NSLOTS; s++) {
        if (slots[s].role != SLOT_UNUSED && (slots[s].elements < 1 || slots[s].bytes < slots[s].elements))
            target_broken("a slot without elements");
    }
    return 0;
}
