/* loss: what training minimises at a head, and its gradient at the head's output. All losses are means over the batch's samples
 * that count; sums inside a sample are stated below. Knows arrays only. */
#ifndef CONVOY_NETS_LOSS_H
#define CONVOY_NETS_LOSS_H

#include <convoy/convoy.h>
#include <stdbool.h>

enum loss_kind {
    LOSS_XENT,  /* cross-entropy of softmax(z): log(sum exp z) - z[label]; gradient p - target               */
    LOSS_BCE,   /* with logits, one Bernoulli per class: sum over classes                                    */
    LOSS_MSE,   /* half the squared distance to the target: 1/2 sum (z-t)^2                                  */
    LOSS_L1,    /* sum |z-t|                                                                                 */
    LOSS_HUBER, /* delta                                                                                     */
    LOSS_HINGE, /* multi-class (Crammer & Singer): max(0, margin + max over others z - z[label])             */
    LOSS_HINGE_EACH, /* one decision per class: sum max(0, margin - y z), y = 1 for the label, else -1            */
    LOSS_KIND_COUNT
};

struct loss_options {
    enum loss_kind kind;
    float delta, margin;       /* HUBER, HINGEs; 0 means 1                                                   */
    float smoothing;           /* label smoothing of XENT and BCE targets, in [0, 1)                        */
    const float *class_weight; /* [classes] or NULL; the mean is then by weight, as in PyTorch              */
};

enum { LOSS_IGNORE = -100 }; /* a label that counts for nothing                                            */

/* Targets: labels, or soft targets [batch][classes] where target is not NULL (mixup). */
struct loss_batch {
    int32_t batch, classes;
    const float *z; /* [batch][classes]                                                               */
    const int32_t *label;
    const float *target; /* NULL: one-hot of label                                                         */
    float weight;        /* of this head: scales the gradient, not the value                               */
    float *dz;           /* [batch][classes], overwritten; NULL: not wanted                                */
};
struct loss_result {
    double loss;              /* mean over counted samples                                                      */
    int32_t correct, counted; /* samples whose largest z (the first of equals) is the label; those with a label */
    int32_t correct5;         /* label among the five largest                                                   */
};

/* A label outside of 0..classes-1 that is not LOSS_IGNORE is CONVOY_INVALID, naming the sample. [any] */
convoy_status loss_run(const struct loss_options *options, const struct loss_batch *batch, struct loss_result *result,
                       struct convoy_error *err);

const char *loss_name(enum loss_kind kind); /* "xent"                                               */
bool loss_by_name(const char *name, enum loss_kind *kind);

#endif
