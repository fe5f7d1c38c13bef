#include "core/problem_pairs.h"

#include <convoy/plugin.h>
#include <convoy/shape.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_digit(char character)
{
    return character >= '0' && character <= '9';
}
static bool is_letter(char character)
{
    return character >= 'a' && character <= 'z';
}

/* Levenshtein's distance of two short words, row by row. */
static size_t edit_distance(const char *a, size_t a_length, const char *b)
{
    enum { LONGEST = 32 };
    size_t row[LONGEST + 1];
    const size_t b_length = strlen(b);
    if (a_length > LONGEST || b_length > LONGEST)
        return LONGEST;
    for (size_t at = 0; at <= b_length; at++)
        row[at] = at;
    for (size_t i = 1; i <= a_length; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t at = 1; at <= b_length; at++) {
            const size_t change = diagonal + (a[i - 1] != b[at - 1]);
            const size_t shift = (row[at] < row[at - 1] ? row[at] : row[at - 1]) + 1;
            diagonal = row[at];
            row[at] = change < shift ? change : shift;
        }
    }
    return row[b_length];
}

static convoy_status fail_unknown_op(const char *word, size_t length, struct convoy_error *err)
{
    char near[96] = "";
    const int shown = length < 40 ? (int)length : 40;
    const size_t typing_errors = length < 5 ? 1 : 2;
    for (size_t row = 0; row < problem_op_count; row++) {
        const char *const name = problem_ops[row].name;
        const bool begins = length >= 3 && !strncmp(name, word, length);
        if ((begins || edit_distance(word, length, name) <= typing_errors) && strlen(near) + strlen(name) + 3 < sizeof near) {
            strcat(near, *near ? ", " : "");
            strcat(near, name);
        }
    }
    if (*near)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OP, "unknown operation '%.*s'; near it: %s", shown, word, near);
    return convoy_fail(
        err, CONVOY_INVALID, CONVOY_WHY_OP,
        "unknown operation '%.*s': conv_{fwd,bwd_data,bwd_weights}, conv_transpose, {max,avg,avgx,l2}pool_{fwd,bwd}, "
        "bn_{train,infer,bwd}, or an element-wise one such as relu, relu_bwd, add, xent, sgd",
        shown, word);
}

static convoy_status fail_unknown_key(const struct pairs *pairs, const char *key, size_t length, struct convoy_error *err)
{
    char known[128] = "";
    for (int at = 0; at < KEY_COUNT; at++) {
        if (pairs->op->keys & KEY_BIT(at)) {
            strcat(known, " ");
            strcat(known, problem_keys[at].name);
        }
    }
    const size_t pair = length + strspn(key + length, "-.0123456789");
    return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "%s: unknown key '%.*s' in '%.*s'; its keys are%s", pairs->op->name,
                       length < 20 ? (int)length : 20, key, pair < 30 ? (int)pair : 30, key, known);
}

static convoy_status fail_at(const char *op, const char *text, const char *at, struct convoy_error *err)
{
    const int position = (int)(at - text) + 1;
    if (*at == '\0')
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "%s: the text ends at character %d, where a number must follow",
                           op, position);
    if (*at < ' ' || *at > '~')
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "%s: unexpected byte 0x%02x at character %d", op,
                           (unsigned char)*at, position);
    return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "%s: unexpected '%c' at character %d", op, *at, position);
}

static int64_t largest(const struct problem_op *op, enum problem_key key)
{
    switch (problem_keys[key].type) {
    case KEY_SWITCH:
        return 1;
    case KEY_RULE:
        return CONVOY_SIZE_CEIL_CAFFE;
    default:
        return op->family == FAMILY_ELTWISE && key == KEY_N ? INT64_MAX : INT32_MAX;
    }
}

static convoy_status read_integer(struct pairs *pairs, enum problem_key key, const char **text, struct convoy_error *err)
{
    const char *const digits = *text;
    const int64_t most = largest(pairs->op, key), least = problem_keys[key].type == KEY_EXTENT;
    const char *end = digits;
    int64_t value = 0;
    bool fits = true;
    for (; is_digit(*end); end++)
        fits = fits && !__builtin_mul_overflow(value, 10, &value) && !__builtin_add_overflow(value, *end - '0', &value);
    const int shown = end - digits < 24 ? (int)(end - digits) : 24;
    if (!fits || value > most)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_SIZE, "%s: %s %.*s is too large, at most %lld", pairs->op->name,
                           problem_keys[key].name, shown, digits, (long long)most);
    if (value < least)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_SIZE, "%s: %s is %lld, must be at least %lld", pairs->op->name,
                           problem_keys[key].name, (long long)value, (long long)least);
    pairs->integer[key] = value;
    *text = end;
    return CONVOY_OK;
}

static const char *skip_digits(const char *text)
{
    while (is_digit(*text))
        text++;
    return text;
}

/* The end of [-]digits[.digits][e[+-]digits]; an 'e' or '.' without digits after it is not part of the number. */
static const char *real_end(const char *text)
{
    const char *end = skip_digits(*text == '-' ? text + 1 : text);
    if (*end == '.' && is_digit(end[1]))
        end = skip_digits(end + 1);
    if (*end == 'e') {
        const char *const exponent = end[1] == '-' || end[1] == '+' ? end + 2 : end + 1;
        if (is_digit(*exponent))
            end = skip_digits(exponent);
    }
    return end;
}

static convoy_status read_real(struct pairs *pairs, enum problem_key key, const char **text, struct convoy_error *err)
{
    char number[64];
    const char *const end = real_end(*text);
    const size_t length = (size_t)(end - *text);
    if (length >= sizeof number)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "%s: %s %.20s... has too many digits", pairs->op->name,
                           problem_keys[key].name, *text);
    memcpy(number, *text, length);
    number[length] = '\0';
    pairs->real[key] = strtof(number, NULL);
    if (!isfinite(pairs->real[key]))
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "%s: %s %s is too large", pairs->op->name,
                           problem_keys[key].name, number);
    *text = end;
    return CONVOY_OK;
}

static convoy_status read_pair(struct pairs *pairs, const char *whole, const char **text, struct convoy_error *err)
{
    const char *const word = *text;
    size_t length = 0;
    int key = 0;
    while (is_letter(word[length]))
        length++;
    if (!length)
        return fail_at(pairs->op->name, whole, word, err);
    while (key < KEY_COUNT && (strncmp(problem_keys[key].name, word, length) || problem_keys[key].name[length]))
        key++;
    if (key == KEY_COUNT || !(pairs->op->keys & KEY_BIT(key)))
        return fail_unknown_key(pairs, word, length, err);
    if (pairs->given & KEY_BIT(key))
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "%s: key '%s' is given twice, again at character %d",
                           pairs->op->name, problem_keys[key].name, (int)(word - whole) + 1);

    const char *at = word + length;
    const enum problem_key_type type = problem_keys[key].type;
    if (*at == '-' && is_digit(at[1]) && type != KEY_REAL)
        return convoy_fail(err, CONVOY_INVALID, type == KEY_PADDING ? CONVOY_WHY_PAD : CONVOY_WHY_OTHER,
                           "%s: %s %.*s: must not be negative", pairs->op->name, problem_keys[key].name,
                           (int)convoy_min(skip_digits(at + 1) - at, 24), at);
    if (!is_digit(*at) && !(*at == '-' && is_digit(at[1])))
        return fail_at(pairs->op->name, whole, at, err);
    const bool real = type == KEY_REAL || type == KEY_POSITIVE_REAL;
    const convoy_status status =
        real ? read_real(pairs, (enum problem_key)key, &at, err) : read_integer(pairs, (enum problem_key)key, &at, err);
    if (status)
        return status;
    pairs->given |= KEY_BIT(key);
    *text = at;
    return CONVOY_OK;
}

static convoy_status need_required(const struct pairs *pairs, struct convoy_error *err)
{
    uint32_t required = pairs->op->required;
    if (pairs->op->family == FAMILY_POOL && !pairs->integer[KEY_GLOBAL])
        required |= KEY_BIT(KEY_KH);
    for (int key = 0; key < KEY_COUNT; key++) {
        if (required & ~pairs->given & KEY_BIT(key))
            return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "%s: key '%s' is missing", pairs->op->name,
                               problem_keys[key].name);
    }
    return CONVOY_OK;
}

convoy_status pairs_read(const char *text, struct pairs *pairs, struct convoy_error *err)
{
    const char *const colon = strchr(text, ':');
    const size_t length = colon ? (size_t)(colon - text) : strlen(text);
    *pairs = (struct pairs){.op = problem_op_by_name(text, length)};
    if (!pairs->op)
        return fail_unknown_op(text, length, err);
    if (!colon)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "%s: a colon and key-number pairs must follow",
                           pairs->op->name);
    for (const char *at = colon + 1; *at;) {
        const convoy_status status = read_pair(pairs, text, &at, err);
        if (status)
            return status;
    }
    return need_required(pairs, err);
}
