#include "bench/roofline.h"

#include "core/slots.h"
#include <convoy/plugin.h>
#include <math.h>

static void count_traffic(const union problem *problem, double *read_bytes, double *written_bytes)
{
    struct slot_info info[CONVOY_NSLOTS];
    slots_describe(problem, info);
    *read_bytes = *written_bytes = 0;
    for (uint32_t slot = 0; slot < CONVOY_NSLOTS; slot++) {
        if (info[slot].role == SLOT_INPUT || info[slot].role == SLOT_INOUT)
            *read_bytes += (double)info[slot].bytes;
        if (info[slot].role == SLOT_OUTPUT || info[slot].role == SLOT_INOUT)
            *written_bytes += (double)info[slot].bytes;
    }
}

/* In ns; 0 where a rate that it needs was not measured. */
static double traffic_ns(double read_bytes, double written_bytes, const double gbps[BANDWIDTH_KINDS])
{
    const double copy = fmax(gbps[BANDWIDTH_COPY], gbps[BANDWIDTH_COPY_STREAM]), read = gbps[BANDWIDTH_READ];
    const double write = fmax(gbps[BANDWIDTH_WRITE], gbps[BANDWIDTH_WRITE_STREAM]);
    if (!(copy > 0 && read > 0 && write > 0))
        return 0;
    const double paired = fmin(read_bytes, written_bytes);
    return 2 * paired / copy + (read_bytes - paired) / read + (written_bytes - paired) / write;
}

struct roofline roofline_of(const union problem *problem, double peak_gflops, const struct bandwidth *bandwidth)
{
    double read_bytes, written_bytes;
    count_traffic(problem, &read_bytes, &written_bytes);
    /* Tensors that are read and written are held once, but a few bytes a channel decide nothing. */
    const double held_bytes = fmin(read_bytes + written_bytes, (double)(INT64_MAX / 2));
    const enum bandwidth_level level = bandwidth_level_of(bandwidth, (int64_t)held_bytes);
    const double bytes_ns = traffic_ns(read_bytes, written_bytes, bandwidth->gbps[level]);
    const double operations_ns = peak_gflops > 0 ? (double)problem_flops(problem) / peak_gflops : 0;
    return (struct roofline){
        .least_ns = fmax(bytes_ns, operations_ns),
        .gbps = bytes_ns > 0 ? (read_bytes + written_bytes) / bytes_ns : 0,
        .limit = operations_ns > bytes_ns ? "FMA" : bandwidth_level_name(level),
    };
}
