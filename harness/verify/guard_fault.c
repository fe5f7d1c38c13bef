/* The handler runs while anything may be broken: it takes no lock, allocates nothing, and calls only write, pause and _exit. */
#include "verify/guard_fault.h"
#include <errno.h> /* program_invocation_short_name */
#include <link.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

enum { REGION_COUNT = 256, OBJECT_COUNT = 256, STACK_BYTES = 1 << 16 };

struct object {
    uintptr_t first, last, base;
    char name[64];
};

static const struct guard_region *regions[REGION_COUNT];
static struct object objects[OBJECT_COUNT];
static volatile sig_atomic_t object_count;
/* Atomic: two plans may run at once, and the handler reads what either wrote last. */
static _Atomic(const char *) stage_text;
static atomic_int stage_placement = GUARD_PLACEMENT_COUNT;
static volatile sig_atomic_t report_descriptor = -1;
static atomic_flag reporting = ATOMIC_FLAG_INIT;

bool fault_add_region(const struct guard_region *region)
{
    for (size_t i = 0; i < REGION_COUNT; i++) {
        if (!regions[i]) {
            regions[i] = region;
            return true;
        }
    }
    return false;
}

void fault_remove_region(const struct guard_region *region)
{
    for (size_t i = 0; i < REGION_COUNT; i++) {
        if (regions[i] == region)
            regions[i] = NULL;
    }
}

void guard_stage(const char *stage, enum guard_placement placement)
{
    stage_text = stage;
    stage_placement = (int)placement;
}

static int note_object(struct dl_phdr_info *info, size_t size, void *context)
{
    (void)size;
    (void)context;
    const char *const slash = strrchr(info->dlpi_name, '/');
    const char *const name = slash ? slash + 1 : info->dlpi_name[0] ? info->dlpi_name : program_invocation_short_name;
    for (size_t i = 0; i < info->dlpi_phnum && object_count < OBJECT_COUNT; i++) {
        const ElfW(Phdr) *const segment = &info->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X))
            continue;
        struct object *const object = &objects[object_count];
        object->base = info->dlpi_addr;
        object->first = info->dlpi_addr + segment->p_vaddr;
        object->last = object->first + segment->p_memsz;
        const size_t length = strnlen(name, sizeof object->name - 1);
        memcpy(object->name, name, length);
        object->name[length] = '\0';
        object_count = object_count + 1;
    }
    return 0;
}

void guard_note_objects(void)
{
    object_count = 0;
    dl_iterate_phdr(note_object, NULL);
}

struct line {
    char text[GUARD_LINE_BYTES];
    size_t length;
};

static void put_text(struct line *line, const char *text)
{
    while (*text && line->length < sizeof line->text - 1)
        line->text[line->length++] = *text++;
}

static void put_number(struct line *line, uint64_t value, unsigned base)
{
    char digits[24];
    size_t count = 0;
    do {
        digits[count++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    while (count && line->length < sizeof line->text - 1)
        line->text[line->length++] = digits[--count];
}

static void put_place(struct line *line, uintptr_t pc)
{
    put_text(line, " at ");
    for (int i = 0; i < object_count; i++) {
        if (pc >= objects[i].first && pc < objects[i].last) {
            put_text(line, objects[i].name);
            put_text(line, "+0x");
            put_number(line, pc - objects[i].base, 16);
            return;
        }
    }
    put_text(line, "0x");
    put_number(line, pc, 16);
}

static void put_stage(struct line *line, bool with_placement)
{
    if (!stage_text)
        return;
    put_text(line, " during ");
    put_text(line, stage_text);
    if (with_placement && stage_placement < GUARD_PLACEMENT_COUNT) {
        put_text(line, " (");
        put_text(line, guard_placement_name((enum guard_placement)stage_placement));
        put_text(line, ")");
    }
}

static uintptr_t fault_pc(const ucontext_t *context)
{
#if defined(__x86_64__)
    return (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    return (uintptr_t)context->uc_mcontext.pc;
#else
    (void)context;
    return 0;
#endif
}

/* x86 pushes the page-fault error code, bit 1 of which is set for a write. Elsewhere the fault counts as a read unless
 * the page could be read. */
static bool fault_was_write(const ucontext_t *context, const struct guard_region *region, bool inside)
{
#if defined(__x86_64__)
    (void)region;
    (void)inside;
    return (context->uc_mcontext.gregs[REG_ERR] & 2) != 0;
#else
    (void)context;
    return inside && region->access == GUARD_READ_ONLY;
#endif
}

static const struct guard_region *region_at(uintptr_t address)
{
    for (size_t i = 0; i < REGION_COUNT; i++) {
        const struct guard_region *const region = regions[i];
        if (region && address - (uintptr_t)region->map < region->map_bytes)
            return region;
    }
    return NULL;
}

static void put_region_fault(struct line *line, const struct guard_region *region, uintptr_t address, const ucontext_t *context)
{
    const uintptr_t data = (uintptr_t)region->data;
    const bool inside = address >= data && address < data + region->bytes;
    const bool write = fault_was_write(context, region, inside);
    if (inside && region->access == GUARD_FORBIDDEN) {
        put_text(line, "CONTRACT\taccess to ");
        put_text(line, region->name);
        put_text(line, ", which the call may not use, at byte ");
        put_number(line, address - data, 10);
    } else if (inside) {
        put_text(line, "DIRTY_INPUT\twrite to the input ");
        put_text(line, region->name);
        put_text(line, " at byte ");
        put_number(line, address - data, 10);
    } else {
        put_text(line, write ? "OOB_WRITE\twrite " : "OOB_READ\tread ");
        put_number(line, address < data ? data - address : address - data - region->bytes, 10);
        put_text(line, address < data ? " bytes before the start of " : " bytes past the end of ");
        put_text(line, region->name);
    }
    put_text(line, " (");
    put_number(line, region->bytes, 10);
    put_text(line, " bytes)");
}

static const char *signal_text(int number)
{
    switch (number) {
    case SIGSEGV:
        return "SIGSEGV";
    case SIGBUS:
        return "SIGBUS";
    case SIGFPE:
        return "SIGFPE";
    case SIGILL:
        return "SIGILL";
    default:
        return "SIGABRT";
    }
}

static void on_fault(int number, siginfo_t *info, void *raw)
{
    const ucontext_t *const context = raw;
    struct line line = {.length = 0};
    /* A second thread that faults meanwhile waits for the exit. */
    while (atomic_flag_test_and_set(&reporting))
        pause();
    const bool memory = number == SIGSEGV || number == SIGBUS;
    const struct guard_region *const region = memory ? region_at((uintptr_t)info->si_addr) : NULL;
    put_text(&line, "fault\t");
    if (region) {
        put_region_fault(&line, region, (uintptr_t)info->si_addr, context);
    } else {
        put_text(&line, "CRASH\t");
        put_text(&line, signal_text(number));
        if (memory) {
            put_text(&line, " on address 0x");
            put_number(&line, (uintptr_t)info->si_addr, 16);
        }
    }
    put_stage(&line, region != NULL);
    put_place(&line, fault_pc(context));
    line.text[line.length++] = '\n';
    size_t sent = 0;
    while (sent < line.length) {
        const ssize_t count = write(report_descriptor, line.text + sent, line.length - sent);
        if (count <= 0)
            break;
        sent += (size_t)count;
    }
    _exit(GUARD_EXIT_STATUS);
}

bool guard_install(int report_fd)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    static char stack[STACK_BYTES];
    const stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    sigemptyset(&action.sa_mask);
    report_descriptor = report_fd;
    guard_note_objects();
    if (sigaltstack(&alternate, NULL) != 0)
        return false;
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        if (sigaction(signals[i], &action, NULL) != 0)
            return false;
    }
    return true;
}
