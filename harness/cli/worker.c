#include "cli/worker.h"
#include "bench/bench.h"
#include "bench/bandwidth.h"
#include "bench/launch.h"
#include "bench/probe.h"
#include "bench/transfer.h"
#include "cli/runfile.h"
#include "cli/session.h"
#include "cli/tuning.h"
#include "core/accuracy.h"
#include "core/error.h"
#include "core/host.h"
#include "core/loader.h"
#include "core/record.h"
#include "verify/conform.h"
#include "verify/guard.h"
#include "verify/tolerance.h"
#include "verify/verify.h"
#include <convoy/devices.h>
#include <convoy/plugin.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_INSTANCES = 64, MAX_BENCHES = 256, MAX_FIELDS = 40 };

/* One instance per (variant, threads), opened when first asked for and kept, as a network would keep it. */
struct opened {
    char variant[48];
    uint32_t threads;
    struct host *host;
    struct convoy_instance *instance;
    struct launch_cost launch; /* of its device, measured with the first case that is timed */
    bool launch_known;
};

struct worker {
    int fd;
    const char *plugin_path, *referee_path;
    const struct convoy_plugin *plugin, *referee_plugin;
    const struct convoy_referee *referee;
    int fpenv_changed; /* loading the plugin changed rounding or flush modes: seen on the first load only */
    struct verify_subject tuned; /* of `tuning`, the one that is open */
    struct tuning *tuning;
    struct opened opened[MAX_INSTANCES];
    size_t opened_count;
    struct bench_case *bench[MAX_BENCHES];
    struct host *host[MAX_BENCHES]; /* of each case */
};

static void reply(const struct worker *worker, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void reply(const struct worker *worker, const char *format, ...)
{
    char line[SESSION_LINE_BYTES];
    va_list list;
    va_start(list, format);
    int length = vsnprintf(line, sizeof line - 1, format, list);
    va_end(list);
    if (length < 0)
        return;
    if ((size_t)length > sizeof line - 2)
        length = (int)sizeof line - 2;
    line[length++] = '\n';
    const char *at = line;
    while (length > 0) {
        const ssize_t sent = write(worker->fd, at, (size_t)length);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return; /* the program is gone; so are we, soon */
        at += sent;
        length -= (int)sent;
    }
}

/* Error texts come from plugins: no tab or newline of theirs may break the line. */
static void reply_error(const struct worker *worker, convoy_status status, struct convoy_error *err)
{
    for (char *c = err->text; *c; c++) {
        if (*c == '\t' || *c == '\n' || *c == '\r')
            *c = ' ';
    }
    reply(worker, "error\t%s\t%s", status_name(status), err->text[0] ? err->text : status_sentence(status));
}

static convoy_status load(struct worker *worker, struct convoy_error *err)
{
    return worker->plugin ? CONVOY_OK : loader_open(worker->plugin_path, &worker->plugin, &worker->fpenv_changed, err);
}

static convoy_status load_referee(struct worker *worker, struct convoy_error *err)
{
    if (worker->referee)
        return CONVOY_OK;
    const convoy_status status = loader_open(worker->referee_path, &worker->referee_plugin, NULL, err);
    if (status != CONVOY_OK)
        return status;
    if (worker->referee_plugin->extension)
        worker->referee = worker->referee_plugin->extension(CONVOY_REFEREE_ID);
    if (!worker->referee)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: offers no %s, so nothing can be verified against it",
                           worker->referee_path, CONVOY_REFEREE_ID);
    return CONVOY_OK;
}

static convoy_status open_instance(struct worker *worker, const char *variant, uint32_t threads, struct opened **out,
                                   struct convoy_error *err)
{
    for (size_t i = 0; i < worker->opened_count; i++) {
        if (worker->opened[i].threads == threads && !strcmp(worker->opened[i].variant, variant)) {
            *out = &worker->opened[i];
            return CONVOY_OK;
        }
    }
    convoy_status status = load(worker, err);
    if (status != CONVOY_OK)
        return status;
    if (worker->opened_count == MAX_INSTANCES)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "more than %d instances of one plugin", MAX_INSTANCES);
    struct opened *opened = &worker->opened[worker->opened_count];
    *opened = (struct opened){.threads = threads};
    snprintf(opened->variant, sizeof opened->variant, "%s", variant);
    opened->host = host_open(threads, err);
    if (!opened->host)
        return CONVOY_NO_MEMORY;
    status = loader_instance(worker->plugin, host_table(opened->host), variant, &opened->instance, err);
    if (status != CONVOY_OK) {
        host_close(opened->host);
        return status;
    }
    worker->opened_count++;
    *out = opened;
    return CONVOY_OK;
}

static uint64_t whole(const char *text)
{
    return strtoull(text, NULL, 10);
}

/* NULL: the plugin has no devices to tell apart. */
static const struct convoy_devices *devices_of(const struct convoy_plugin *plugin)
{
    const struct convoy_devices *const devices = plugin->extension ? plugin->extension(CONVOY_DEVICES_ID) : NULL;
    return devices && convoy_has(devices, describe) ? devices : NULL;
}

static convoy_status serve_device(struct worker *worker, char **field, size_t fields, struct convoy_error *err)
{
    (void)fields;
    convoy_status status = load(worker, err);
    if (status != CONVOY_OK)
        return status;
    const struct convoy_devices *const devices = devices_of(worker->plugin);
    struct convoy_device_info info = {.struct_size = sizeof info};
    status = devices ? devices->describe((uint32_t)strtoul(field[1], NULL, 10), &info, err) : CONVOY_UNSUPPORTED;
    if (status == CONVOY_OK)
        reply(worker, "ok\t%s\t%s\t%s\t%u\t%llu\t%llu\t%u\t%u\t%u", info.name, info.type, info.driver, info.software,
              (unsigned long long)info.memory_bytes, (unsigned long long)info.range_bytes, info.group_most, info.shared_bytes,
              info.subgroup);
    else if (status == CONVOY_UNSUPPORTED)
        reply(worker, "no");
    else
        return status;
    return CONVOY_OK;
}

/* A backend for devices that finds none is unavailable, and says why. */
static convoy_status serve_hello(struct worker *worker, char **field, size_t fields, struct convoy_error *err)
{
    (void)field, (void)fields;
    const convoy_status status = load(worker, err);
    if (status != CONVOY_OK)
        return status;
    const struct convoy_devices *const devices = devices_of(worker->plugin);
    struct convoy_device_info first = {.struct_size = sizeof first};
    if (devices && devices->describe(0, &first, err) != CONVOY_OK)
        return CONVOY_FAILED;
    static const char *const threading[] = {
        [CONVOY_THREADS_HOST] = "host", [CONVOY_THREADS_OWN] = "own", [CONVOY_THREADS_DEVICE] = "device"};
    const struct convoy_plugin *plugin = worker->plugin;
    char variants[2048] = "";
    size_t used = 0;
    for (const char *const *variant = plugin->variants; variant && *variant && used < sizeof variants; variant++)
        used += (size_t)snprintf(variants + used, sizeof variants - used, "%s%s", used ? "," : "", *variant);
    const uint32_t kind = plugin->threading;
    reply(worker, "ok\t%s\t%s\t%s\t%s\t%s\t%s", plugin->name, plugin->version ? plugin->version : "",
          plugin->author ? plugin->author : "",
          kind >= CONVOY_THREADS_HOST && kind <= CONVOY_THREADS_DEVICE ? threading[kind] : "unknown",
          plugin->summary ? plugin->summary : "", variants);
    return CONVOY_OK;
}

/* A class may depend on the problem: for Winograd on how many terms a sum has. "-": none of these problems is supported. */
static convoy_status serve_classes(struct worker *worker, char **field, size_t fields, struct convoy_error *err)
{
    static const char *const samples[] = {"conv_fwd:c64h14k64kh3p1", "conv_fwd:c256h14k256kh3p1",
                                          "conv_bwd_weights:n2c64h14k64kh3p1"};
    static const char *const names[] = {"exact", "strict", "fast"};
    bool seen[sizeof names / sizeof *names] = {false};
    struct opened *opened = NULL;
    char text[32] = "";
    (void)fields;
    convoy_status status = open_instance(worker, field[1], 1, &opened, err);
    for (size_t s = 0; s < sizeof samples / sizeof *samples && status == CONVOY_OK; s++) {
        union problem problem;
        struct convoy_plan *plan = NULL;
        struct convoy_plan_info info;
        status = problem_parse(samples[s], &problem, err);
        if (status != CONVOY_OK || opened->instance->ops->supports(opened->instance, &problem.head, NULL) != CONVOY_OK ||
            loader_plan(opened->instance, &problem.head, &plan, &info, NULL) != CONVOY_OK)
            continue;
        for (size_t n = 0; n < sizeof names / sizeof *names; n++)
            seen[n] |= !strcmp(names[n], accuracy_class(&problem, &info.numerics));
        plan->ops->destroy(plan);
    }
    for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
        const size_t used = strlen(text);
        if (seen[n])
            snprintf(text + used, sizeof text - used, "%s%s", used ? "/" : "", names[n]);
    }
    if (status == CONVOY_OK)
        reply(worker, "ok\t%s", text[0] ? text : "-");
    return status;
}

static convoy_status serve_supports(struct worker *worker, char **field, size_t fields, struct convoy_error *err)
{
    (void)fields;
    union problem problem;
    struct opened *opened = NULL;
    convoy_status status = problem_parse(field[2], &problem, err);
    if (status == CONVOY_OK)
        status = open_instance(worker, field[1], 1, &opened, err);
    if (status != CONVOY_OK)
        return status;
    status = opened->instance->ops->supports(opened->instance, &problem.head, err);
    if (status == CONVOY_OK)
        reply(worker, "ok");
    else if (status == CONVOY_UNSUPPORTED)
        reply(worker, "no\t%s\t%s", why_name(err->why), err->text);
    else
        return status;
    return CONVOY_OK;
}

static convoy_status serve_verify(struct worker *worker, char **field, size_t fields, struct convoy_error *err)
{
    (void)fields;
    union problem problem;
    struct opened *opened = NULL;
    convoy_status status = problem_parse(field[7], &problem, err);
    if (status == CONVOY_OK)
        status = load_referee(worker, err);
    if (status == CONVOY_OK)
        status = open_instance(worker, field[1], (uint32_t)whole(field[2]), &opened, err);
    if (status != CONVOY_OK)
        return status;
    host_stay_awake(opened->host, 0);
    const struct verify_subject subject = {worker->plugin, opened->instance, host_table(opened->host), worker->referee,
                                           opened->variant};
    const struct verify_options options = {.seed = whole(field[3]),
                                           .mem_limit_bytes = whole(field[4]),
                                           .full_macs = (int64_t)whole(field[5]),
                                           .strict = whole(field[6]) != 0};
    struct record *record = malloc(sizeof *record);
    if (!record)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "out of memory");
    record_clear(record);
    if (worker->fpenv_changed) {
        snprintf(record->verdict, sizeof record->verdict, "%s", verdict_name(VERDICT_FPENV));
        snprintf(record->reason, sizeof record->reason,
                 "loading the plugin changes the floating-point environment (its constructors, or -ffast-math at its link)");
    } else {
        verify_run(&subject, &problem, &options, record);
    }
    char line[SESSION_LINE_BYTES];
    record_encode(record, line, sizeof line);
    free(record);
    reply(worker, "record\t%s", line);
    return CONVOY_OK;
}

/* Plans, prepares and calibrates the case of an "open" request. */
static convoy_status open_case(struct opened *opened, const union problem *problem, char **field, struct bench_case **bench,
                               struct bench_info *info, struct transfer *transfer, struct convoy_error *err)
{
    const struct convoy_host *host = host_table(opened->host);
    convoy_status status = opened->instance->ops->supports(opened->instance, &problem->head, err);
    if (status == CONVOY_OK)
        status = bench_open(opened->instance, host, problem, whole(field[3]), (int64_t)whole(field[4]), whole(field[5]),
                            whole(field[6]), bench, info, err);
    if (status != CONVOY_OK)
        return status;
    status = transfer_measure(opened->instance, host, problem, transfer, err);
    if (status == CONVOY_OK && !opened->launch_known) {
        status = launch_measure(opened->instance, host, &opened->launch, err);
        opened->launch_known = status == CONVOY_OK;
    }
    if (status != CONVOY_OK)
        bench_close(*bench);
    return status;
}

/* Threads are awake while a case is timed and sleep before the answer is sent: spinning ones would take a processor from the next
 * case, which may be another variant's in this process. */
static convoy_status serve_open(struct worker *worker, char **field, size_t fields, struct convoy_error *err)
{
    (void)fields;
    union problem problem;
    struct opened *opened = NULL;
    size_t id = 0;
    while (id < MAX_BENCHES && worker->bench[id])
        id++;
    if (id == MAX_BENCHES)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "more than %d open cases", MAX_BENCHES);
    convoy_status status = problem_parse(field[7], &problem, err);
    if (status == CONVOY_OK)
        status = open_instance(worker, field[1], (uint32_t)whole(field[2]), &opened, err);
    if (status != CONVOY_OK)
        return status;
    struct bench_info info;
    struct transfer transfer;
    worker->host[id] = opened->host;
    host_stay_awake(opened->host, 1);
    status = open_case(opened, &problem, field, &worker->bench[id], &info, &transfer, err);
    host_stay_awake(opened->host, 0);
    if (status != CONVOY_OK) {
        worker->bench[id] = NULL;
        return status;
    }
    reply(worker, "ok\t%zu\t%lld\t%lld\t%lld\t%llu\t%llu\t%s\t%s\t%s\t%s\t%lld\t%lld\t%lld\t%lld", id, (long long)info.plan_ns,
          (long long)info.prepare_ns, (long long)info.iterations, (unsigned long long)info.workspace_bytes,
          (unsigned long long)info.prepared_bytes, info.algorithm, accuracy_class(&problem, &info.numerics),
          info.numerics.flags & CONVOY_DETERMINISTIC ? "yes" : "no", transfer.domain, (long long)transfer.upload_ns,
          (long long)transfer.download_ns, (long long)opened->launch.waited_ns, (long long)opened->launch.queued_ns);
    return CONVOY_OK;
}

static struct bench_case **bench_at(struct worker *worker, const char *id, struct convoy_error *err)
{
    const uint64_t index = whole(id);
    if (index < MAX_BENCHES && worker->bench[index])
        return &worker->bench[index];
    convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "no open case %s", id);
    return NULL;
}

static convoy_status serve_batch(struct worker *worker, char **field, size_t fields, struct convoy_error *err)
{
    (void)fields;
    struct bench_case **bench = bench_at(worker, field[1], err);
    if (!bench)
        return CONVOY_INVALID;
    struct bench_sample sample = {0};
    struct host *host = worker->host[bench - worker->bench];
    host_stay_awake(host, 1);
    const convoy_status status = bench_batch(*bench, &sample, err);
    host_stay_awake(host, 0);
    const struct interference *seen = &sample.interference;
    if (status == CONVOY_OK)
        reply(worker, "ok\t%.17g\t%.17g\t%lld\t%lld\t%lld\t%lld\t%lld\t%lld\t%.3g\t%lld\t%d", sample.mean_ns, sample.min_ns,
              (long long)seen->wall_ns, (long long)seen->cpu_ns, (long long)seen->waited_ns, (long long)seen->voluntary,
              (long long)seen->involuntary, (long long)seen->stolen_ns, seen->load, (long long)seen->mhz, sample.disturbed);
    return status;
}

static convoy_status serve_iterations(struct worker *worker, char **field, size_t fields, struct convoy_error *err)
{
    (void)fields;
    struct bench_case **bench = bench_at(worker, field[1], err);
    const uint64_t iterations = whole(field[2]);
    if (!bench)
        return CONVOY_INVALID;
    if (iterations == 0 || iterations > 1u << 30 || (iterations & (iterations - 1)))
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "an iteration count is a power of two, not %s", field[2]);
    bench_set_iterations(*bench, (int64_t)iterations);
    reply(worker, "ok");
    return CONVOY_OK;
}

static convoy_status serve_check(struct worker *worker, char **field, size_t fields, struct convoy_error *err)
{
    (void)fields;
    struct bench_case **bench = bench_at(worker, field[1], err);
    if (!bench)
        return CONVOY_INVALID;
    const convoy_status status = bench_check(*bench, err);
    if (status == CONVOY_OK)
        reply(worker, "ok");
    return status;
}

/* "-": the plugin has no profiler, or tells nothing apart here. */
static convoy_status serve_phases(struct worker *worker, char **field, size_t fields, struct convoy_error *err)
{
    (void)fields;
    struct bench_case **bench = bench_at(worker, field[1], err);
    if (!bench)
        return CONVOY_INVALID;
    const struct convoy_profiler *profiler = worker->plugin->extension ? worker->plugin->extension(CONVOY_PROFILE_ID) : NULL;
    struct phases phases = {{0}};
    struct host *host = worker->host[bench - worker->bench];
    host_stay_awake(host, 1);
    const convoy_status status = profiler ? bench_phases(*bench, profiler, &phases, err) : CONVOY_OK;
    host_stay_awake(host, 0);
    char text[RECORD_PHASES_BYTES];
    phases_print(&phases, text, sizeof text);
    if (status == CONVOY_OK)
        reply(worker, "ok\t%s\t%lld", text[0] ? text : "-", (long long)phases_without_moves_ns(&phases));
    return status;
}

static convoy_status serve_close(struct worker *worker, char **field, size_t fields, struct convoy_error *err)
{
    (void)fields;
    struct bench_case **bench = bench_at(worker, field[1], err);
    if (!bench)
        return CONVOY_INVALID;
    bench_close(*bench);
    *bench = NULL;
    reply(worker, "ok");
    return CONVOY_OK;
}

static convoy_status serve_probe(struct worker *worker, char **field, size_t fields, struct convoy_error *err)
{
    (void)fields;
    struct pool *pool = pool_open((unsigned)whole(field[1]));
    if (!pool)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "cannot start %s threads", field[1]);
    reply(worker, "ok\t%.6g", probe_fma_gflops(pool));
    pool_close(pool);
    return CONVOY_OK;
}

static convoy_status serve_bandwidth(struct worker *worker, char **field, size_t fields, struct convoy_error *err)
{
    (void)fields;
    struct machine machine;
    machine_describe(&machine);
    struct pool *pool = pool_open((unsigned)whole(field[1]));
    if (!pool)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "cannot start %s threads", field[1]);
    pool_stay_awake(pool, 1);
    struct bandwidth bandwidth;
    const bool measured = bandwidth_measure(pool, &machine, &bandwidth);
    pool_close(pool);
    if (!measured)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for the bandwidth probe");
    char text[BANDWIDTH_TEXT_BYTES];
    bandwidth_print(&bandwidth, text, sizeof text);
    reply(worker, "ok\t%s", text);
    return CONVOY_OK;
}

static convoy_status serve_run(struct worker *worker, char **field, size_t fields, struct convoy_error *err)
{
    union problem problem;
    struct opened *opened = NULL;
    convoy_status status = problem_parse(field[4], &problem, err);
    if (status == CONVOY_OK)
        status = open_instance(worker, field[1], (uint32_t)whole(field[2]), &opened, err);
    char text[256];
    if (status == CONVOY_OK)
        status = runfile_execute(opened->instance, &problem, whole(field[3]), fields - 5, field + 5, text, sizeof text, err);
    if (status == CONVOY_OK)
        reply(worker, "ok\t%s", text);
    return status;
}

static convoy_status serve_conform(struct worker *worker, char **field, size_t fields, struct convoy_error *err)
{
    (void)fields;
    const uint64_t index = whole(field[3]);
    if (index >= conform_rule_count) {
        reply(worker, "end");
        return CONVOY_OK;
    }
    const struct conform_rule *rule = &conform_rules[index];
    struct opened *opened = NULL;
    struct finding finding = finding_none();
    convoy_status status = load_referee(worker, err);
    if (status == CONVOY_OK)
        status = open_instance(worker, field[1], (uint32_t)whole(field[2]), &opened, err);
    if (status != CONVOY_OK)
        return status;
    const struct verify_subject subject = {worker->plugin, opened->instance, host_table(opened->host), worker->referee,
                                           opened->variant};
    if (worker->fpenv_changed)
        finding_set(&finding, VERDICT_FPENV, "loading the plugin changes the floating-point environment");
    else
        rule->check(&subject, &finding);
    reply(worker, "ok\t%s\t%s\t%s\t%s", rule->name, verdict_name(finding.verdict), finding.reason, rule->rule);
    return CONVOY_OK;
}

static convoy_status serve_tune(struct worker *worker, char **field, size_t fields, struct convoy_error *err)
{
    (void)fields;
    union problem problem;
    struct opened *opened = NULL;
    struct tuning_start start;
    tuning_close(worker->tuning);
    worker->tuning = NULL;
    convoy_status status = problem_parse(field[5], &problem, err);
    if (status == CONVOY_OK)
        status = load_referee(worker, err);
    if (status == CONVOY_OK)
        status = open_instance(worker, field[1], 1, &opened, err);
    if (status != CONVOY_OK)
        return status;
    worker->tuned = (struct verify_subject){worker->plugin, opened->instance, host_table(opened->host), worker->referee, NULL};
    status = tuning_open(&worker->tuned, &problem, whole(field[2]), whole(field[3]), whole(field[4]) != 0, &worker->tuning,
                         &start, err);
    if (status == CONVOY_UNSUPPORTED)
        reply(worker, "no\t%s\t%s", why_name(err->why), err->text);
    else if (status == CONVOY_OK)
        reply(worker, "ok\t%u\t%.17g\t%s\t%s\t%s\t%s", start.candidates, start.ns, start.plugin_clock ? "device" : "host",
              start.target.device, start.target.driver, start.target.path);
    else
        return status;
    return CONVOY_OK;
}

/* What is wrong with a configuration is an answer; the next one may be right. */
static convoy_status serve_try(struct worker *worker, char **field, size_t fields, struct convoy_error *err)
{
    (void)fields;
    struct tuning_try result;
    if (!worker->tuning)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "nothing is being tuned");
    const convoy_status status = tuning_run(worker->tuning, (uint32_t)whole(field[1]), strtod(field[2], NULL), &result, err);
    if (status == CONVOY_OK)
        reply(worker, "ok\t%s\t%.17g\t%lld", result.text, result.ns, (long long)result.spent_ns);
    else
        reply(worker, "out\t%s\t%s\t%lld", result.text, err->text, (long long)result.spent_ns);
    return CONVOY_OK;
}

static convoy_status serve_keep(struct worker *worker, char **field, size_t fields, struct convoy_error *err)
{
    (void)fields;
    char algorithm[64];
    if (!worker->tuning)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "nothing is being tuned");
    const convoy_status status = tuning_keep(worker->tuning, (uint32_t)whole(field[1]), algorithm, sizeof algorithm, err);
    if (status == CONVOY_UNSUPPORTED)
        reply(worker, "out\t%s", err->text);
    else if (status == CONVOY_OK)
        reply(worker, "ok\t%s", algorithm);
    else
        return status;
    return CONVOY_OK;
}

static const struct request {
    const char *name;
    size_t fields; /* at least, the name included */
    convoy_status (*serve)(struct worker *worker, char **field, size_t fields, struct convoy_error *err);
} requests[] = {
    {"hello", 1, serve_hello},     {"supports", 3, serve_supports}, {"verify", 8, serve_verify},
    {"open", 8, serve_open},       {"batch", 2, serve_batch},       {"iterations", 3, serve_iterations},
    {"check", 2, serve_check},     {"phases", 2, serve_phases},     {"close", 2, serve_close},
    {"probe", 2, serve_probe},     {"run", 5, serve_run},           {"bandwidth", 2, serve_bandwidth},
    {"conform", 4, serve_conform}, {"device", 2, serve_device},     {"tune", 6, serve_tune},
    {"try", 3, serve_try},         {"keep", 2, serve_keep},         {"classes", 2, serve_classes},
};

static void serve_line(struct worker *worker, char *line)
{
    char *field[MAX_FIELDS];
    const size_t fields = session_split(line, field, MAX_FIELDS);
    struct convoy_error err = error_none();
    for (size_t r = 0; r < sizeof requests / sizeof requests[0]; r++) {
        if (strcmp(requests[r].name, field[0]) || fields < requests[r].fields)
            continue;
        const convoy_status status = requests[r].serve(worker, field, fields, &err);
        if (status != CONVOY_OK)
            reply_error(worker, status, &err);
        return;
    }
    convoy_fail(&err, CONVOY_INVALID, CONVOY_WHY_OTHER, "no such request: %s", field[0]);
    reply_error(worker, CONVOY_INVALID, &err);
}

static void close_all(struct worker *worker)
{
    tuning_close(worker->tuning);
    for (size_t id = 0; id < MAX_BENCHES; id++) {
        if (worker->bench[id])
            bench_close(worker->bench[id]);
    }
    for (size_t i = 0; i < worker->opened_count; i++) {
        worker->opened[i].instance->ops->close(worker->opened[i].instance);
        host_close(worker->opened[i].host);
    }
}

void worker_serve(int fd, const char *plugin, const char *referee)
{
    struct worker worker = {.fd = fd, .plugin_path = plugin, .referee_path = referee};
    guard_install(fd);
    char buffer[SESSION_LINE_BYTES];
    size_t held = 0;
    for (;;) {
        char *newline = memchr(buffer, '\n', held);
        if (newline) {
            *newline = '\0';
            char line[SESSION_LINE_BYTES];
            memcpy(line, buffer, (size_t)(newline - buffer) + 1);
            held -= (size_t)(newline - buffer) + 1;
            memmove(buffer, newline + 1, held);
            serve_line(&worker, line);
            continue;
        }
        const ssize_t got = held < sizeof buffer ? read(fd, buffer + held, sizeof buffer - held) : 0;
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        held += (size_t)got;
    }
    close_all(&worker);
}
