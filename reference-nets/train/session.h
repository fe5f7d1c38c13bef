/* session: everything that a command works with, opened from its settings: network, model, data, backends, execs. One step of
 * training and one pass of judging are here; loops, files and words are the commands'. */
#ifndef CONVOY_TRAIN_SESSION_H
#define CONVOY_TRAIN_SESSION_H

#include "runtime/exec.h"
#include "train/assign.h"
#include "train/settings.h"

#include <signal.h>

struct session {
    const struct settings *settings;
    struct net net;
    struct model model;
    struct net folded_net; /* with --fold-bn: what is judged                                         */
    struct model folded;
    struct assign assign;
    struct backends *backends;
    struct exchange exchange;  /* with --sync-bn and several processes                                  */
    struct exec *train, *eval; /* NULL until session_train, session_eval                                */
    struct optim *optim;
    struct dataset train_whole, train_set, val_set; /* count 0: not opened                                  */
    struct batches *train_batches, *val_batches;
    float *mean, *deviation; /* of the training set's channels                                        */
    float *gathered;         /* gradients of accumulated batches; NULL: none                          */
    float *zero_share;       /* [layers]: of what each activation gave when it was watched last        */
    bool watched;            /* the next step counts them                                              */
    int32_t batch;
};

/* What a step or a pass came to. */
struct outcome {
    double loss, penalty, grad_norm;
    int64_t correct, correct5, counted, samples;
};

/* Data sets as the settings say; the network's image and classes follow them where the settings leave them open. */
convoy_status session_data(const struct settings *settings, struct session *session, struct convoy_error *err);
/* Network, first values or loaded weights, backends. After session_data where there is data. */
convoy_status session_open(const struct settings *settings, bool training, struct session *session, struct convoy_error *err);
convoy_status session_train(struct session *session, struct convoy_error *err); /* exec, optimizer, batches  */
convoy_status session_eval(struct session *session, struct convoy_error *err);  /* exec, batches             */
void session_close(struct session *session);

/* One update from `accumulate` batches. step seeds random layers. A loss that is no number is CONVOY_FAILED and names the layer.
 */
convoy_status session_step(struct session *session, int64_t step, double rate, const volatile sig_atomic_t *stop,
                           struct outcome *outcome, struct convoy_error *err);

/* The next step counts the zeros that activations give. */
convoy_status session_watch(struct session *session, struct convoy_error *err);

/* The whole validation set. probabilities (may be NULL): [count][classes] that softmax of the logits is added to, for means of
 * several models. With --fold-bn the model's values are folded first. */
convoy_status session_judge(struct session *session, float *probabilities, struct outcome *outcome, struct convoy_error *err);

#endif
