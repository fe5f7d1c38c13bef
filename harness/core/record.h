/* record: one row of results. One table of columns drives header, writing, reading and the protocol between program and
 * workers; the dictionary in results/README.md is checked against it. */
#ifndef CONVOY_CORE_RECORD_H
#define CONVOY_CORE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RECORD_PHASES_BYTES = 256 };

/* Absent numbers: INT64_MIN and NaN; both are written as an empty field. */
struct record {
    char command[16];         /* "verify", "bench" or "compare"                                                    */
    char network[48], layer[64];
    int64_t count;            /* how often the network has this layer                                   */
    char problem[256];
    char op[32], pass[16];    /* "maxpool_fwd", "bwd-data"                                              */
    char backend[48], variant[48], algorithm[48];
    char numerics[32];        /* "winograd(4,3)"                                                        */
    char accuracy_class[16];  /* "exact", "strict" or "fast"                                            */
    char deterministic[8];    /* "yes" or "no", as the plan declares                                    */
    int64_t threads;
    char cache[8];            /* "hot" or "cold"                                                        */
    char verdict[24];         /* "PASS", … see verify/verdict.h                                         */
    char reason[320];
    double error_in_bounds;   /* worst |error| / bound                                                  */
    double l2_rel, max_rel;   /* |y-r|_2/|r|_2, max|y-r|/max|r|                                         */
    double backward_error;    /* max |y-r|/D in units of 2^-24                                          */
    int64_t plan_ns, prepare_ns, median_ns, min_ns, mad_ns, rounds, iterations;
    int64_t low_ns, high_ns, p5_ns, p95_ns, disturbed;
    double noise_pct;         /* A/A: the same plugin file against itself                               */
    double gflops, pct_peak, peak_gflops;
    double pct_roof, roof_gbps;
    char roof[8];             /* "FMA", "L2", "L3" or "DRAM"                                            */
    char phases[RECORD_PHASES_BYTES]; /* "multiply=1200 reorder=340"                                            */
    int64_t without_moves_ns;
    int64_t workspace_bytes, prepared_bytes;
    char domain[72]; /* "host", or a device's memory; bringing activations there and back      */
    int64_t upload_ns, download_ns;
    int64_t launch_ns, queued_ns; /* a launch of nothing: with its wait; in a queue                       */
    int64_t baseline_ns;      /* "compare": the other build's time, and this one's over it              */
    double ratio, ratio_low, ratio_high, p_holm, p_equivalent;
    char baseline_hash[24];
    int64_t seed;
    char machine[64], cpu[96], plugin_version[32], plugin_hash[24], revision[48], utc[24];
    char repro[512];
};

enum record_type { RECORD_TEXT, RECORD_INT, RECORD_REAL };
struct record_column {
    const char *name;
    enum record_type type;
    size_t offset, size;
    const char *meaning;      /* for the dictionary                                                     */
};
extern const struct record_column record_columns[];
extern const size_t record_column_count;

/* All text empty, all numbers absent. */
void record_clear(struct record *record);

/* Text of one column; returns the length it has whole. Reals are printed with 9 significant digits. */
int record_get(const struct record *record, size_t column, char *buf, size_t size);

/* False if the text is no such number or does not fit. An empty text sets "absent". */
bool record_set(struct record *record, size_t column, const char *text);

int record_column_by_name(const char *name); /* -1: none */

/* One line, fields separated by tabs, with \t \n \\ escaped: the protocol between program and workers. */
int record_encode(const struct record *record, char *buf, size_t size);
bool record_decode(const char *line, struct record *record);

#endif
