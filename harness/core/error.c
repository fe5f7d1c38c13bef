#include "core/error.h"

struct code_text {
    const char *name, *sentence;
};

/* Indexed by status - CONVOY_NO_MEMORY, the lowest code. */
static const struct code_text status_texts[] = {
    [CONVOY_NO_MEMORY - CONVOY_NO_MEMORY] = {"no_memory", "there is not enough memory"},
    [CONVOY_FAILED - CONVOY_NO_MEMORY] = {"failed", "a device, a file or a library failed"},
    [CONVOY_INVALID - CONVOY_NO_MEMORY] = {"invalid", "the problem or an argument is malformed"},
    [CONVOY_OK - CONVOY_NO_MEMORY] = {"ok", "success"},
    [CONVOY_UNSUPPORTED - CONVOY_NO_MEMORY] = {"unsupported", "the backend declines this problem"},
};
_Static_assert(sizeof status_texts / sizeof *status_texts == CONVOY_UNSUPPORTED - CONVOY_NO_MEMORY + 1,
               "one text for each status");

static const char *const why_names[] = {
    [CONVOY_WHY_NONE] = "none",         [CONVOY_WHY_OP] = "op",
    [CONVOY_WHY_DTYPE] = "dtype",       [CONVOY_WHY_LAYOUT] = "layout",
    [CONVOY_WHY_KERNEL] = "kernel",     [CONVOY_WHY_STRIDE] = "stride",
    [CONVOY_WHY_PAD] = "pad",           [CONVOY_WHY_DILATION] = "dilation",
    [CONVOY_WHY_GROUPS] = "groups",     [CONVOY_WHY_SIZE] = "size",
    [CONVOY_WHY_FLAGS] = "flags",       [CONVOY_WHY_MEMORY] = "memory",
    [CONVOY_WHY_HARDWARE] = "hardware", [CONVOY_WHY_OTHER] = "other",
};
_Static_assert(sizeof why_names / sizeof *why_names == CONVOY_WHY_COUNT, "one name for each reason");

static const struct code_text *status_text(convoy_status status)
{
    static const struct code_text unknown = {"unknown", "unknown"};
    if (status < CONVOY_NO_MEMORY || status > CONVOY_UNSUPPORTED)
        return &unknown;
    return &status_texts[status - CONVOY_NO_MEMORY];
}

const char *status_name(convoy_status status)
{
    return status_text(status)->name;
}

const char *status_sentence(convoy_status status)
{
    return status_text(status)->sentence;
}

const char *why_name(convoy_why why)
{
    return why < CONVOY_WHY_COUNT ? why_names[why] : "unknown";
}

struct convoy_error error_none(void)
{
    return (struct convoy_error){.struct_size = sizeof(struct convoy_error)};
}
