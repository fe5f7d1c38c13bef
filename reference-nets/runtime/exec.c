/* Steps of time: layer l runs forward at step l, losses run at step L (the number of layers), and layer l runs backward at
 * step 2L-l. An output lives from its step to that of its last reader, or to the backward step of a layer that reads it there;
 * a gradient from the first reader's backward step (a head's: from step L) to its own layer's. */
#include "runtime/exec.h"

#include "core/hostmem.h"
#include "layers/layer.h"
#include "runtime/lifetimes.h"

#include <convoy/plugin.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct node {
    struct layer layer;
    bool needed;     /* a head depends on it                                                             */
    bool in_place;   /* its output is its input's memory: an activation                                  */
    bool folded;     /* the layer before it computes it                                                  */
    int32_t readers; /* needed layers that read it, and heads                                            */
    int32_t head;    /* -1: none                                                                         */
    struct tensor out, grad;
    struct tensor part[NET_INPUTS]; /* gradients to be added to those of other readers                    */
    bool adds[NET_INPUTS];
    int32_t out_block, grad_block, part_block[NET_INPUTS];
};

struct exec {
    struct model *model;
    struct backends *backends;
    int32_t batch, layers;
    enum exec_mode mode;
    struct node *node;
    struct tensor input, input_grad;
    struct convoy_buffer *input_buffer, *input_grad_buffer, *arena;
    int64_t arena_bytes;
    struct adder *adders;
};

/* One sum of gradients per size. */
struct adder {
    struct adder *next;
    int64_t count;
    struct op *op;
};

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static bool trains(const struct exec *exec)
{
    return exec->mode != EXEC_EVAL;
}

static int64_t bytes_of(const struct exec *exec, struct net_extent extent)
{
    return exec->batch * net_elements(extent) * (int64_t)sizeof(float);
}

static const struct net_layer *spec_of(const struct exec *exec, int32_t layer)
{
    return &exec->model->net->layer[layer];
}

static const struct layer_kind *kind_of(const struct exec *exec, int32_t layer)
{
    return &layer_table[spec_of(exec, layer)->kind];
}

/* ---- the graph ---- */

static void mark_needed(struct exec *exec)
{
    const struct net *net = exec->model->net;
    for (int32_t head = 0; head < (trains(exec) ? net->heads : 1); head++) {
        struct node *node = &exec->node[net->head[head].layer];
        node->needed = true;
        node->head = head;
        node->readers++;
    }
    for (int32_t l = exec->layers - 1; l >= 0; l--) {
        if (!exec->node[l].needed)
            continue;
        for (int32_t i = 0; i < spec_of(exec, l)->inputs; i++) {
            const int32_t from = spec_of(exec, l)->input[i];
            if (from != NET_IMAGE) {
                exec->node[from].needed = true;
                exec->node[from].readers++;
            }
        }
    }
}

/* Whether the layer before takes a ReLU into itself on the backend that computes it. */
static bool folds(const struct exec *exec, int32_t layer)
{
    union problem problem;
    if (!kind_of(exec, layer)->takes_relu || problem_with_batch(&spec_of(exec, layer)->problem, exec->batch, &problem, NULL))
        return false;
    if (exec->mode == EXEC_EVAL && problem.head.op == CONVOY_BN_TRAIN)
        problem.head.op = CONVOY_BN_INFER;
    /* Without a folded form the winner of the plain one is asked; where nobody has won, the fallback takes both. */
    union problem folded = problem;
    folded.head.flags |= CONVOY_WITH_RELU;
    return backends_first_takes(exec->backends, &folded) || !backends_first_takes(exec->backends, &problem);
}

/* An activation writes over its input where nobody else reads that, in either direction; a ReLU can move into the layer before.
 */
static void mark_in_place(struct exec *exec)
{
    for (int32_t l = 0; l < exec->layers; l++) {
        const struct net_layer *spec = spec_of(exec, l);
        struct node *node = &exec->node[l];
        const int32_t from = spec->input[0];
        if (!node->needed || spec->kind != NET_ACT || from == NET_IMAGE || exec->mode == EXEC_PLAIN)
            continue;
        struct node *before = &exec->node[from];
        if (before->readers != 1 || before->in_place || before->head >= 0)
            continue;
        node->folded = spec->spec.act == CONVOY_ELT_RELU && folds(exec, from);
        node->in_place = node->folded || !trains(exec) || !kind_of(exec, from)->backward_reads_out;
        before->layer.fused_relu = node->folded;
    }
}

/* The node whose memory holds the output of a layer. */
static struct node *owner(struct exec *exec, int32_t layer)
{
    while (exec->node[layer].in_place)
        layer = spec_of(exec, layer)->input[0];
    return &exec->node[layer];
}

/* ---- memory ---- */

static int32_t new_block(struct lifetime *block, size_t *blocks, int64_t bytes)
{
    block[*blocks] = (struct lifetime){.bytes = bytes, .first = INT32_MAX, .last = -1};
    return (int32_t)(*blocks)++;
}

static void lives(struct lifetime *block, int32_t step)
{
    block->first = (int32_t)convoy_min(block->first, step);
    block->last = (int32_t)convoy_max(block->last, step);
}

static int32_t backward_step(const struct exec *exec, int32_t layer)
{
    return 2 * exec->layers - layer;
}

static void outputs_live(struct exec *exec, struct lifetime *block)
{
    for (int32_t l = 0; l < exec->layers; l++) {
        struct node *node = &exec->node[l];
        if (!node->needed)
            continue;
        struct lifetime *out = &block[owner(exec, l)->out_block];
        lives(out, l);
        if (node->head >= 0)
            lives(out, exec->layers);
        if (exec->mode == EXEC_PLAIN)
            lives(out, 2 * exec->layers);
        if (trains(exec) && kind_of(exec, l)->backward_reads_out)
            lives(out, backward_step(exec, l));
        for (int32_t i = 0; i < spec_of(exec, l)->inputs; i++) {
            const int32_t from = spec_of(exec, l)->input[i];
            if (from == NET_IMAGE)
                continue;
            struct lifetime *in = &block[owner(exec, from)->out_block];
            lives(in, l);
            if (trains(exec) && kind_of(exec, l)->backward_reads_in)
                lives(in, backward_step(exec, l));
        }
    }
}

/* The last reader in order runs backward first and writes the gradient; the others write parts that are added. */
static void gradients_live(struct exec *exec, struct lifetime *block, size_t *blocks)
{
    for (int32_t l = exec->layers - 1; l >= 0; l--) {
        struct node *node = &exec->node[l];
        if (!node->needed)
            continue;
        const int32_t step = backward_step(exec, l);
        struct lifetime *grad = &block[owner(exec, l)->grad_block];
        if (node->head >= 0)
            lives(grad, exec->layers);
        lives(grad, step);
        for (int32_t i = 0; i < spec_of(exec, l)->inputs && !node->in_place; i++) {
            const int32_t from = spec_of(exec, l)->input[i];
            if (from == NET_IMAGE)
                continue;
            struct lifetime *to = &block[owner(exec, from)->grad_block];
            node->adds[i] = to->last >= 0;
            lives(to, step);
            if (node->adds[i]) {
                node->part_block[i] = new_block(block, blocks, bytes_of(exec, exec->model->net->layer[from].out));
                lives(&block[node->part_block[i]], step);
            }
        }
    }
}

static void over(struct exec *exec, struct tensor *tensor, const struct lifetime *block)
{
    tensor_over(tensor, exec->arena, (uint64_t)block->offset, block->bytes);
}

static void lay_out(struct exec *exec, const struct lifetime *block)
{
    for (int32_t l = 0; l < exec->layers; l++) {
        struct node *node = &exec->node[l];
        if (!node->needed)
            continue;
        if (!node->in_place)
            over(exec, &node->out, &block[node->out_block]);
        if (trains(exec) && !node->in_place)
            over(exec, &node->grad, &block[node->grad_block]);
        for (int32_t i = 0; i < NET_INPUTS; i++)
            if (node->adds[i])
                over(exec, &node->part[i], &block[node->part_block[i]]);
    }
}

static convoy_status host_tensor(struct tensor *tensor, struct convoy_buffer **buffer, int64_t bytes, struct convoy_error *err)
{
    const convoy_status status = hostmem()->alloc(hostmem(), (uint64_t)bytes, buffer, err);
    if (!status)
        tensor_over(tensor, *buffer, 0, bytes);
    return status;
}

static convoy_status place(struct exec *exec, struct convoy_error *err)
{
    const size_t most = (size_t)exec->layers * (2 + NET_INPUTS);
    struct lifetime *block = calloc(most + 1, sizeof *block);
    if (!block)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory to plan %d layers", exec->layers);
    size_t blocks = 0;
    for (int32_t l = 0; l < exec->layers; l++) {
        exec->node[l].out_block = new_block(block, &blocks, bytes_of(exec, spec_of(exec, l)->out));
        exec->node[l].grad_block = new_block(block, &blocks, bytes_of(exec, spec_of(exec, l)->out));
    }
    outputs_live(exec, block);
    if (trains(exec))
        gradients_live(exec, block, &blocks);
    convoy_status status = lifetimes_place(block, blocks, &exec->arena_bytes, err);
    if (!status)
        status = hostmem()->alloc(hostmem(), (uint64_t)convoy_max(exec->arena_bytes, 64), &exec->arena, err);
    if (!status)
        lay_out(exec, block);
    free(block);
    const int64_t image_bytes = bytes_of(exec, exec->model->net->image);
    if (!status)
        status = host_tensor(&exec->input, &exec->input_buffer, image_bytes, err);
    if (!status && exec->mode == EXEC_CHECK)
        status = host_tensor(&exec->input_grad, &exec->input_grad_buffer, image_bytes, err);
    return status;
}

/* ---- layers ---- */

static struct tensor *grad_towards(struct exec *exec, struct node *node, int32_t input)
{
    const int32_t from = node->layer.spec->input[input];
    if (from == NET_IMAGE)
        return exec->mode == EXEC_CHECK ? &exec->input_grad : NULL;
    return node->adds[input] ? &node->part[input] : &owner(exec, from)->grad;
}

static convoy_status make_layer(struct exec *exec, int32_t l, struct convoy_error *err)
{
    struct node *node = &exec->node[l];
    struct layer *layer = &node->layer;
    const struct net_layer *spec = spec_of(exec, l);
    layer->spec = spec;
    layer->batch = exec->batch;
    layer->index = l;
    layer->mode = exec->mode;
    layer->backends = exec->backends;
    layer->out = &owner(exec, l)->out;
    for (int32_t i = 0; i < spec->inputs; i++) {
        const int32_t from = spec->input[i];
        layer->in_extent[i] = net_output(exec->model->net, from);
        layer->in[i] = from == NET_IMAGE ? &exec->input : &owner(exec, from)->out;
        if (trains(exec))
            layer->din[i] = grad_towards(exec, node, i);
    }
    if (trains(exec))
        layer->dout = &owner(exec, l)->grad;
    const int32_t first = exec->model->first[l], end = exec->model->first[l + 1];
    for (int32_t p = first; p < end; p++)
        layer->param[p - first] = &exec->model->param[p];
    return kind_of(exec, l)->create ? kind_of(exec, l)->create(layer, err) : CONVOY_OK;
}

/* Where the network reads its image more than once, a gradient check of the image would need sums; no builder does. */
static convoy_status check_image_readers(const struct exec *exec, struct convoy_error *err)
{
    int32_t readers = 0;
    for (int32_t l = 0; l < exec->layers; l++)
        for (int32_t i = 0; i < spec_of(exec, l)->inputs; i++)
            readers += spec_of(exec, l)->input[i] == NET_IMAGE;
    if (readers != 1 && exec->mode == EXEC_CHECK)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "the image is read by %d layers; a check needs one", readers);
    return CONVOY_OK;
}

convoy_status exec_create(struct model *model, struct backends *backends, int32_t batch, enum exec_mode mode, struct exec **exec,
                          struct convoy_error *err)
{
    struct exec *made = calloc(1, sizeof *made);
    const int32_t layers = (int32_t)model->net->count;
    if (made)
        made->node = calloc((size_t)layers, sizeof *made->node);
    if (!made || !made->node) {
        free(made);
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for %d layers", layers);
    }
    made->model = model;
    made->backends = backends;
    made->batch = batch;
    made->layers = layers;
    made->mode = mode;
    for (int32_t l = 0; l < layers; l++)
        made->node[l].head = -1;
    mark_needed(made);
    mark_in_place(made);
    convoy_status status = check_image_readers(made, err);
    if (!status)
        status = place(made, err);
    for (int32_t l = 0; !status && l < layers; l++)
        if (made->node[l].needed)
            status = make_layer(made, l, err);
    if (status) {
        exec_free(made);
        return status;
    }
    *exec = made;
    return CONVOY_OK;
}

void exec_free(struct exec *exec)
{
    if (!exec)
        return;
    for (int32_t l = 0; l < exec->layers; l++) {
        struct node *node = &exec->node[l];
        for (int pass = 0; pass < PASS_COUNT; pass++)
            op_close(node->layer.op[pass]);
        if (node->layer.spec && kind_of(exec, l)->destroy)
            kind_of(exec, l)->destroy(&node->layer);
        layer_keep_free(&node->layer);
        tensor_release(&node->out);
        tensor_release(&node->grad);
        for (int32_t i = 0; i < NET_INPUTS; i++)
            tensor_release(&node->part[i]);
    }
    while (exec->adders) {
        struct adder *adder = exec->adders;
        exec->adders = adder->next;
        op_close(adder->op);
        free(adder);
    }
    tensor_release(&exec->input);
    tensor_release(&exec->input_grad);
    struct convoy_buffer *const buffers[] = {exec->input_buffer, exec->input_grad_buffer, exec->arena};
    for (size_t index = 0; index < sizeof buffers / sizeof *buffers; index++)
        if (buffers[index])
            buffers[index]->memory->free(buffers[index]->memory, buffers[index]);
    free(exec->node);
    free(exec);
}

/* ---- running ---- */

void exec_seed(struct exec *exec, uint64_t seed, uint64_t step)
{
    for (int32_t l = 0; l < exec->layers; l++) {
        exec->node[l].layer.seed = seed;
        exec->node[l].layer.step = step;
    }
}

/* What an operation of a plugin did not account for is the layer's own time. */
static int64_t spent_in_all(const struct exec *exec)
{
    const int64_t *spent = backends_spent_ns(exec->backends);
    return spent[SPENT_CONV] + spent[SPENT_POOL] + spent[SPENT_BN] + spent[SPENT_REST];
}

convoy_status exec_forward(struct exec *exec, struct convoy_error *err)
{
    const int64_t start_ns = now_ns(), before_ns = spent_in_all(exec);
    exec->model->batches += exec->mode == EXEC_TRAIN;
    for (int32_t l = 0; l < exec->layers; l++) {
        struct node *node = &exec->node[l];
        if (!node->needed || node->folded)
            continue;
        const convoy_status status = kind_of(exec, l)->forward(&node->layer, err);
        if (status)
            return status;
    }
    backends_spend(exec->backends, SPENT_REST, now_ns() - start_ns - (spent_in_all(exec) - before_ns));
    return CONVOY_OK;
}

static convoy_status adder_for(struct exec *exec, int64_t count, struct op **op, struct convoy_error *err)
{
    for (struct adder *adder = exec->adders; adder; adder = adder->next) {
        if (adder->count == count) {
            *op = adder->op;
            return CONVOY_OK;
        }
    }
    union problem problem = {
        .eltwise = {.head = {.op = CONVOY_ELTWISE}, .count = count, .kind = CONVOY_ELT_ADD, .alpha = 1, .beta = 1}};
    struct adder *adder = calloc(1, sizeof *adder);
    if (!adder)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a sum");
    convoy_status status = problem_complete(&problem, err);
    if (!status)
        status = op_open(exec->backends, &problem, OP_WEIGHTS_STAY, &adder->op, err);
    if (status) {
        free(adder);
        return status;
    }
    adder->count = count;
    adder->next = exec->adders;
    exec->adders = adder;
    *op = adder->op;
    return CONVOY_OK;
}

static convoy_status add_parts(struct exec *exec, struct node *node, struct convoy_error *err)
{
    for (int32_t i = 0; i < node->layer.spec->inputs; i++) {
        if (!node->adds[i])
            continue;
        struct tensor *sum = &owner(exec, node->layer.spec->input[i])->grad;
        struct op *op = NULL;
        convoy_status status = adder_for(exec, sum->bytes / (int64_t)sizeof(float), &op, err);
        if (!status)
            status = op_run(
                op, (struct tensor *const[CONVOY_NSLOTS]){[CONVOY_X] = sum, [CONVOY_X2] = &node->part[i], [CONVOY_Y] = sum}, err);
        if (status)
            return status;
    }
    return CONVOY_OK;
}

convoy_status exec_backward(struct exec *exec, struct convoy_error *err)
{
    const int64_t start_ns = now_ns(), before_ns = spent_in_all(exec);
    for (int32_t l = exec->layers - 1; l >= 0; l--) {
        struct node *node = &exec->node[l];
        if (!node->needed)
            continue;
        convoy_status status = kind_of(exec, l)->backward(&node->layer, err);
        if (!status)
            status = add_parts(exec, node, err);
        if (status)
            return status;
    }
    backends_spend(exec->backends, SPENT_REST, now_ns() - start_ns - (spent_in_all(exec) - before_ns));
    return CONVOY_OK;
}

/* ---- looking in ---- */

struct tensor *exec_input(struct exec *exec)
{
    return &exec->input;
}

struct tensor *exec_input_grad(struct exec *exec)
{
    return exec->mode == EXEC_CHECK ? &exec->input_grad : NULL;
}

struct tensor *exec_head(struct exec *exec, int32_t head)
{
    return &owner(exec, exec->model->net->head[head].layer)->out;
}

struct tensor *exec_head_grad(struct exec *exec, int32_t head)
{
    return trains(exec) ? &owner(exec, exec->model->net->head[head].layer)->grad : NULL;
}

struct tensor *exec_output(struct exec *exec, int32_t layer)
{
    return &owner(exec, layer)->out;
}

int32_t exec_batch(const struct exec *exec)
{
    return exec->batch;
}

int64_t exec_activation_bytes(const struct exec *exec)
{
    return exec->arena_bytes + exec->input.bytes + exec->input_grad.bytes;
}

const char *exec_backend(const struct exec *exec, int32_t layer, enum problem_pass pass)
{
    const struct op *op = exec->node[layer].layer.op[pass];
    return op ? op_backend(op) : "";
}

const char *exec_class(const struct exec *exec, int32_t layer, enum problem_pass pass)
{
    const struct op *op = exec->node[layer].layer.op[pass];
    return op ? op_class(op) : "";
}
