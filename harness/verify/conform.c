#include "verify/conform.h"
#include "core/error.h"
#include <convoy/plugin.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const conform_problems[] = {"conv_fwd:n2c8h9w7k12kh3p1b1",
                                        "conv_bwd_data:n2c8h9w7k12kh3p1",
                                        "conv_bwd_weights:n2c8h9w7k12kh3p1b1",
                                        "conv_fwd:c4h11k6kh5s2g2",
                                        "conv_fwd:c16h8k16kh1",
                                        "maxpool_fwd:n2c3h8kh2s2",
                                        "maxpool_bwd:n2c3h8kh2s2",
                                        "avgpool_fwd:c3h9kh3s2p1",
                                        "avgpool_bwd:c3h9kh3s2p1",
                                        "bn_train:n4c5h6",
                                        "bn_infer:n4c5h6",
                                        "bn_bwd:n4c5h6",
                                        "relu:n1000",
                                        "add:n77",
                                        NULL};

static const char *text_of(const char *text)
{
    return text ? text : "";
}

static void table_is_whole(const struct verify_subject *subject, struct finding *finding)
{
    const struct convoy_plugin *plugin = subject->plugin;
    if (!*text_of(plugin->version) || !*text_of(plugin->author) || !*text_of(plugin->summary))
        finding_set(finding, VERDICT_CONTRACT, "version, author and summary must say something");
    for (const char *const *a = plugin->variants; a && *a; a++) {
        if (!**a || strpbrk(*a, ":,\t\n "))
            finding_set(finding, VERDICT_CONTRACT, "the variant name \"%.40s\" is empty or holds a colon, a comma or a blank",
                        *a);
        for (const char *const *b = a + 1; *b; b++) {
            if (!strcmp(*a, *b))
                finding_set(finding, VERDICT_CONTRACT, "two variants are named %.40s", *a);
        }
    }
}

static void unknown_variant_is_refused(const struct verify_subject *subject, struct finding *finding)
{
    struct convoy_instance *instance = NULL;
    struct convoy_error err = error_none();
    if (!subject->plugin->variants) {
        finding_set(finding, VERDICT_SKIPPED, "the plugin lists no variants");
        return;
    }
    if (subject->plugin->open(subject->host, "no such variant", &instance, &err) != CONVOY_OK) {
        if (!err.text[0])
            finding_set(finding, VERDICT_CONTRACT, "open() refuses an unknown variant without a sentence");
        return;
    }
    instance->ops->close(instance);
    finding_set(finding, VERDICT_CONTRACT, "open() takes a variant that the plugin does not list");
}

static void two_instances_live(const struct verify_subject *subject, struct finding *finding)
{
    struct convoy_instance *instance[2] = {NULL, NULL};
    for (int i = 0; i < 2; i++) {
        struct convoy_error err = error_none();
        const convoy_status status = subject->plugin->open(subject->host, subject->variant, &instance[i], &err);
        if (status != CONVOY_OK)
            finding_status(finding, "a further open", status, &err);
    }
    if (instance[0] && instance[0] == instance[1])
        finding_set(finding, VERDICT_CONTRACT, "two open() calls return the same instance");
    for (int i = 0; i < 2; i++) {
        if (instance[i] && (i == 0 || instance[1] != instance[0]))
            instance[i]->ops->close(instance[i]);
    }
}

static bool parse(const char *text, union problem *problem, struct finding *finding)
{
    struct convoy_error err = error_none();
    return problem_parse(text, problem, &err) == CONVOY_OK || finding_set(finding, VERDICT_NOT_RUN, "%s: %s", text, err.text);
}

/* Same answer twice, problem untouched, err written on refusal and only then. */
static void supports_is_pure(const struct verify_subject *subject, struct finding *finding)
{
    for (const char *const *text = conform_problems; *text; text++) {
        union problem problem, before;
        memset(&problem, 0, sizeof problem);
        if (!parse(*text, &problem, finding))
            return;
        memcpy(&before, &problem, sizeof before);
        struct convoy_error first, second;
        memset(&first, 0x5a, sizeof first);
        first.struct_size = sizeof first;
        second = first;
        const struct convoy_error untouched = first;
        const convoy_status a = subject->instance->ops->supports(subject->instance, &problem.head, &first);
        const convoy_status b = subject->instance->ops->supports(subject->instance, &problem.head, &second);
        if (a != b || (a != CONVOY_OK && strncmp(first.text, second.text, sizeof first.text)))
            finding_set(finding, VERDICT_CONTRACT, "%s: supports() answers otherwise when it is asked again", *text);
        if (memcmp(&before, &problem, sizeof before))
            finding_set(finding, VERDICT_CONTRACT, "%s: supports() changes the problem", *text);
        if (a == CONVOY_OK && memcmp(&first, &untouched, sizeof first))
            finding_set(finding, VERDICT_CONTRACT, "%s: supports() writes an error and says yes", *text);
        if (a != CONVOY_OK && (!memchr(first.text, '\0', sizeof first.text) || !first.text[0] || first.text[0] == 0x5a ||
                               first.why == CONVOY_WHY_NONE || first.why >= CONVOY_WHY_COUNT))
            finding_set(finding, VERDICT_CONTRACT, "%s: supports() says no without a sentence and a known reason code", *text);
        if (a != CONVOY_OK && a != CONVOY_UNSUPPORTED)
            finding_set(finding, VERDICT_CONTRACT, "%s: supports() must say OK or UNSUPPORTED to a valid problem, it says %s",
                        *text, status_name(a));
        if (subject->instance->ops->supports(subject->instance, &problem.head, NULL) != a)
            finding_set(finding, VERDICT_CONTRACT, "%s: supports() answers otherwise without an error to fill", *text);
    }
}

/* What the plugin cannot know it must decline, not compute. */
static void unknown_codes_are_declined(const struct verify_subject *subject, struct finding *finding)
{
    for (const char *const *text = conform_problems; *text; text++) {
        union problem problem;
        if (!parse(*text, &problem, finding))
            return;
        if (subject->instance->ops->supports(subject->instance, &problem.head, NULL) != CONVOY_OK)
            continue;
        const struct {
            const char *what;
            size_t offset;
            uint32_t value;
        } strange[] = {
            {"operation", offsetof(struct convoy_problem, op), 9999},
            {"dtype", offsetof(struct convoy_problem, dtype), 77},
            {"layout", offsetof(struct convoy_problem, layout), 77},
            {"flag", offsetof(struct convoy_problem, flags), problem.head.flags | 0x40000000},
        };
        for (size_t s = 0; s < sizeof strange / sizeof strange[0]; s++) {
            union problem other = problem;
            memcpy((char *)&other + strange[s].offset, &strange[s].value, sizeof strange[s].value);
            if (subject->instance->ops->supports(subject->instance, &other.head, NULL) == CONVOY_OK)
                finding_set(finding, VERDICT_CONTRACT, "%s: supports() says yes to an unknown %s", *text, strange[s].what);
        }
    }
}

enum { ASKERS = 4, QUESTIONS = 200 };
struct asker {
    const struct verify_subject *subject;
    const union problem *problem;
    convoy_status expected;
    int wrong;
};
static void *ask(void *context)
{
    struct asker *asker = context;
    for (int q = 0; q < QUESTIONS; q++)
        asker->wrong +=
            asker->subject->instance->ops->supports(asker->subject->instance, &asker->problem->head, NULL) != asker->expected;
    return NULL;
}

static void supports_is_concurrent(const struct verify_subject *subject, struct finding *finding)
{
    for (const char *const *text = conform_problems; *text; text++) {
        union problem problem;
        if (!parse(*text, &problem, finding))
            return;
        struct asker asker[ASKERS];
        pthread_t thread[ASKERS];
        int started = 0;
        const convoy_status expected = subject->instance->ops->supports(subject->instance, &problem.head, NULL);
        for (; started < ASKERS; started++) {
            asker[started] = (struct asker){subject, &problem, expected, 0};
            if (pthread_create(&thread[started], NULL, ask, &asker[started]))
                break;
        }
        int wrong = 0;
        for (int i = 0; i < started; i++) {
            pthread_join(thread[i], NULL);
            wrong += asker[i].wrong;
        }
        if (wrong)
            finding_set(finding, VERDICT_CONTRACT,
                        "%s: supports() is tagged [any], and answers otherwise from several threads at once", *text);
    }
}

const struct conform_rule conform_rules[] = {
    {"table", "The plugin table names version, author and summary, and variants that differ.", table_is_whole},
    {"variants", "open() refuses a variant that the plugin does not list.", unknown_variant_is_refused},
    {"instances", "Several instances may live at once.", two_instances_live},
    {"supports-pure", "supports() is a pure function that leaves the problem alone and explains each no.", supports_is_pure},
    {"supports-unknown", "supports() declines operations, types, layouts and flags that it does not know.",
     unknown_codes_are_declined},
    {"supports-any", "supports() may be called from several threads at once.", supports_is_concurrent},
    {"plan-info", "info() gives the same answer each time and writes no further than struct_size.", conform_plan_is_stable},
    {"plan-copies", "A plan keeps no pointer to the problem that it was made from.", conform_problem_is_copied},
    {"plans-apart", "Plans of one problem are independent: destroying one leaves the others whole.",
     conform_plans_are_independent},
    {"plans-at-once", "Different plans may execute at the same time.", conform_plans_run_at_once},
    {"no-leak", "plan and destroy, open and close give back all memory.", conform_memory_is_returned},
    {"execute-heap", "execute() leaves nothing on the heap.", conform_execute_keeps_heap},
};
const size_t conform_rule_count = sizeof conform_rules / sizeof conform_rules[0];
