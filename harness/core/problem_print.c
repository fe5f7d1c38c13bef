#include "core/problem_op.h"

#include <convoy/shape.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct writer {
    char *buf;
    size_t size, length;
};

__attribute__((format(printf, 2, 3))) static void write_text(struct writer *writer, const char *format, ...)
{
    const bool room = writer->length < writer->size;
    va_list list;
    va_start(list, format);
    const int length =
        vsnprintf(room ? writer->buf + writer->length : NULL, room ? writer->size - writer->length : 0, format, list);
    va_end(list);
    if (length > 0)
        writer->length += (size_t)length;
}

static void write_integer(struct writer *writer, enum problem_key key, int64_t value, int64_t otherwise)
{
    if (value != otherwise)
        write_text(writer, "%s%lld", problem_keys[key].name, (long long)value);
}

/* The fewest digits that read back to the same float, the exponent without the zeros and the sign that printf adds. */
static void write_real(struct writer *writer, enum problem_key key, float value, float otherwise)
{
    char number[32];
    if (value == otherwise)
        return;
    for (int digits = 1; digits <= 9; digits++) {
        snprintf(number, sizeof number, "%.*g", digits, (double)value);
        if (strtof(number, NULL) == value)
            break;
    }
    const char *const exponent = strchr(number, 'e');
    if (exponent)
        write_text(writer, "%s%.*se%d", problem_keys[key].name, (int)(exponent - number), number, atoi(exponent + 1));
    else
        write_text(writer, "%s%s", problem_keys[key].name, number);
}

static void write_axes(struct writer *writer, enum problem_key both, enum problem_key first, enum problem_key second,
                       int32_t first_value, int32_t second_value)
{
    if (first_value == second_value) {
        write_integer(writer, both, first_value, 1);
    } else {
        write_integer(writer, first, first_value, 1);
        write_integer(writer, second, second_value, first_value);
    }
}

static void write_pads(struct writer *writer, int32_t top, int32_t bottom, int32_t left, int32_t right)
{
    if (top == bottom && top == left && top == right) {
        write_integer(writer, KEY_P, top, 0);
        return;
    }
    write_integer(writer, KEY_PT, top, 0);
    write_integer(writer, KEY_PB, bottom, 0);
    write_integer(writer, KEY_PL, left, 0);
    write_integer(writer, KEY_PR, right, 0);
}

static void write_image(struct writer *writer, int32_t n, int32_t c, int32_t h, int32_t w)
{
    write_integer(writer, KEY_N, n, 1);
    write_integer(writer, KEY_C, c, 0);
    write_integer(writer, KEY_H, h, 0);
    write_integer(writer, KEY_W, w, h);
}

static void write_conv(struct writer *writer, const struct convoy_conv *p)
{
    write_image(writer, p->n, p->c, p->h, p->w);
    write_integer(writer, KEY_K, p->k, 0);
    write_integer(writer, KEY_KH, p->kh, 0);
    write_integer(writer, KEY_KW, p->kw, p->kh);
    write_integer(writer, KEY_G, p->groups, 1);
    write_axes(writer, KEY_S, KEY_SH, KEY_SW, p->stride_h, p->stride_w);
    write_axes(writer, KEY_D, KEY_DH, KEY_DW, p->dil_h, p->dil_w);
    write_pads(writer, p->pad_t, p->pad_b, p->pad_l, p->pad_r);
}

/* The size rule that gives the problem's output; the floor rule where several do. */
static int size_rule(const struct convoy_pool *p)
{
    for (int rule = CONVOY_SIZE_FLOOR; rule <= CONVOY_SIZE_CEIL_CAFFE; rule++) {
        if (convoy_pool_extent(p->h, p->pad_t, p->pad_b, p->kh, p->stride_h, p->dil_h, rule) == p->oh &&
            convoy_pool_extent(p->w, p->pad_l, p->pad_r, p->kw, p->stride_w, p->dil_w, rule) == p->ow)
            return rule;
    }
    return CONVOY_SIZE_FLOOR;
}

static void write_pool(struct writer *writer, const struct convoy_pool *p)
{
    write_image(writer, p->n, p->c, p->h, p->w);
    write_integer(writer, KEY_KH, p->kh, 0);
    write_integer(writer, KEY_KW, p->kw, p->kh);
    write_axes(writer, KEY_S, KEY_SH, KEY_SW, p->stride_h, p->stride_w);
    write_axes(writer, KEY_D, KEY_DH, KEY_DW, p->dil_h, p->dil_w);
    write_pads(writer, p->pad_t, p->pad_b, p->pad_l, p->pad_r);
    write_integer(writer, KEY_CEIL, size_rule(p), CONVOY_SIZE_FLOOR);
}

int problem_print(const union problem *problem, char *buf, size_t size)
{
    const struct problem_op *const op = problem_op_find(problem);
    struct writer writer = {buf, size, 0};
    write_text(&writer, "%s:", problem_op_name(problem));
    switch (op ? op->family : FAMILY_COUNT) {
    case FAMILY_CONV:
        write_conv(&writer, &problem->conv);
        break;
    case FAMILY_POOL:
        write_pool(&writer, &problem->pool);
        break;
    case FAMILY_BN:
        write_image(&writer, problem->bn.n, problem->bn.c, problem->bn.h, problem->bn.w);
        write_real(&writer, KEY_EPS, problem->bn.eps, problem_default_eps);
        write_real(&writer, KEY_MOM, problem->bn.momentum, problem_default_momentum);
        break;
    case FAMILY_ELTWISE:
        write_integer(&writer, KEY_N, problem->eltwise.count, 0);
        write_integer(&writer, KEY_CLASSES, problem->eltwise.classes, 0);
        write_real(&writer, KEY_ALPHA, problem->eltwise.alpha, 1);
        write_real(&writer, KEY_BETA, problem->eltwise.beta, 1);
        break;
    case FAMILY_COUNT:
        break;
    }
    if (op) {
        write_integer(&writer, KEY_B, !!(problem->head.flags & CONVOY_WITH_BIAS), 0);
        write_integer(&writer, KEY_R, !!(problem->head.flags & CONVOY_WITH_RELU), 0);
        write_integer(&writer, KEY_NOINDEX, !!(problem->head.flags & CONVOY_NO_INDEX), 0);
    }
    return (int)writer.length;
}
