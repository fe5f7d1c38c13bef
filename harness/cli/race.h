/* race: candidates against each other on one case: opened in their workers, timed in interleaved rounds, checked and closed. A
 * round is one batch of each, in an order that changes from round to round; workers that wait are stopped. */
#ifndef CONVOY_CLI_RACE_H
#define CONVOY_CLI_RACE_H

#include "cli/lineup.h"
#include "core/record.h"
#include "report/samples.h"

enum { RACE_DISCARDED = 3, RACE_LEAST_ROUNDS = 12, RACE_MOST_ROUNDS = 40, RACE_LEAST_UNDISTURBED = 8 };

/* A candidate on one case: its record, its place in the worker and its samples. */
struct entrant {
    const struct candidate *candidate;
    struct record record;
    const char *role; /* in the sample file */
    bool racing;
    char id[24];
    struct sample *sample; /* [rules.discarded + rules.most], round by round                   */
    size_t samples;        /* length of that array                                             */
    size_t discarded;
    int64_t spent_ns;
};

struct race_rules {
    int64_t discarded, least, most; /* rounds */
    bool equal_batches;             /* the same iteration count for all */
    uint64_t cold_bytes;            /* 0: hot; see bench.h */
    bool phases;                    /* ask the profiler, after the last round */
    double margin;                  /* for decided: as a logarithm, what a difference must reach */
    /* Asked after each round from `least` on: true ends the race. NULL: `most` rounds. */
    bool (*decided)(const struct race_rules *rules, const struct entrant *entrant, size_t entrants);
};

/* What --rounds and --cache ask for; threads are not part of it. cold_bytes is three times the last cache level. */
struct race_rules race_rules_of(const struct options *options, int64_t last_cache_bytes);

/* Room for the samples of a race under the rules; the entrants are otherwise the caller's. race_free gives it back. */
bool race_reserve(struct entrant *entrant, size_t entrants, const struct race_rules *rules);
void race_free(struct entrant *entrant, size_t entrants);

/* Opens the case of an entrant whose record says problem and threads; a failure is in its record. */
void race_enter(struct entrant *entrant, const struct options *options, const struct race_rules *rules);

/* Rounds until the rules, the budget or an interrupt end them; then every entrant's outputs are checked and its case is closed.
 */
void race_run(struct entrant *entrant, size_t entrants, const struct options *options, const struct race_rules *rules);

/* Fills the time columns of the record from the samples. False: the entrant has no time. */
bool race_summarise(struct entrant *entrant);

/* The statistic of one round: the mean or the least time of an execute. */
enum race_statistic { RACE_MEAN, RACE_MIN };

/* Rounds that all of the given entrants measured, undisturbed ones alone where at least RACE_LEAST_UNDISTURBED exist:
 * ns[e][i] is entrant e in the i-th of them. Returns how many; each ns[e] has room for the entrants' samples. */
size_t race_common(const struct entrant *const *entrant, size_t entrants, enum race_statistic statistic, double *const *ns,
                   bool *undisturbed);

/* Natural logarithm of b's time over a's, round by round; returns how many. ratio has room for a->samples. */
size_t race_log_ratios(const struct entrant *a, const struct entrant *b, enum race_statistic statistic, double *ratio);

#endif
