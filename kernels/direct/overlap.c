/* overlap: backward-data where there are few input channels, as in the first layer of a network. The products of all taps,
 *     part[c][r][s] = sum over k of W[k][c][r][s] * dy[k],
 * are one product of matrices with many rows where a correlation would have as few as there are channels. It reads dy as it lies,
 * row by row; the parts of the rows that meet a row of dx are then shifted by their taps and added. */
#include "direct.h"
#include <stdlib.h>
#include <string.h>

enum {
    CHAIN = 288,        /* channels of one chain of sums                                                  */
    FEW_CHANNELS = 12,  /* with more, tiles waste less than the parts cost                                */
    LEAST_OUTPUTS = 16, /* fewer do not pay for writing and reading the parts                             */
    STRIP_ROWS = 32,    /* of dx, at least, for a task: parts at its border are computed twice            */
    TASKS_PER_THREAD = 2,
    AHEAD_BLOCKS = 2,
    LINE = 16,        /* floats of a cache line                                                       */
    SLACK_FLOATS = 64 /* vectors reach beyond the last row                                              */
};

struct overlap {
    const struct convoy_host *host;
    const struct isa *isa;
    struct dims d;
    struct axis *cols;  /* [stride_w]: the inputs b + q*stride_w of a row                                  */
    ptrdiff_t *offsets; /* of the parts that make these inputs of row h: from first_offset[h*stride_w + b]  */
    int64_t *first_offset;
    float *ones;
    int64_t parts; /* products of a pixel: channels times taps                                            */
    int64_t width, tiles, chunk, blocks;
    int64_t left, part_row; /* zeros before a row of a part; floats of one                                 */
    int64_t ring;           /* rows of dy whose parts are kept                                             */
    int64_t strips;
    int64_t ring_floats, panel_floats, line_floats;
};

struct call {
    const struct overlap *m;
    const float *w, *weights, *dy;
    float *packed, *dx, *workspace;
};

static int64_t first_part(const struct overlap *m, int64_t block)
{
    return block * m->parts / m->blocks;
}

/* [group][block of parts][k][part of the block]. */
static void pack_block(void *context, size_t i, size_t worker)
{
    (void)worker;
    const struct call *call = context;
    const struct overlap *m = call->m;
    const int64_t g = (int64_t)i / m->blocks, first = first_part(m, (int64_t)i % m->blocks),
                  count = first_part(m, (int64_t)i % m->blocks + 1) - first;
    const float *const w = call->w + g * m->d.k * m->parts + first;
    float *to = call->packed + (g * m->parts + first) * m->d.k;
    for (int64_t k = 0; k < m->d.k; k++, to += count)
        memcpy(to, w + k * m->parts, (size_t)count * sizeof *to);
}

static void prepare(const void *state, const struct tensors *t)
{
    const struct overlap *m = state;
    struct call call = {.m = m, .w = t->w, .packed = t->prepared};
    m->host->parallel(m->host, pack_block, &call, (size_t)m->d.groups * (size_t)m->blocks);
}

/* The parts of one row of dy, each `part_row` after the other. All blocks use a few pixels of dy in place before the next ones,
 * whose lines the first two blocks fetch; pixels beyond the last whole vector are read from a copy that zeros fill up. */
static void multiply_row(const struct overlap *m, const float *weights, const float *dy, float *panel, float *parts)
{
    const struct mk_family *family = m->isa->family;
    const int64_t plane = m->d.y.channel, rest = m->d.ow % family->lanes, whole = m->d.ow - rest;
    for (int64_t k = 0; k < m->d.k; k += m->chunk) {
        const int64_t channels = convoy_min(m->chunk, m->d.k - k);
        const struct columns columns = {
            .from = dy + k * plane + whole, .row = plane, .rows = channels, .count = rest, .width = family->lanes, .to = panel};
        m->isa->columns(&columns);
        for (int64_t p = 0, count; p < m->d.ow; p += count) {
            count = p < whole ? convoy_min(m->width, whole - p) : family->lanes;
            for (int64_t block = 0; block < m->blocks; block++) {
                const int64_t first = first_part(m, block), rows = first_part(m, block + 1) - first;
                const struct mk_tile tile = {
                    .a = weights + first * m->d.k + k * rows,
                    .a_row = 1,
                    .a_col = rows,
                    .b = p < whole ? dy + k * plane + p : panel,
                    .b_row = p < whole ? plane : family->lanes,
                    .b_ahead = block < AHEAD_BLOCKS ? dy + k * plane + p + m->width + block * LINE : NULL,
                    .ahead_row = plane,
                    .c = parts + first * m->part_row + m->left + p,
                    .c_row = m->part_row,
                    .k = channels,
                    .accumulate = k > 0,
                };
                family->tile[rows - 1][count / family->lanes - 1](&tile);
            }
        }
    }
}

/* lines: `stride` of them, `line_floats` apart; line b has the inputs b + q*stride of a row. */
static void interleave(const struct overlap *m, const float *lines, float *dx)
{
    const int64_t stride = m->d.stride_w;
    if (stride == 2) { /* a loop that compilers vectorise */
        const float *const odd = lines + m->line_floats;
        const int64_t pairs = m->d.w / 2;
        for (int64_t q = 0; q < pairs; q++) {
            dx[2 * q] = lines[q];
            dx[2 * q + 1] = odd[q];
        }
        if (m->d.w % 2)
            dx[m->d.w - 1] = lines[pairs];
        return;
    }
    for (int64_t b = 0; b < stride && b < m->d.w; b++)
        for (int64_t q = 0; q < m->cols[b].out; q++)
            dx[b + q * stride] = lines[b * m->line_floats + q];
}

/* Row h of channel c of dx, from the parts of the rows of dy that it meets. */
static void add_row(const struct overlap *m, const float *ring, int64_t h, int64_t c, float *lines, float *dx)
{
    const struct dims *d = &m->d;
    for (int32_t b = 0; b < d->stride_w && b < d->w; b++) {
        const int64_t *const first = m->first_offset + h * d->stride_w + b;
        const struct depthwise_rows job = {
            .panel = ring + c * d->kh * d->kw * m->part_row,
            .weight = m->ones,
            .offset = m->offsets + first[0],
            .terms = first[1] - first[0],
            .rows = 1,
            .cols = m->cols[b].out,
            .y = d->stride_w == 1 ? dx : lines + b * m->line_floats,
        };
        m->isa->depthwise(&job);
    }
    if (d->stride_w > 1)
        interleave(m, lines, dx);
}

static void clear_borders(const struct overlap *m, float *ring)
{
    const int64_t end = m->left + convoy_round_up(m->d.ow, m->isa->family->lanes);
    for (int64_t i = 0; i < m->ring * m->parts; i++) {
        float *const row = ring + i * m->part_row;
        memset(row, 0, (size_t)m->left * sizeof *row);
        memset(row + end, 0, (size_t)(m->part_row - end) * sizeof *row);
    }
}

static void compute_strip(void *context, size_t i, size_t worker)
{
    const struct call *call = context;
    const struct overlap *m = call->m;
    const struct dims *d = &m->d;
    const int64_t strip = (int64_t)i % m->strips, group = (int64_t)i / m->strips % d->groups,
                  image = (int64_t)i / m->strips / d->groups;
    const int64_t first = strip * d->h / m->strips, last = (strip + 1) * d->h / m->strips;
    const float *const dy = call->dy + image * d->y.image + group * d->y.group;
    const float *const weights = call->weights + group * m->parts * d->k;
    float *const dx = call->dx + image * d->x.image + group * d->x.group;
    float *const ring = call->workspace + (int64_t)worker * (m->ring_floats + m->panel_floats + m->d.stride_w * m->line_floats);
    float *const panel = ring + m->ring_floats, *const lines = panel + m->panel_floats;
    clear_borders(m, ring);
    int64_t next = convoy_max(0, convoy_ceil_div(convoy_max(0, first + d->pad_t - (d->kh - 1) * (int64_t)d->dil_h), d->stride_h));
    for (int64_t h = first; h < last; h++) {
        const int64_t upto = convoy_min(d->oh - 1, (h + d->pad_t) / d->stride_h);
        for (; next <= upto; next++)
            multiply_row(m, weights, dy + next * d->y.row, panel, ring + next % m->ring * m->parts * m->part_row);
        for (int64_t c = 0; c < d->c; c++)
            add_row(m, ring, h, c, lines, dx + c * d->x.channel + h * d->x.row);
    }
}

static void execute(const void *state, const struct tensors *t)
{
    const struct overlap *m = state;
    struct call call = {.m = m, .dy = t->dy, .weights = t->prepared, .dx = t->dx, .workspace = t->workspace};
    m->host->parallel(m->host, compute_strip, &call, (size_t)m->d.n * (size_t)m->d.groups * (size_t)m->strips);
}

/* Tables of where the parts lie that a row of dx adds up. */
static int plan_offsets(struct overlap *m)
{
    const struct dims *d = &m->d;
    const size_t taps = (size_t)d->kh * (size_t)d->kw;
    m->offsets = malloc((size_t)d->h * taps * sizeof *m->offsets);
    m->first_offset = malloc(((size_t)d->h * (size_t)d->stride_w + 1) * sizeof *m->first_offset);
    m->ones = malloc(taps * sizeof *m->ones);
    if (!m->offsets || !m->first_offset || !m->ones)
        return 0;
    for (size_t i = 0; i < taps; i++)
        m->ones[i] = 1;
    int64_t count = 0, entry = 0;
    for (int32_t h = 0; h < d->h; h++)
        for (int32_t b = 0; b < d->stride_w; b++) {
            m->first_offset[entry++] = count;
            for (int32_t r = 0; r < d->kh; r++) {
                const int64_t at = (int64_t)h + d->pad_t - (int64_t)r * d->dil_h;
                if (at % d->stride_h || at < 0 || at / d->stride_h >= d->oh)
                    continue;
                const int64_t row = at / d->stride_h % m->ring * m->parts + (int64_t)r * d->kw;
                for (int32_t s = 0; s < m->cols[b].taps; s++)
                    m->offsets[count++] = (ptrdiff_t)((row + m->cols[b].tap[s]) * m->part_row + m->left + m->cols[b].offset[s]);
            }
        }
    m->first_offset[entry] = count;
    return 1;
}

static int plan(struct overlap *m)
{
    const struct dims *d = &m->d;
    int64_t least = 0, most = d->ow;
    m->cols = calloc((size_t)d->stride_w, sizeof *m->cols);
    if (!m->cols)
        return 0;
    for (int32_t b = 0; b < d->stride_w; b++) {
        struct axis *axis = &m->cols[b];
        if (!axis_open_phase(axis, d->w, d->ow, d->stride_w, d->kw, d->dil_w, d->pad_l, b))
            return 0;
        for (int32_t s = 0; s < axis->taps; s++) {
            least = convoy_min(least, axis->offset[s]);
            most = convoy_max(most, axis->offset[s] + axis->out);
        }
    }
    const int64_t wanted = m->host->threads == 1 ? 1 : (int64_t)m->host->threads * TASKS_PER_THREAD;
    m->parts = (int64_t)d->c * d->kh * d->kw;
    m->width = (int64_t)m->isa->family->lanes * m->isa->family->vectors;
    m->blocks = convoy_ceil_div(m->parts, m->isa->family->rows);
    m->chunk = convoy_ceil_div(d->k, convoy_ceil_div(d->k, CHAIN));
    /* Rows begin at cache lines, and an odd number of lines apart lest they fall into one set of the cache. */
    m->left = convoy_round_up(-least, LINE);
    m->part_row =
        (convoy_round_up(m->left + convoy_max(convoy_round_up(d->ow, m->isa->family->lanes), most), LINE) / LINE | 1) * LINE;
    m->ring = convoy_min(d->oh, (d->kh - 1) * (int64_t)d->dil_h / d->stride_h + 1);
    m->strips = convoy_max(1, convoy_min(convoy_ceil_div(wanted, (int64_t)d->n * d->groups), d->h / STRIP_ROWS));
    m->ring_floats = convoy_round_up(m->ring * m->parts * m->part_row + SLACK_FLOATS, 16);
    m->panel_floats = m->chunk * m->isa->family->lanes;
    m->line_floats = d->stride_w > 1 ? convoy_round_up(d->w / d->stride_w + 1, 16) : 0;
    return plan_offsets(m);
}

static void close_plan(void *state)
{
    struct overlap *m = state;
    for (int32_t b = 0; m->cols && b < m->d.stride_w; b++)
        axis_close(&m->cols[b]);
    free(m->cols);
    free(m->offsets);
    free(m->first_offset);
    free(m->ones);
    free(m);
}

/* Rows of parts fill the tiles, and their sums are long enough to pay for adding them up. */
int overlap_suits(const struct self *self, const struct convoy_conv *p)
{
    const struct dims d = dims_of(p);
    const int64_t reach = (int64_t)d.dil_h * (d.kh - 1) / d.stride_h;
    return p->head.op == CONVOY_CONV_BWD_DATA && d.c < FEW_CHANNELS && d.c < self->isa->family->lanes && d.y.col == 1 &&
           d.ow >= LEAST_OUTPUTS && d.k >= LEAST_OUTPUTS && (int64_t)d.kh * d.kw > 1 && d.stride_h <= d.kh * 2 &&
           d.stride_w <= d.kw * 2 && reach < d.kh;
}

convoy_status overlap_open(const struct self *self, const struct convoy_conv *problem, struct method *method,
                           struct convoy_error *err)
{
    struct overlap *m = calloc(1, sizeof *m);
    if (!m)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a plan");
    m->host = self->host;
    m->isa = self->isa;
    m->d = dims_of(problem);
    if (!plan(m)) {
        close_plan(m);
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a plan");
    }
    *method = (struct method){
        .state = m,
        .prepare = prepare,
        .execute = execute,
        .close = close_plan,
        .workspace_bytes =
            (uint64_t)(m->ring_floats + m->panel_floats + m->d.stride_w * m->line_floats) * sizeof(float) * self->host->threads,
        .prepared_bytes = (uint64_t)m->d.groups * (uint64_t)m->parts * (uint64_t)m->d.k * sizeof(float),
        .split = (uint32_t)m->chunk,
        .name = "direct overlap",
    };
    return CONVOY_OK;
}
