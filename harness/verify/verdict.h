/* verdict: the one word that a case ends with. Their names are what the CSV holds. */
#ifndef CONVOY_VERIFY_VERDICT_H
#define CONVOY_VERIFY_VERDICT_H

#include <stdbool.h>

enum verdict {
    VERDICT_NOT_RUN,           /* the run ended before the case                                       */
    VERDICT_PASS,
    VERDICT_MARGINAL,          /* above the bound, at most four times; fails with --strict            */
    VERDICT_UNSUPPORTED,       /* supports() declined, with a reason                                  */
    VERDICT_SKIPPED,           /* the harness declined: over --mem-limit, no data, …                  */
    VERDICT_FAIL,              /* a wrong value                                                       */
    VERDICT_MISTRUSTED,        /* vacuous: too many outputs are zero                                  */
    VERDICT_LIAR,              /* supports() said yes, plan() said no                                 */
    VERDICT_CRASH,             /* signal, abort, exit                                                 */
    VERDICT_TIMEOUT,
    VERDICT_OOB_READ,
    VERDICT_OOB_WRITE,
    VERDICT_UNWRITTEN,         /* an output element kept its poison                                   */
    VERDICT_DIRTY_INPUT,       /* an input changed                                                    */
    VERDICT_NONDETERMINISTIC,  /* other bits than declared, run to run, over threads or alignments    */
    VERDICT_FPENV,             /* rounding or flush modes changed                                     */
    VERDICT_LEAK,
    VERDICT_OOM,
    VERDICT_INVALID_PERF,      /* timed, but not at work: faster than the roof, or stale outputs      */
    VERDICT_CONTRACT,          /* another rule of the ABI broken: the reason says which               */
    VERDICT_COUNT
};

const char *verdict_name(enum verdict verdict);      /* "PASS" */
enum verdict verdict_by_name(const char *name);      /* VERDICT_COUNT: none */
bool verdict_is_failure(enum verdict verdict, bool strict);  /* neither PASS, UNSUPPORTED, SKIPPED nor (unless strict) MARGINAL */

#endif
