/* mutant: the reference backend with one known bug, chosen by the variant's name. It loads the plugin that the environment
 * variable CONVOY_MUTANT_BASE names and spoils what goes into it or comes out of it. The verifier must catch every bug. */
#ifndef CONVOY_MUTANTS_MUTANT_H
#define CONVOY_MUTANTS_MUTANT_H

#include <convoy/plugin.h>

union problem {
    struct convoy_problem head;
    struct convoy_conv conv;
    struct convoy_pool pool;
    struct convoy_bn bn;
    struct convoy_eltwise eltwise;
};

struct bug;

struct self {
    struct convoy_instance base;
    struct convoy_instance *inner;
    const struct convoy_host *host;
    const struct bug *bug;
};

struct plan {
    struct convoy_plan base;
    struct convoy_plan *inner;
    struct self *self;
    union problem problem; /* as asked for                                  */
    unsigned executions;
    float *memory; /* a result that is kept                         */
};

/* One execute: slot starts as the caller's and may be redirected to scratch copies. */
struct job {
    struct plan *plan;
    const union problem *p;
    struct convoy_tensor slot[CONVOY_NSLOTS];
    struct convoy_buffer scratch[CONVOY_NSLOTS];
    float *kept; /* from before to after                          */
};

struct bug {
    const char *name;
    void (*alter)(union problem *); /* plans another problem than the one asked for       */
    void (*before)(struct job *);
    void (*after)(struct job *);
    void (*info)(const struct plan *, struct convoy_plan_info *);
    convoy_status (*prepare)(struct convoy_plan *, const struct convoy_args *, struct convoy_error *);
    convoy_status supports, planned, executed; /* not CONVOY_OK: answered instead                    */
    int silent;                                /* refuses without a reason                           */
};

/* ---- access to a job, in mutant.c ---- */

float *job_data(const struct job *job, uint32_t slot);
int64_t job_count(const struct job *job, uint32_t slot); /* in floats */
float *job_copy(const struct job *job, uint32_t slot);   /* malloc'ed */
float *job_redirect(struct job *job, uint32_t slot);     /* from here on the base sees a copy of the slot */
uint32_t job_main_input(const struct job *job);          /* X, else DY, else DW */
uint32_t job_main_output(const struct job *job);
float *job_output(const struct job *job);
int64_t job_outputs(const struct job *job);

/* Declares plain float arithmetic in place of exact results. */
void declare_direct(const struct plan *plan, struct convoy_plan_info *info);

/* ---- the bugs, each table ended by a row without a name ---- */

extern const struct bug operand_bugs[];   /* a wrong problem, wrong inputs          */
extern const struct bug result_bugs[];    /* outputs of any operation               */
extern const struct bug statistic_bugs[]; /* batch norm and pooling                 */
extern const struct bug conduct_bugs[];   /* memory, modes, declarations, answers   */

#endif
