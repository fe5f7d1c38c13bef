/* worker: the side of a session that loads the plugin. Serves requests, one line each, until the socket closes:
 *     hello                                                      -> ok name version author threading summary variant,variant
 *     supports VARIANT PROBLEM                                    -> ok | no WHY TEXT
 *     classes  VARIANT                                            -> ok CLASS/CLASS… | ok -
 *     verify   VARIANT THREADS SEED MEM_LIMIT FULL_MACS STRICT PROBLEM -> record FIELDS…  (record_encode)
 *     open     VARIANT THREADS SEED MIN_BATCH_NS COLD_BYTES MEM_LIMIT PROBLEM
 *                                -> ok ID PLAN_NS PREPARE_NS ITERATIONS WORKSPACE PREPARED ALGORITHM
 *                                   CLASS DETERMINISTIC DOMAIN UPLOAD_NS DOWNLOAD_NS LAUNCH_NS QUEUED_NS
 *     iterations ID N            -> ok                                       equal batches for all: a power of two
 *     batch    ID                -> ok MEAN_NS MIN_NS WALL_NS CPU_NS WAITED_NS VOLUNTARY INVOLUNTARY STOLEN_NS LOAD MHZ DISTURBED
 *     check    ID                -> ok                                       the timed outputs are those of the inputs
 *     close    ID                -> ok
 *     probe    THREADS           -> ok GFLOPS
 *     bandwidth THREADS          -> ok GBPS…
 *     phases   ID                -> ok PHASES|- WITHOUT_MOVES_NS
 *     run      VARIANT THREADS MEM_LIMIT PROBLEM slot=FILE …      -> ok TEXT
 *     conform  VARIANT THREADS INDEX                             -> ok RULE VERDICT REASON SENTENCE | end
 *     device   INDEX                                              -> ok NAME TYPE DRIVER SOFTWARE MEMORY RANGE GROUP SHARED SUBGROUP | no
 *     tune     VARIANT SEED MEM_LIMIT FORCE PROBLEM               -> ok COUNT DEFAULT_NS CLOCK DEVICE DRIVER PATH | no WHY TEXT
 *     try      INDEX BEST_NS                                      -> ok NAME NS SPENT_NS | out NAME TEXT SPENT_NS
 *     keep     INDEX                                              -> ok ALGORITHM | out TEXT
 * Anything may be answered by: error STATUS TEXT. A fault handler may write "fault VERDICT REASON" before the end. */
#ifndef CONVOY_CLI_WORKER_H
#define CONVOY_CLI_WORKER_H

/* Returns when the peer closes. plugin or referee "-": none. */
void worker_serve(int fd, const char *plugin, const char *referee);

#endif
