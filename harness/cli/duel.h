/* duel: one case, two builds, four workers: verified, raced, and the times of the common rounds kept. */
#ifndef CONVOY_CLI_DUEL_H
#define CONVOY_CLI_DUEL_H

#include "cli/builds.h"
#include "cli/journal.h"
#include "cli/race.h"
#include "report/diff.h"

struct duel {
    const struct table_row *row;
    struct record record, old;  /* of the new build: verdict and reason where there is no time; of the old one    */
    bool admitted;              /* both builds are right here: set it to take another run's word for that          */
    bool timed, lost, declined; /* lost: the new build fails; declined: it does not support what the old one does */
    double *ns[DIFF_RUNNERS];
    size_t rounds;
};

/* record: started by the caller, problem and threads included. Whatever the status, duel_free. */
convoy_status duel_run(struct duel *duel, struct builds *builds, struct journal *journal, const struct options *options,
                       const struct race_rules *rules, double *peak_gflops, struct convoy_error *err);
void duel_free(struct duel *duel);

/* For race_rules.decided: the interval of the change lies within the margin, or beyond it, by undisturbed rounds. */
bool duel_decided(const struct race_rules *rules, const struct entrant *entrant, size_t entrants);

#endif
