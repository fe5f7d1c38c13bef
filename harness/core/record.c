#include "core/record.h"

#include "core/problem.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMN(of_type, member, text)                                                                                            \
    {                                                                                                                            \
        .name = #member, .type = of_type, .offset = offsetof(struct record, member),                                             \
        .size = sizeof(((struct record *)0)->member), .meaning = text                                                            \
    }

const struct record_column record_columns[] = {
    COLUMN(RECORD_TEXT, command,
           "what made the row: verify (is it right), bench (how fast is it) or compare (has it become slower)"),
    COLUMN(RECORD_TEXT, network, "network or table that the layer was taken from; empty for a problem given by hand"),
    COLUMN(RECORD_TEXT, layer, "layer's name in that network"),
    COLUMN(RECORD_INT, count,
           "how often the network has a layer with this problem; network totals are sums of count × median_ns"),
    COLUMN(RECORD_TEXT, problem, "the problem string, canonical: operation, colon, key and number pairs"),
    COLUMN(RECORD_TEXT, op, "the word before the colon of problem"),
    COLUMN(RECORD_TEXT, pass, "fwd, bwd-data or bwd-weights"),
    COLUMN(RECORD_TEXT, backend, "name of the plugin"),
    COLUMN(RECORD_TEXT, variant, "variant of the plugin that was asked for; empty: its default"),
    COLUMN(RECORD_TEXT, algorithm, "what the plan says that it does"),
    COLUMN(RECORD_TEXT, numerics,
           "arithmetic that the plan declares (exact, direct, gemm, fft, winograd(m,r), stats); the error bound follows from it"),
    COLUMN(RECORD_TEXT, accuracy_class, "exact, strict or fast, derived from numerics: claims never mix them"),
    COLUMN(RECORD_TEXT, deterministic, "yes if the plan promises the same bits for the same arguments and threads, else no"),
    COLUMN(RECORD_INT, threads, "threads that the plugin was given"),
    COLUMN(RECORD_TEXT, cache,
           "hot: the same buffers each time; cold: rotating over sets of buffers larger than the last cache level"),
    COLUMN(RECORD_TEXT, verdict, "PASS, MARGINAL, FAIL, UNSUPPORTED, SKIPPED, …: the one word that the case ended with"),
    COLUMN(RECORD_TEXT, reason, "one sentence that explains a verdict other than PASS"),
    COLUMN(RECORD_REAL, error_in_bounds,
           "worst abs(y-r) / bound over all outputs checked, r the fp64 reference; at most 1 passes"),
    COLUMN(RECORD_REAL, l2_rel, "norm(y-r) / norm(r), Euclidean, on random data, the worst of the outputs"),
    COLUMN(RECORD_REAL, max_rel, "max abs(y-r) / max abs(r) on random data, the worst of the outputs"),
    COLUMN(RECORD_REAL, backward_error,
           "max abs(y-r) / D in units of 2^-24, D the sum of the absolute values of the terms added up"),
    COLUMN(RECORD_INT, plan_ns, "ns, making the plan"),
    COLUMN(RECORD_INT, prepare_ns, "ns, preparing the weights; 0 where the plan prepares nothing"),
    COLUMN(RECORD_INT, median_ns, "ns per execution, the median over the rounds; preparing is not in it"),
    COLUMN(RECORD_INT, min_ns, "ns, the fastest single execution seen (devices: the fastest batch, per execution)"),
    COLUMN(RECORD_INT, mad_ns, "ns, median absolute deviation of the rounds from median_ns; above 5 % of it the row is noisy"),
    COLUMN(RECORD_INT, rounds, "interleaved rounds measured"),
    COLUMN(RECORD_INT, iterations, "executions per round"),
    COLUMN(RECORD_INT, low_ns, "ns, lower end of the exact 95 % interval of median_ns (sign test); empty below 6 rounds"),
    COLUMN(RECORD_INT, high_ns, "ns, upper end of that interval"),
    COLUMN(RECORD_INT, p5_ns, "ns, 5th percentile of the rounds"),
    COLUMN(RECORD_INT, p95_ns, "ns, 95th percentile of the rounds"),
    COLUMN(RECORD_INT, disturbed,
           "rounds whose batch shared its processors: over 1 % stolen, over 5 % waited for, or one thread that computed less "
           "than 95 %"),
    COLUMN(
        RECORD_REAL, noise_pct,
        "noise floor in percent: how far two workers with the same plugin file were apart on this case; empty: no control ran"),
    COLUMN(RECORD_REAL, gflops,
           "effective 10^9 operations per second at median_ns, with the operations of the direct algorithm for every algorithm: "
           "2×n×k×oh×ow×(c/g)×kh×kw for convolutions, one per window tap for pooling"),
    COLUMN(RECORD_REAL, pct_peak, "100 × gflops / peak_gflops; algorithms that save multiplications can exceed 100"),
    COLUMN(RECORD_REAL, peak_gflops,
           "10^9 operations per second that the machine does in a loop of multiply-adds from registers on the same number of "
           "threads, measured at the start of the run"),
    COLUMN(RECORD_REAL, pct_roof,
           "100 × least time / median_ns; the least time is that of the operations at peak_gflops or of the least traffic at "
           "roof_gbps, whichever is longer"),
    COLUMN(
        RECORD_REAL, roof_gbps,
        "10^9 bytes per second, read and written, that loops of reads, writes and copies reach on the same number of threads in "
        "the level that holds all tensors of the problem, measured at the start of the run"),
    COLUMN(RECORD_TEXT, roof, "what the least time comes from: FMA, or the level whose bandwidth it is (L2, L3, DRAM)"),
    COLUMN(
        RECORD_TEXT, phases,
        "ns of one more execution by phase, as the plugin tells them apart; empty: it does not. median_ns is never made of them"),
    COLUMN(RECORD_INT, without_moves_ns,
           "ns, the sum of phases without reorder, upload and download: what the arithmetic alone takes; beside median_ns, never "
           "in its place"),
    COLUMN(RECORD_INT, workspace_bytes, "bytes of scratch memory that the plan asks for"),
    COLUMN(RECORD_INT, prepared_bytes, "bytes of prepared weights; 0: the plan reads the weights themselves"),
    COLUMN(RECORD_TEXT, domain, "memory that the plan works in: host, or the name of a device's"),
    COLUMN(RECORD_INT, upload_ns,
           "ns, bringing the activations that one execution reads from the host into that memory; 0 on the host"),
    COLUMN(RECORD_INT, download_ns, "ns, bringing the activations that it writes back to the host; 0 on the host"),
    COLUMN(RECORD_INT, launch_ns,
           "ns, an execution of one element and the wait for it: the fixed cost of that device; 0 on the host"),
    COLUMN(RECORD_INT, queued_ns,
           "ns, the same per execution of a queue of 100, each after the one before, with one wait at the end; 0 on the host"),
    COLUMN(RECORD_INT, baseline_ns,
           "ns per execution of the build compared with; in compare rows both are medians of the batches' least times"),
    COLUMN(RECORD_REAL, ratio, "time over the baseline's, the median over the rounds; above 1 is slower"),
    COLUMN(RECORD_REAL, ratio_low, "lower end of the 95 % interval of ratio"),
    COLUMN(RECORD_REAL, ratio_high, "upper end of that interval"),
    COLUMN(RECORD_REAL, p_holm, "p-value that ratio is 1, corrected after Holm for the layers of the network"),
    COLUMN(RECORD_REAL, p_equivalent,
           "p-value of the two one-sided tests that ratio is outside the threshold (TOST); small: equivalent"),
    COLUMN(RECORD_TEXT, baseline_hash, "hash of the baseline's plugin file"),
    COLUMN(RECORD_INT, seed, "seed of the data"),
    COLUMN(RECORD_TEXT, machine,
           "id of the machine: processor, cores and a hash of its caches and memory; the folder under results"),
    COLUMN(RECORD_TEXT, cpu, "processor, as the operating system names it"),
    COLUMN(RECORD_TEXT, plugin_version, "version that the plugin states"),
    COLUMN(RECORD_TEXT, plugin_hash, "hash of the plugin file's bytes: a verdict holds for this file only"),
    COLUMN(RECORD_TEXT, revision, "source revision of the harness"),
    COLUMN(RECORD_TEXT, utc, "time when the row was written, UTC, ISO 8601"),
    COLUMN(RECORD_TEXT, repro, "command line that repeats the case"),
};
const size_t record_column_count = sizeof record_columns / sizeof *record_columns;

_Static_assert(sizeof(((struct record *)0)->problem) == PROBLEM_TEXT_BYTES, "every problem string fits");
_Static_assert(offsetof(struct record, repro) + sizeof(((struct record *)0)->repro) == sizeof(struct record),
               "repro is the last member");

static char *member(struct record *record, const struct record_column *column)
{
    return (char *)record + column->offset;
}

static const char *member_read(const struct record *record, const struct record_column *column)
{
    return (const char *)record + column->offset;
}

static void set_int(struct record *record, const struct record_column *column, int64_t value)
{
    memcpy(member(record, column), &value, sizeof value);
}

static void set_real(struct record *record, const struct record_column *column, double value)
{
    memcpy(member(record, column), &value, sizeof value);
}

void record_clear(struct record *record)
{
    memset(record, 0, sizeof *record);
    for (size_t column = 0; column < record_column_count; column++) {
        if (record_columns[column].type == RECORD_INT)
            set_int(record, &record_columns[column], INT64_MIN);
        else if (record_columns[column].type == RECORD_REAL)
            set_real(record, &record_columns[column], (double)NAN);
    }
}

int record_get(const struct record *record, size_t column, char *buf, size_t size)
{
    const struct record_column *const from = &record_columns[column];
    const char *const bytes = member_read(record, from);
    if (from->type == RECORD_INT) {
        int64_t value;
        memcpy(&value, bytes, sizeof value);
        return value == INT64_MIN ? snprintf(buf, size, "%s", "") : snprintf(buf, size, "%lld", (long long)value);
    }
    if (from->type == RECORD_REAL) {
        double value;
        memcpy(&value, bytes, sizeof value);
        return isnan(value) ? snprintf(buf, size, "%s", "") : snprintf(buf, size, "%.9g", value);
    }
    return snprintf(buf, size, "%.*s", (int)from->size, bytes);
}

/* strtoll and strtod also take leading blanks and hexadecimal numbers, which record_get never writes. */
static bool looks_like_number(const char *text)
{
    return (*text == '-' || (*text >= '0' && *text <= '9') || !strncmp(text, "inf", 3)) && !strpbrk(text, "xX");
}

bool record_set(struct record *record, size_t column, const char *text)
{
    const struct record_column *const to = &record_columns[column];
    char *end = NULL;
    if (to->type == RECORD_TEXT) {
        const size_t length = strlen(text);
        if (length >= to->size)
            return false;
        memset(member(record, to), 0, to->size);
        memcpy(member(record, to), text, length);
        return true;
    }
    if (!*text) {
        if (to->type == RECORD_INT)
            set_int(record, to, INT64_MIN);
        else
            set_real(record, to, (double)NAN);
        return true;
    }
    if (!looks_like_number(text))
        return false;
    errno = 0;
    if (to->type == RECORD_INT) {
        const long long value = strtoll(text, &end, 10);
        if (*end || end == text || errno || value == INT64_MIN) /* INT64_MIN means absent */
            return false;
        set_int(record, to, value);
        return true;
    }
    const double value = strtod(text, &end);
    if (*end || end == text || isnan(value) || (errno == ERANGE && isinf(value)))
        return false;
    set_real(record, to, value);
    return true;
}

int record_column_by_name(const char *name)
{
    for (size_t column = 0; column < record_column_count; column++) {
        if (!strcmp(record_columns[column].name, name))
            return (int)column;
    }
    return -1;
}

/* Appends one character if it and the final NUL fit; counts it either way. */
static void put(char *buf, size_t size, size_t *length, char character)
{
    if (*length + 1 < size)
        buf[*length] = character;
    ++*length;
}

enum { FIELD_BYTES = 1024 }; /* longer than any member */
_Static_assert(sizeof(((struct record *)0)->repro) < FIELD_BYTES, "the longest text fits");

static const char escapes[][2] = {{'\t', 't'}, {'\n', 'n'}, {'\\', '\\'}};

int record_encode(const struct record *record, char *buf, size_t size)
{
    size_t length = 0;
    for (size_t column = 0; column < record_column_count; column++) {
        char field[FIELD_BYTES];
        record_get(record, column, field, sizeof field);
        if (column > 0)
            put(buf, size, &length, '\t');
        for (const char *from = field; *from; from++) {
            char letter = 0;
            for (size_t escape = 0; escape < sizeof escapes / sizeof *escapes; escape++) {
                if (*from == escapes[escape][0])
                    letter = escapes[escape][1];
            }
            if (letter)
                put(buf, size, &length, '\\');
            put(buf, size, &length, letter ? letter : *from);
        }
    }
    if (size > 0)
        buf[length < size ? length : size - 1] = '\0';
    return (int)length;
}

/* Takes one field off the line; NULL: it is too long or has an escape that nothing writes. */
static const char *decode_field(const char *from, char field[FIELD_BYTES])
{
    size_t length = 0;
    for (; *from && *from != '\t' && *from != '\n'; from++) {
        char character = *from;
        if (character == '\\') {
            from++;
            character = 0;
            for (size_t escape = 0; escape < sizeof escapes / sizeof *escapes; escape++) {
                if (*from == escapes[escape][1])
                    character = escapes[escape][0];
            }
            if (!character)
                return NULL;
        }
        if (length + 1 >= FIELD_BYTES)
            return NULL;
        field[length++] = character;
    }
    field[length] = '\0';
    return from;
}

bool record_decode(const char *line, struct record *record)
{
    struct record decoded;
    record_clear(&decoded);
    for (size_t column = 0; column < record_column_count; column++) {
        char field[FIELD_BYTES];
        if (column > 0 && *line++ != '\t')
            return false;
        line = decode_field(line, field);
        if (!line || !record_set(&decoded, column, field))
            return false;
    }
    if (*line == '\n')
        line++;
    if (*line)
        return false;
    *record = decoded;
    return true;
}
