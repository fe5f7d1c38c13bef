#include "train/settings.h"

#include "nets/style.h"

#include <convoy/plugin.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum option_type { TYPE_TEXT, TYPE_LIST, TYPE_INT, TYPE_INT32, TYPE_REAL, TYPE_FLOAT, TYPE_FLAG, TYPE_OWN };

struct option {
    const char *name, *value, *help; /* value: its name in help; NULL for flags                             */
    uint32_t commands;
    enum option_type type;
    size_t offset;
    double least, most; /* of numbers                                                                       */
    const char *(*own)(struct settings *settings, const char *text); /* NULL: well; else what is wrong     */
};

/* ---- options of their own kind ---- */

static const char *set_input(struct settings *s, const char *text)
{
    struct net_extent *image = &s->catalog.image;
    char tail;
    if (sscanf(text, "%dx%dx%d%c", &image->c, &image->h, &image->w, &tail) != 3 || image->c < 1 || image->h < 1 || image->w < 1)
        return "is not CxHxW, such as 3x32x32";
    return NULL;
}

static const char *set_bn(struct settings *s, const char *text)
{
    return style_bn_place(text, &s->catalog.bn_place) ? NULL : "is neither before nor after";
}

static const char *set_activation(struct settings *s, const char *text)
{
    s->catalog.activation = style_activation(text);
    s->activation = text;
    return s->catalog.activation ? NULL
                                 : "is none of relu, leaky, prelu, rrelu, elu, selu, softplus, sigmoid, tanh, hardtanh, softsign";
}

static const char *set_optimizer(struct settings *s, const char *text)
{
    enum optim_kind kind;
    const bool adamw = !strcmp(text, "adamw");
    if (!optim_by_name(adamw ? "adam" : text, &kind))
        return "is none of sgd, adagrad, rmsprop, adam, adamw";
    const struct optim_options given = s->optim;
    s->optim = optim_defaults(kind);
    s->optim.weight_decay = given.weight_decay;
    s->optim.decoupled = adamw;
    return NULL;
}

static const char *set_schedule(struct settings *s, const char *text)
{
    return schedule_by_name(text, &s->schedule.kind) ? NULL
                                                     : "is none of constant, step, multistep, exp, poly, inv, cosine, plateau";
}

static const char *set_milestones(struct settings *s, const char *text)
{
    struct schedule_options *o = &s->schedule;
    for (const char *at = text; *at; at += *at == ',') {
        char *end;
        const long epoch = strtol(at, &end, 10);
        if (end == at || epoch < 0 || epoch > INT32_MAX || (*end && *end != ',') || o->milestones == SCHEDULE_MILESTONES)
            return "is no list of at most 16 epochs, such as 30,60,80";
        o->milestone[o->milestones++] = (int32_t)epoch;
        at = end;
    }
    return NULL;
}

static const char *set_init(struct settings *s, const char *text)
{
    return init_by_name(text, &s->init.kind)
               ? NULL
               : "is none of he-normal, he-uniform, xavier-normal, xavier-uniform, gaussian, orthonormal, lsuv";
}

static const char *set_class_weights(struct settings *s, const char *text)
{
    s->class_weights = 0;
    for (const char *at = text; *at; at += *at == ',') {
        char *end;
        const float weight = strtof(at, &end);
        if (end == at || !(weight >= 0 && weight <= 1e6f) || (*end && *end != ',') || s->class_weights == SETTINGS_CLASSES)
            return "is no list of weights, one for each class, such as 1,2,0.5";
        s->class_weight[s->class_weights++] = weight;
        at = end;
    }
    s->loss.class_weight = s->class_weight;
    return s->class_weights ? NULL : "is empty";
}

static const char *set_loss(struct settings *s, const char *text)
{
    return loss_by_name(text, &s->loss.kind) ? NULL : "is none of xent, bce, mse, l1, huber, hinge, hinge-each";
}

enum {
    TRAINS = FOR_RUN | FOR_COMPARE | FOR_TIME,
    BUILDS = FOR_RUN | FOR_EVAL | FOR_COMPARE | FOR_SUMMARY | FOR_CHECK | FOR_TIME,
    READS = FOR_RUN | FOR_EVAL | FOR_COMPARE | FOR_TIME,
    COMPUTES = FOR_RUN | FOR_EVAL | FOR_COMPARE | FOR_CHECK | FOR_SUMMARY | FOR_TIME
};

#define ANY(n, v, c, t, h) .name = n, .value = v, .help = h, .commands = c, .type = t
#define TEXT(n, v, c, m, h)                                                                                                      \
    {                                                                                                                            \
        ANY(n, v, c, TYPE_TEXT, h), .offset = offsetof(struct settings, m)                                                       \
    }
#define LIST(n, v, c, m, h)                                                                                                      \
    {                                                                                                                            \
        ANY(n, v, c, TYPE_LIST, h), .offset = offsetof(struct settings, m)                                                       \
    }
#define FLAG(n, c, m, h)                                                                                                         \
    {                                                                                                                            \
        ANY(n, NULL, c, TYPE_FLAG, h), .offset = offsetof(struct settings, m)                                                    \
    }
#define INT(n, v, c, m, lo, hi, h)                                                                                               \
    {                                                                                                                            \
        ANY(n, v, c, TYPE_INT, h), .offset = offsetof(struct settings, m), .least = lo, .most = hi                               \
    }
#define INT32(n, v, c, m, lo, hi, h)                                                                                             \
    {                                                                                                                            \
        ANY(n, v, c, TYPE_INT32, h), .offset = offsetof(struct settings, m), .least = lo, .most = hi                             \
    }
#define REAL(n, v, c, m, lo, hi, h)                                                                                              \
    {                                                                                                                            \
        ANY(n, v, c, TYPE_REAL, h), .offset = offsetof(struct settings, m), .least = lo, .most = hi                              \
    }
#define FLOAT(n, v, c, m, lo, hi, h)                                                                                             \
    {                                                                                                                            \
        ANY(n, v, c, TYPE_FLOAT, h), .offset = offsetof(struct settings, m), .least = lo, .most = hi                             \
    }
#define OWN(n, v, c, f, h)                                                                                                       \
    {                                                                                                                            \
        ANY(n, v, c, TYPE_OWN, h), .own = f                                                                                      \
    }

static const struct option options[] = {
    OWN("--input", "CxHxW", BUILDS, set_input, "extents of the image (the network's own)"),
    INT32("--classes", "N", BUILDS, catalog.classes, 1, 1 << 20, "classes (those of the data, else the network's own)"),
    REAL("--width", "X", BUILDS, catalog.width, 1e-3, 64, "factor on the channels (1)"),
    OWN("--bn", "PLACE", BUILDS, set_bn,
        "batch norm before or after each activation that follows a convolution, added where there is none (as the network has "
        "it)"),
    OWN("--activation", "NAME", BUILDS, set_activation,
        "in place of ReLU: leaky, prelu, rrelu, elu, selu, softplus, sigmoid, tanh, hardtanh, softsign"),
    TEXT("--data", "DIR", READS, data,
         "MNIST-like IDX files, CIFAR binaries, CSV, or folders of pictures; 'made': a made set (made)"),
    REAL("--val-fraction", "X", FOR_RUN, val_fraction, 0, 0.9,
         "share of the training set held back for validation instead of the test set"),
    INT("--limit", "N", TRAINS, limit, 1, 1e12, "use only the first N training samples"),
    INT("--overfit", "N", FOR_RUN, overfit, 1, 1e9, "train and judge on the first N samples, without augmentation"),
    INT("--epochs", "N", FOR_RUN, epochs, 1, 1e6, "passes over the data (10)"),
    INT("--batch", "N", COMPUTES, batch, 1, 65536, "samples in a step of one process (64)"),
    INT("--accumulate", "N", FOR_RUN, accumulate, 1, 65536, "batches whose gradients make one step (1)"),
    REAL("--lr", "X", TRAINS, schedule.rate, 0, 1e6, "learning rate (0.05)"),
    OWN("--optimizer", "NAME", TRAINS, set_optimizer, "sgd, adagrad, rmsprop, adam, adamw (sgd); before options that change it"),
    REAL("--momentum", "X", TRAINS, optim.momentum, 0, 1, "of sgd (0.9) and rmsprop"),
    FLAG("--nesterov", TRAINS, optim.nesterov, "Nesterov's form of the momentum"),
    FLAG("--rate-inside", TRAINS, optim.rate_inside, "momentum with the rate inside, as in Caffe"),
    REAL("--beta1", "X", TRAINS, optim.beta1, 0, 1, "of adam (0.9)"),
    REAL("--beta2", "X", TRAINS, optim.beta2, 0, 1, "of adam (0.999) and rmsprop (0.99)"),
    REAL("--eps", "X", TRAINS, optim.eps, 0, 1, "of adagrad, rmsprop, adam"),
    FLAG("--eps-inside", TRAINS, optim.eps_inside, "eps under the root"),
    FLAG("--amsgrad", TRAINS, optim.amsgrad, "of adam"),
    FLAG("--centered", TRAINS, optim.centered, "of rmsprop"),
    REAL("--weight-decay", "X", TRAINS, optim.weight_decay, 0, 1e3, "adds X*w to the gradient of weights (0)"),
    FLAG("--decoupled", TRAINS, optim.decoupled, "weight decay as w -= rate*X*w"),
    FLAG("--decay-all", TRAINS, optim.decay_all, "biases and normalisations decay too"),
    REAL("--l1", "X", TRAINS, optim.l1, 0, 1e3, "adds X*sign(w) to the gradient of weights (0)"),
    FLOAT("--sparsity", "P", FOR_RUN, catalog.sparsity, 1e-3, 0.999, "the mean that each sigmoid unit is pulled towards (0.05)"),
    FLOAT("--sparsity-weight", "X", FOR_RUN, catalog.sparsity_weight, 0, 1e6, "how much that counts in the loss (0)"),
    REAL("--max-norm", "X", TRAINS, optim.max_norm, 0, 1e9, "limit on the norm of each unit's weights (none)"),
    REAL("--clip-norm", "X", TRAINS, optim.clip_norm, 0, 1e9, "limit on the norm of all gradients (none)"),
    REAL("--clip-value", "X", TRAINS, optim.clip_value, 0, 1e9, "limit on every gradient (none)"),
    OWN("--schedule", "NAME", FOR_RUN, set_schedule, "constant, step, multistep, exp, poly, inv, cosine, plateau (constant)"),
    REAL("--gamma", "X", FOR_RUN, schedule.gamma, 0, 1e6, "factor of step, multistep, exp, inv, plateau (0.1)"),
    INT32("--step-epochs", "N", FOR_RUN, schedule.every, 1, 1e6, "epochs between steps, or of a cosine period before a restart"),
    REAL("--restart-factor", "X", FOR_RUN, schedule.factor, 1, 100, "each cosine period is X times as long as the last (1)"),
    OWN("--milestones", "N,N,...", FOR_RUN, set_milestones, "epochs of multistep"),
    REAL("--power", "X", FOR_RUN, schedule.power, 0, 100, "of poly and inv (1)"),
    REAL("--lr-least", "X", FOR_RUN, schedule.least, 0, 1e6, "where cosine ends (0)"),
    INT32("--lr-patience", "N", FOR_RUN, schedule.patience, 0, 1e6, "epochs without improvement before plateau steps (3)"),
    REAL("--warmup", "X", FOR_RUN, warmup_epochs, 0, 1e6, "epochs in which the rate grows from 0"),
    OWN("--init", "NAME", TRAINS, set_init,
        "he-normal, he-uniform, xavier-normal, xavier-uniform, gaussian, orthonormal, lsuv (he-normal)"),
    REAL("--init-bias", "X", TRAINS, init.bias, -1e3, 1e3, "constant of biases (0)"),
    FLAG("--zero-last-gamma", TRAINS, init.zero_last_gamma, "the last normalisation of each residual branch starts at 0"),
    OWN("--loss", "NAME", READS, set_loss, "xent, bce, mse, l1, huber, hinge (against the best rival), hinge-each (xent)"),
    OWN("--class-weights", "W,W,...", FOR_RUN, set_class_weights, "weights of the classes in the mean of the loss (all 1)"),
    FLOAT("--label-smoothing", "X", TRAINS, loss.smoothing, 0, 0.99, "of xent and bce (0)"),
    INT("--seed", "N", COMPUTES, seed, 0, 1e15, "of everything that is drawn (1)"),
    INT32("--pad-crop", "N", FOR_RUN, augment.pad_crop, 0, 4096, "augmentation: pad by N pixels, crop at random"),
    FLAG("--resized-crop", FOR_RUN, augment.resized_crop, "augmentation: random area and aspect"),
    FLAG("--flip", FOR_RUN, augment.flip, "augmentation: left to right"),
    FLOAT("--rotate", "X", FOR_RUN, augment.rotate_degrees, 0, 180, "augmentation: up to X degrees"),
    FLOAT("--scale", "X", FOR_RUN, augment.scale, 0, 0.9, "augmentation: up to this share"),
    FLOAT("--shift", "X", FOR_RUN, augment.shift, 0, 1, "augmentation: up to this share"),
    FLOAT("--brightness", "X", FOR_RUN, augment.brightness, 0, 1, "augmentation: up to this share"),
    FLOAT("--contrast", "X", FOR_RUN, augment.contrast, 0, 1, "augmentation: up to this share"),
    FLOAT("--colour", "X", FOR_RUN, augment.colour, 0, 1, "augmentation: up to this share in each channel"),
    FLOAT("--tint", "X", FOR_RUN, augment.tint, 0, 1, "augmentation: up to X is added to each channel"),
    INT32("--cutout", "N", FOR_RUN, augment.cutout, 0, 4096, "augmentation: a square of N pixels set to the mean"),
    FLOAT("--mixup", "ALPHA", FOR_RUN, augment.mixup_alpha, 0, 100, "mixes pairs of samples, lambda ~ Beta(ALPHA, ALPHA)"),
    LIST("--load", "FILE", FOR_RUN | FOR_EVAL | FOR_COMPARE, load,
         "weights to start from (safetensors); eval: repeat it for the mean of several"),
    TEXT("--load-prefix", "TEXT", FOR_RUN | FOR_EVAL, load_prefix, "load only parameters whose names start so"),
    TEXT("--load-exclude", "TEXT", FOR_RUN | FOR_EVAL, load_exclude,
         "load none whose names start so: they keep their first values"),
    FLAG("--average", FOR_EVAL, average, "judge the mean of the weights of all --load files, not the mean of their answers"),
    FLAG("--fold-bn", FOR_EVAL, fold_bn, "batch norms are folded into the weights of the convolutions before them"),
    FLAG("--load-lenient", FOR_RUN | FOR_EVAL, load_lenient, "names that are missing on either side are no error"),
    LIST("--freeze", "PREFIX", FOR_RUN, freeze, "parameters whose names start so are not trained"),
    LIST("--lr-scale", "PREFIX=X", FOR_RUN, rate_scale, "factor on the rate of parameters whose names start so"),
    FLAG("--resume", FOR_RUN, resume, "go on from the state in --out, bit-exactly; where there is none a new run begins"),
    TEXT("--backend", "NAME", COMPUTES, backend,
         "one backend, a select.csv, or auto: the measured winners per layer and pass (auto)"),
    LIST("--backends", "NAME", FOR_COMPARE, backends, "compare: a backend beside the naive one; repeat, or separate by commas"),
    LIST("--plugin", "PATH", COMPUTES, plugins, "a plugin file or folder beside the usual ones"),
    REAL("--select-budget", "SECONDS", COMPUTES, select_budget_s, 0, 1e6,
         "auto: how long to measure where no measured winners are stored (20)"),
    INT("--threads", "N", COMPUTES, threads, 1, 1024, "threads (all processors)"),
    FLAG("--sync-bn", FOR_RUN, sync_bn, "batch statistics over all processes"),
    FLAG("--no-loader", FOR_RUN | FOR_EVAL, no_loader, "no thread of its own for loading"),
    TEXT("--out", "DIR", TRAINS, out, "folder for metrics.csv, TensorBoard events, weights and state"),
    INT("--save-every", "N", FOR_RUN, save_every, 1, 1e9, "save the state every N steps too (each epoch)"),
    TEXT("--filters", "FILE.png", FOR_RUN | FOR_EVAL, filters, "write a picture of the first layer's filters at the end"),
    INT("--patience", "N", FOR_RUN, patience, 1, 1e6, "stop after N epochs without a better validation loss"),
    REAL("--target-accuracy", "X", FOR_RUN | FOR_EVAL, target_accuracy, 0, 1,
         "stop when validation reaches X (0..1); exit 1 if it never does"),
    INT("--steps", "N", FOR_COMPARE | FOR_TIME, steps, 1, 1e6,
        "compare: steps to train with each backend; time: steps to time (20)"),
    REAL("--wall-time", "SECONDS", FOR_RUN, wall_time, 0, 1e11, "time stamped on events: for byte-stable files"),
    FLAG("--quiet", COMPUTES, quiet, "no progress line"),
    FLAG("--help", ~0u, help, "this text"),
};

static void put_list(struct settings_list *list, const char *text)
{
    if (list->count < SETTINGS_LIST)
        list->item[list->count++] = text;
}

static convoy_status put_value(struct settings *settings, const struct option *option, const char *text, struct convoy_error *err)
{
    char *at = (char *)settings + option->offset, *end;
    if (option->type == TYPE_TEXT) {
        *(const char **)(void *)at = text;
        return CONVOY_OK;
    }
    if (option->type == TYPE_LIST) {
        put_list((struct settings_list *)(void *)at, text);
        return CONVOY_OK;
    }
    if (option->type == TYPE_OWN) {
        const char *wrong = option->own(settings, text);
        return wrong ? convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "%s: '%.60s' %s", option->name, text, wrong)
                     : CONVOY_OK;
    }
    const double value = strtod(text, &end);
    const bool whole = option->type == TYPE_INT || option->type == TYPE_INT32;
    if (end == text || *end || !(value >= option->least && value <= option->most) || (whole && value != floor(value)))
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "%s: '%.60s' is no %snumber from %g to %g", option->name, text,
                           whole ? "whole " : "", option->least, option->most);
    if (option->type == TYPE_INT)
        *(int64_t *)(void *)at = (int64_t)value;
    else if (option->type == TYPE_INT32)
        *(int32_t *)(void *)at = (int32_t)value;
    else if (option->type == TYPE_FLOAT)
        *(float *)(void *)at = (float)value;
    else
        *(double *)(void *)at = value;
    return CONVOY_OK;
}

static void defaults(struct settings *settings)
{
    *settings = (struct settings){
        .catalog.sparsity = 0.05f,
        .epochs = 10,
        .batch = 64,
        .accumulate = 1,
        .seed = 1,
        .optim = optim_defaults(OPTIM_SGD),
        .schedule = {.rate = 0.05, .gamma = 0.1, .power = 1, .factor = 1, .patience = 3},
        .backend = "auto",
        .select_budget_s = 20,
        .wall_time = -1,
        .steps = 20,
    };
}

static const struct option *find(const struct train_command *command, const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (strlen(options[i].name) == length && !strncmp(options[i].name, name, length) && options[i].commands & command->bit)
            return &options[i];
    return NULL;
}

/* What options mean only together; NULL: all is well. */
static const char *complaint(const struct train_command *command, const struct settings *s)
{
    if (command->bit == FOR_LIST)
        return s->network ? "list takes no network" : NULL;
    if (!s->network)
        return "which network? convoy-train list names them";
    if (command->bit == FOR_EVAL && !s->load.count)
        return "eval needs --load FILE, the weights to judge";
    if (s->resume && !s->out)
        return "--resume needs --out, the folder of the run";
    if (s->schedule.kind == SCHEDULE_STEP && !s->schedule.every)
        return "--schedule step needs --step-epochs N";
    if (s->schedule.kind == SCHEDULE_MULTISTEP && !s->schedule.milestones)
        return "--schedule multistep needs --milestones N,N,...";
    return NULL;
}

convoy_status settings_parse(const struct train_command *command, int argc, char **argv, struct settings *settings,
                             struct convoy_error *err)
{
    defaults(settings);
    for (int i = 0; i < argc; i++) {
        const char *argument = argv[i];
        if (argument[0] != '-') {
            if (settings->network)
                return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "'%.60s': one network only", argument);
            settings->network = argument;
            continue;
        }
        const char *equals = strchr(argument, '=');
        const struct option *option = find(command, argument, equals ? (size_t)(equals - argument) : strlen(argument));
        if (!option)
            return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "%s has no option %.60s; see convoy-train %s --help",
                               command->name, argument, command->name);
        if (option->type == TYPE_FLAG) {
            if (equals)
                return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "%s takes no value", option->name);
            *(bool *)((char *)settings + option->offset) = true;
            continue;
        }
        const char *text = equals ? equals + 1 : i + 1 < argc ? argv[++i] : NULL;
        if (!text)
            return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "%s needs a value: %s", option->name, option->value);
        const convoy_status status = put_value(settings, option, text, err);
        if (status)
            return status;
    }
    const char *wrong = settings->help ? NULL : complaint(command, settings);
    return wrong ? convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "%s", wrong) : CONVOY_OK;
}

void settings_help(const struct train_command *command)
{
    printf("usage: convoy-train %s\n\n%s\n\noptions:\n", command->usage, command->summary);
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        char left[48];
        if (!(options[i].commands & command->bit))
            continue;
        snprintf(left, sizeof left, "%s %s", options[i].name, options[i].value ? options[i].value : "");
        printf("  %-26s %s\n", left, options[i].help);
    }
    if (command->details)
        printf("\n%s", command->details);
}

void settings_print(const struct settings *s, char *text, size_t size)
{
    const struct augment_options *a = &s->augment;
    const struct optim_options *o = &s->optim;
    const struct schedule_options *r = &s->schedule;
    int length = snprintf(
        text, size,
        "%s %dx%dx%d/%d*%g bn=%d act=%s sparsity=%g*%g data=%s/%g/%lld/%lld batch=%lld*%lld seed=%lld loss=%d/%g epochs=%lld "
        "optim=%d/%g/%d%d/%g/%g/%g/%d%d%d/%g/%g/%d%d/%g/%g/%g "
        "schedule=%d/%g/%g/%g/%g/%g/%d/%d/%g augment=%d/%d%d/%g/%g/%g/%g/%g/%g/%g/%d/%g",
        s->network, s->catalog.image.c, s->catalog.image.h, s->catalog.image.w, s->catalog.classes, s->catalog.width,
        (int)s->catalog.bn_place, s->activation ? s->activation : "relu", (double)s->catalog.sparsity,
        (double)s->catalog.sparsity_weight, s->data ? s->data : "made", s->val_fraction, (long long)s->limit,
        (long long)s->overfit, (long long)s->batch, (long long)s->accumulate, (long long)s->seed, (int)s->loss.kind,
        (double)s->loss.smoothing, (long long)s->epochs, (int)o->kind, o->momentum, o->nesterov, o->rate_inside, o->beta1,
        o->beta2, o->eps, o->eps_inside, o->centered, o->amsgrad, o->weight_decay, o->l1, o->decoupled, o->decay_all, o->max_norm,
        o->clip_norm, o->clip_value, (int)r->kind, r->rate, r->least, r->gamma, r->power, r->factor, r->every, r->patience,
        s->warmup_epochs, a->pad_crop, a->resized_crop, a->flip, (double)a->rotate_degrees, (double)a->scale, (double)a->shift,
        (double)a->brightness, (double)a->contrast, (double)a->colour, (double)a->tint, a->cutout, (double)a->mixup_alpha);
    for (int32_t m = 0; m < r->milestones && length > 0 && (size_t)length < size; m++)
        length += snprintf(text + length, size - (size_t)length, "%s%d", m ? "," : " milestones=", r->milestone[m]);
    for (int32_t w = 0; w < s->class_weights && length > 0 && (size_t)length < size; w++)
        length += snprintf(text + length, size - (size_t)length, "%s%g", w ? "," : " class-weights=", (double)s->class_weight[w]);
    for (int32_t f = 0; f < s->rate_scale.count && length > 0 && (size_t)length < size; f++)
        length += snprintf(text + length, size - (size_t)length, " lr-scale=%s", s->rate_scale.item[f]);
    for (int32_t f = 0; f < s->freeze.count && length > 0 && (size_t)length < size; f++)
        length += snprintf(text + length, size - (size_t)length, " freeze=%s", s->freeze.item[f]);
}
