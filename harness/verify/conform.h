/* conform: the rules of the ABI that no single result shows: answers that do not change, structs that are not overrun, instances
 * and plans that do not disturb each other, memory that is given back. One entry per rule; a fault in one ends the process, so
 * the caller runs each in a worker. Knows no reference values: verify_run judges those. */
#ifndef CONVOY_VERIFY_CONFORM_H
#define CONVOY_VERIFY_CONFORM_H

#include "verify/finding.h"
#include "verify/verify.h"

struct conform_rule {
    const char *name; /* "supports-pure"                                                           */
    const char *rule; /* the sentence of the contract                                              */
    /* subject->instance is open. PASS, SKIPPED (nothing to try it on) or a failure with its reason. */
    void (*check)(const struct verify_subject *subject, struct finding *finding);
};
extern const struct conform_rule conform_rules[];
extern const size_t conform_rule_count;

/* Small problems of every operation and pass, for rules that need some: NULL-ended problem strings. */
extern const char *const conform_problems[];

/* Rules about plans, in conform_plan.c. */
void conform_plan_is_stable(const struct verify_subject *subject, struct finding *finding);
void conform_problem_is_copied(const struct verify_subject *subject, struct finding *finding);
void conform_plans_are_independent(const struct verify_subject *subject, struct finding *finding);
void conform_plans_run_at_once(const struct verify_subject *subject, struct finding *finding);
void conform_memory_is_returned(const struct verify_subject *subject, struct finding *finding);
void conform_execute_keeps_heap(const struct verify_subject *subject, struct finding *finding);

#endif
