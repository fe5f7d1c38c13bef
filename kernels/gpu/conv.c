#include "conv.h"
#include <string.h>

static void finish(struct pass *pass)
{
    struct gpu_conv *const s = &pass->shape;
    SET_DIVISOR(s, plane, (int64_t)s->oh * s->ow);
    SET_DIVISOR(s, row, s->ow);
    SET_DIVISOR(s, taps, (int64_t)s->taps_h * s->taps_w);
    SET_DIVISOR(s, tap_w, s->taps_w);
    s->splits = 1;
}

struct pass pass_forward(const struct convoy_conv *p)
{
    const int32_t c = p->c / p->groups, k = p->k / p->groups, taps = p->kh * p->kw;
    struct pass pass = {
        .p = p,
        .shape =
            {
                .oh = p->oh,
                .ow = p->ow,
                .h = p->h,
                .w = p->w,
                .c_count = c,
                .m_count = k,
                .groups = p->groups,
                .taps_h = p->kh,
                .taps_w = p->kw,
                .stride_h = p->stride_h,
                .stride_w = p->stride_w,
                .off_h = -p->pad_t,
                .off_w = -p->pad_l,
                .step_h = p->dil_h,
                .step_w = p->dil_w,
                .w_m = c * taps,
                .w_c = taps,
                .w_r = p->kw,
                .w_s = 1,
                .w_group = k * c * taps,
                .out_plane = p->oh * p->ow,
                .out_h = p->ow,
                .out_w = 1,
            },
        .in = CONVOY_X,
        .out = p->head.op == CONVOY_CONV_BWD_WEIGHTS ? CONVOY_DY : CONVOY_Y,
        .in_image = (int64_t)p->c * p->h * p->w,
        .out_image = (int64_t)p->k * p->oh * p->ow,
        .weights = (int64_t)p->k * c * taps,
    };
    if (p->head.op == CONVOY_CONV_FWD)
        pass.shape.flags =
            ((p->head.flags & CONVOY_WITH_BIAS) ? GPU_BIAS : 0) | ((p->head.flags & CONVOY_WITH_RELU) ? GPU_RELU : 0);
    finish(&pass);
    return pass;
}

static int32_t common_divisor(int32_t a, int32_t b)
{
    while (b) {
        const int32_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Positions h = phase + stride*t of one axis of dx meet dy at oh = (h + pad - r*dil)/stride for the taps r that leave no rest.
 * Those are first, first + stride/g, ... with g = gcd(stride, dil), and successive ones meet oh further down by dil/g. */
struct axis {
    int32_t positions, taps, first, tap_step, off, step;
};

static struct axis axis_of(int32_t extent, int32_t kernel, int32_t stride, int32_t dilation, int32_t pad, int32_t phase)
{
    const int32_t g = common_divisor(stride, dilation);
    struct axis axis = {
        .positions = phase < extent ? (extent - phase - 1) / stride + 1 : 0,
        .tap_step = stride / g,
        .step = -(dilation / g),
    };
    int64_t r = 0;
    while (r < kernel && r < axis.tap_step && (phase + pad - r * dilation) % stride)
        r++;
    if (r < kernel && r < axis.tap_step) {
        axis.first = (int32_t)r;
        axis.taps = (kernel - 1 - (int32_t)r) / axis.tap_step + 1;
        axis.off = (int32_t)((phase + pad - r * dilation) / stride);
    }
    return axis;
}

bool pass_phase(const struct convoy_conv *p, int32_t ph, int32_t pw, struct pass *pass)
{
    const struct axis h = axis_of(p->h, p->kh, p->stride_h, p->dil_h, p->pad_t, ph);
    const struct axis w = axis_of(p->w, p->kw, p->stride_w, p->dil_w, p->pad_l, pw);
    if (!h.positions || !w.positions)
        return false;
    const int32_t c = p->c / p->groups, k = p->k / p->groups, taps = p->kh * p->kw;
    *pass = (struct pass){
        .p = p,
        .shape =
            {
                .oh = h.positions,
                .ow = w.positions,
                .h = p->oh,
                .w = p->ow,
                .c_count = k,
                .m_count = c,
                .groups = p->groups,
                .taps_h = h.taps,
                .taps_w = w.taps,
                .stride_h = 1,
                .stride_w = 1,
                .off_h = h.off,
                .off_w = w.off,
                .step_h = h.step,
                .step_w = w.step,
                .w_first = h.first * p->kw + w.first,
                .w_m = taps,
                .w_c = c * taps,
                .w_r = h.tap_step * p->kw,
                .w_s = w.tap_step,
                .w_group = k * c * taps,
                .out_first = ph * p->w + pw,
                .out_plane = p->h * p->w,
                .out_h = p->stride_h * p->w,
                .out_w = p->stride_w,
            },
        .in = CONVOY_DY,
        .out = CONVOY_DX,
        .in_image = (int64_t)p->k * p->oh * p->ow,
        .out_image = (int64_t)p->c * p->h * p->w,
        .weights = (int64_t)p->k * c * taps,
    };
    if (!h.taps || !w.taps)
        pass->shape.taps_h = pass->shape.taps_w = 0;
    finish(pass);
    return true;
}

/* ---- portions ---- */

static bool is_forward(const struct pass *pass)
{
    return pass->p->head.op == CONVOY_CONV_FWD;
}

/* W is k by c*taps: the forward pass cuts it along its output rows, the backward-data pass along its input channels, which are k
 * too. */
void pass_portions(struct planner *planner, const struct pass *pass, portion_program *program)
{
    const struct convoy_conv *const p = pass->p;
    const int64_t images = planner_slice(planner, p->n, convoy_max(pass->in_image, pass->out_image) * 4, 1);
    const int64_t row_bytes = pass->weights / p->k * 4;
    int64_t k = planner_slice(planner, p->k, row_bytes, 1);
    if (k < p->k && p->groups > 1)
        planner_fail(planner, CONVOY_UNSUPPORTED, CONVOY_WHY_SIZE, "grouped weights beyond what this device can bind at a time");
    for (int64_t from = 0; from < p->k; from += k) {
        for (int64_t first = 0; first < p->n && planner->status == CONVOY_OK; first += images) {
            const int64_t part = convoy_min(k, p->k - from);
            struct portion portion = {
                .image = first,
                .images = convoy_min(images, p->n - first),
                .rows = pass->shape.m_count,
                .channels = pass->shape.c_count,
            };
            if (k < p->k && is_forward(pass)) {
                portion.row = from;
                portion.rows = part;
            } else if (k < p->k) {
                portion.channel = from;
                portion.channels = part;
                portion.add = from > 0;
            }
            program(planner, pass, &portion);
        }
    }
}

void bind_input(struct planner *planner, struct gpu_step *step, uint32_t at, const struct pass *pass,
                const struct portion *portion)
{
    const uint64_t image = (uint64_t)pass->in_image * 4;
    const uint64_t skip = (uint64_t)portion->channel * (uint64_t)pass->shape.h * (uint64_t)pass->shape.w * 4;
    planner_bind(planner, step, at, pass->in, GPU_READ, (uint64_t)portion->image * image + skip,
                 (uint64_t)portion->images * image - skip);
}

void bind_output(struct planner *planner, struct gpu_step *step, uint32_t at, const struct pass *pass,
                 const struct portion *portion)
{
    const uint64_t image = (uint64_t)pass->out_image * 4;
    /* Phases interleave in one tensor and touch no element twice; adding reads. */
    planner_bind(planner, step, at, pass->out, portion->add ? GPU_READ | GPU_WRITE : GPU_WRITE, (uint64_t)portion->image * image,
                 (uint64_t)portion->images * image);
    if (portion->add)
        planner->program->reads &= ~(1u << pass->out); /* what the program wrote itself */
}

void bind_weights(struct planner *planner, struct gpu_step *step, uint32_t at, const struct pass *pass,
                  const struct portion *portion)
{
    const uint64_t row = (uint64_t)(pass->weights / pass->p->k) * 4;
    const bool all = portion->rows == pass->shape.m_count && portion->channels == pass->shape.c_count;
    const uint64_t first = (uint64_t)(is_forward(pass) ? portion->row : portion->channel);
    const uint64_t rows = all ? (uint64_t)pass->p->k : (uint64_t)(is_forward(pass) ? portion->rows : portion->channels);
    planner_bind(planner, step, at, CONVOY_W, GPU_READ, first * row, rows * row);
}

void bind_bias(struct planner *planner, struct gpu_step *step, uint32_t at, const struct pass *pass,
               const struct portion *portion)
{
    if (pass->shape.flags & GPU_BIAS)
        planner_bind(planner, step, at, CONVOY_BIAS, GPU_READ, (uint64_t)portion->row * 4,
                     (uint64_t)(pass->p->k - portion->row) * 4);
}

void bind_slopes(struct planner *planner, struct gpu_step *step, uint32_t at, const struct pass *pass, int64_t first,
                 int64_t images)
{
    const uint64_t image = (uint64_t)pass->out_image * 4;
    const uint64_t skip = (uint64_t)pass->row * (uint64_t)pass->shape.oh * (uint64_t)pass->shape.ow * 4;
    planner_bind(planner, step, at, CONVOY_DY, GPU_READ, (uint64_t)first * image + skip, (uint64_t)images * image - skip);
}

void bind_gradient(struct planner *planner, struct gpu_step *step, uint32_t at, const struct pass *pass, uint32_t access)
{
    const int64_t row = pass->shape.c_count * pass->shape.taps_h * pass->shape.taps_w;
    planner_bind(planner, step, at, CONVOY_DW, access, (uint64_t)(pass->row * row) * 4, (uint64_t)pass->weights * 4);
}

struct gpu_conv portion_shape(const struct pass *pass, const struct portion *portion)
{
    struct gpu_conv s = pass->shape;
    s.rows = (int)portion->rows;
    s.cols = (int)(portion->images * s.oh * s.ow);
    s.pixels = s.cols;
    s.depth = (int)(portion->channels * s.taps_h * s.taps_w);
    s.out_first += (int)(portion->row * s.out_plane);
    if (portion->add)
        s.flags |= GPU_ADD;
    return s;
}

/* ---- the choice ---- */

static bool is_depthwise(const struct convoy_conv *p)
{
    return p->groups > 1 && (p->c == p->groups || p->k == p->groups);
}

struct algorithm {
    const char *name;
    uint32_t kind;
    portion_program *correlate;
    void (*gradient)(struct planner *planner, const struct pass *pass);
};
static const struct algorithm implicit = {"implicit gemm", CONVOY_NUM_GEMM, tiles_portion, tiles_gradient};
static const struct algorithm lowered = {"lowered gemm", CONVOY_NUM_GEMM, panels_portion, panels_gradient};
static const struct algorithm direct = {"direct", CONVOY_NUM_DIRECT, direct_portion, direct_gradient};
static const struct algorithm winograd = {.gradient = winograd_gradient};
static const struct algorithm depthwise = {"depthwise", CONVOY_NUM_DIRECT, direct_portion, direct_gradient};

/* Matrices of one row or column have nothing to reuse: depthwise layers read their few weights directly. On CPUs the implicit
 * product would go through shared memory that is none, so there the operands are laid out first. */
static const struct algorithm *choose(const struct planner *planner, enum gpu_variant variant, const struct convoy_conv *p)
{
    if (variant == GPU_DIRECT)
        return &direct;
    if (variant == GPU_IM2COL)
        return &lowered;
    if (is_depthwise(p))
        return &depthwise;
    return planner->device->cpu_family ? &lowered : &implicit;
}

/* Gradients beyond one bind are cut along the output channels. */
static void backward_weights(struct planner *planner, const struct algorithm *algorithm, const struct pass *whole)
{
    const struct convoy_conv *const p = whole->p;
    const int64_t row_weights = whole->weights / p->k, k = planner_slice(planner, p->k, row_weights * 4, 1);
    if (k < p->k && p->groups > 1)
        planner_fail(planner, CONVOY_UNSUPPORTED, CONVOY_WHY_SIZE, "grouped weights beyond what this device can bind at a time");
    for (int64_t from = 0; from < p->k && planner->status == CONVOY_OK; from += k) {
        struct pass part = *whole;
        const int64_t rows = convoy_min(k, p->k - from);
        part.row = from;
        part.rows = rows == p->k ? whole->shape.m_count : rows;
        part.weights = rows * row_weights;
        planner_reuse(planner, 0);
        algorithm->gradient(planner, &part);
    }
}

static void backward_data(struct planner *planner, const struct algorithm *algorithm, const struct convoy_conv *p)
{
    for (int32_t ph = 0; ph < p->stride_h && ph < p->h; ph++) {
        for (int32_t pw = 0; pw < p->stride_w && pw < p->w; pw++) {
            struct pass pass;
            if (pass_phase(p, ph, pw, &pass)) /* without taps the direct kernel writes the zeros */
                pass_portions(planner, &pass, pass.shape.taps_h ? algorithm->correlate : direct_portion);
        }
    }
}

void conv_program(struct planner *planner, enum gpu_variant variant, const struct convoy_conv *p)
{
    struct gpu_program *const program = planner->program;
    const struct algorithm *const algorithm = variant == GPU_WINOGRAD ? &winograd : choose(planner, variant, p);
    const struct pass forward = pass_forward(p);
    if (algorithm != &winograd) {
        program->numerics.kind = algorithm->kind;
        snprintf(program->algorithm, sizeof program->algorithm, "%s", algorithm->name);
    } else if (!winograd_declare(planner, p)) {
        return;
    }
    if (algorithm == &winograd && p->head.op != CONVOY_CONV_BWD_WEIGHTS) {
        winograd_pass(planner, p);
    } else if (p->head.op == CONVOY_CONV_FWD) {
        pass_portions(planner, &forward, algorithm->correlate);
    } else if (p->head.op == CONVOY_CONV_BWD_DATA) {
        backward_data(planner, algorithm, p);
    } else {
        backward_weights(planner, algorithm, &forward);
        if (p->head.flags & CONVOY_WITH_BIAS) {
            planner_reuse(planner, 0);
            bn_channel_sums(planner, p->n, p->k, (int64_t)p->oh * p->ow, CONVOY_DY, CONVOY_DBIAS);
        }
    }
}
