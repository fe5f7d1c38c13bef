/* worker: the side of a session that loads the plugin. Serves requests, one line each, until the socket closes:
 *     hello                                                      -> ok name version author threading summary variant,variant
 *     supports VARIANT PROBLEM                                    -> ok | no WHY TEXT
 *     verify   VARIANT THREADS SEED MEM_LIMIT FULL_MACS STRICT PROBLEM -> record FIELDS…  (record_encode)
 *     open     VARIANT THREADS SEED MIN_BATCH_NS MEM_LIMIT PROBLEM  -> ok ID PLAN_NS PREPARE_NS ITERATIONS WORKSPACE PREPARED
 * ALGORITHM batch    ID                                                -> ok MEAN_NS MIN_NS close    ID -> ok probe    THREADS ->
 * ok GFLOPS run      VARIANT THREADS MEM_LIMIT PROBLEM slot=FILE …      -> ok TEXT phases ID -> ok PHASES|- WITHOUT_MOVES_NS conform  VARIANT THREADS INDEX -> ok RULE
 * VERDICT REASON SENTENCE | end Anything may be answered by: error STATUS TEXT. A fault handler may write "fault VERDICT REASON"
 * before the end. */
#ifndef CONVOY_CLI_WORKER_H
#define CONVOY_CLI_WORKER_H

/* Returns when the peer closes. plugin or referee "-": none. */
void worker_serve(int fd, const char *plugin, const char *referee);

#endif
