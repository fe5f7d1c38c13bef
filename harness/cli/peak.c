#include "cli/peak.h"
#include "bench/roof.h"
#include "bench/roofline.h"
#include "cli/session.h"
#include "core/error.h"
#include <convoy/plugin.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

convoy_status peak_probe(const struct options *options, int64_t threads, double *gflops, struct convoy_error *err)
{
    struct session session;
    struct session_end end;
    char request[64], *field[3];
    session_init(&session, "-", "-", options->in_process);
    snprintf(request, sizeof request, "probe\t%" PRId64, threads);
    if (session_call(&session, request, options->timeout_s, &end) == SESSION_ENDED)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "the peak probe ended: %s", end.reason);
    const size_t fields = session_split(session.line, field, 3);
    const bool ok = fields >= 2 && !strcmp(field[0], "ok");
    *gflops = ok ? strtod(field[1], NULL) : 0;
    session_close(&session);
    return ok ? CONVOY_OK : convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "the peak probe failed");
}

convoy_status peak_bandwidth(const struct options *options, int64_t threads, struct bandwidth *bandwidth,
                             struct convoy_error *err)
{
    struct session session;
    struct session_end end;
    char request[64], *field[3];
    session_init(&session, "-", "-", options->in_process);
    snprintf(request, sizeof request, "bandwidth\t%" PRId64, threads);
    if (session_call(&session, request, options->timeout_s, &end) == SESSION_ENDED)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "the bandwidth probe ended: %s", end.reason);
    const size_t fields = session_split(session.line, field, 3);
    const bool ok = fields >= 2 && !strcmp(field[0], "ok") && bandwidth_parse(field[1], bandwidth);
    session_close(&session);
    return ok ? CONVOY_OK : convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "the bandwidth probe failed");
}

void peak_judge(struct record *record, const struct options *options, const struct convoy_conv *conv, double *peak_gflops)
{
    enum { PROBES = 3 };
    const double slack = 1.25, needed = roof_least_flops(conv, record->numerics) / (double)record->min_ns;
    struct convoy_error err = error_none();
    for (int probe = 0; probe < PROBES && needed > slack * *peak_gflops; probe++) {
        double again = 0;
        if (peak_probe(options, record->threads, &again, &err) == CONVOY_OK && again > *peak_gflops)
            *peak_gflops = again;
    }
    record->peak_gflops = *peak_gflops;
    record->pct_peak = 100 * record->gflops / *peak_gflops;
    if (needed <= slack * *peak_gflops)
        return;
    snprintf(record->verdict, sizeof record->verdict, "%s", verdict_name(VERDICT_INVALID_PERF));
    snprintf(record->reason, sizeof record->reason,
             "%" PRId64 " ns would be %.0f GFLOP/s of operations that the arithmetic %s cannot do without; the peak is %.0f",
             record->min_ns, needed, record->numerics, *peak_gflops);
}

void peak_judge_roof(struct record *record, const union problem *problem, const struct bandwidth *bandwidth)
{
    const struct roofline roofline = roofline_of(problem, record->peak_gflops, bandwidth);
    if (!(roofline.least_ns > 0))
        return;
    record->pct_roof = 100 * roofline.least_ns / (double)(record->median_ns > 0 ? record->median_ns : 1);
    record->roof_gbps = roofline.gbps;
    snprintf(record->roof, sizeof record->roof, "%s", roofline.limit);
}
