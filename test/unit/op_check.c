/*
 * op_check.c: runs one operator the way an executor would, with the memory of a hostile one.
 *
 * Memory: the case owns its inputs; everything else belongs to a run and goes when the next run
 * starts. All of it comes from guarded(), which puts GUARD bytes of a pattern on both sides.
 *
 * A run is cut into shards. Inputs named in `batched` are sliced along axis 0, the others are
 * shared by all shards, as weights are. Gradients of sliced inputs are put together again, those of
 * shared ones are summed, as the trainer does.
 *
 * Before backward every input and output that the operator's flags do not keep is filled with NaN,
 * and so is scratch memory before every call. Constants stay: they are initializers, which live as
 * long as the graph.
 */
#include "op_check.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "unit.h"

#define GUARD      64
#define GUARD_BYTE 0xA5
#define MAX_BLOCKS 2048

typedef struct block {
    unsigned char *base; /* as from aligned_alloc */
    size_t size;         /* of the middle */
} block;

typedef struct block_list {
    block item[MAX_BLOCKS];
    int n;
} block_list;

typedef struct op_shard {
    int64_t rows, row0;
    ax_arena arena;
    ax_setup setup;
    ax_tensor in[OP_MAX_IN], out[OP_MAX_OUT], dout[OP_MAX_OUT], din[OP_MAX_IN];
    bool add[OP_MAX_IN];
    void *saved;
    ax_run run;
} op_shard;

struct op_bench {
    block_list kept; /* inputs, dout: live as long as the case */
    block_list run;  /* of the run in progress */
    ax_node node;
    int node_in[OP_MAX_IN], node_out[OP_MAX_OUT];
    int n_shards;
    op_shard shard[OP_MAX_SHARDS];
    int faults; /* of the check in progress */
};

/* How backward is to be run. */
typedef struct backward_mode {
    unsigned wanted;    /* bit i: gradient of input i */
    bool add;           /* onto what is in c->din already */
    bool in_place;      /* din[0] is dout[0] */
    const double *base; /* with add: the number that every element starts from */
} backward_mode;

/* ---- small things ---------------------------------------------------------------------------- */

static void fault(op_case *c, const char *fmt, ...) AX_PRINTF(2, 3);

static void fault(op_case *c, const char *fmt, ...)
{
    char text[512];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (c->bench->faults++ < 5)
        unit_note("%s (%s): %s", c->label, c->op->type, text);
}

int64_t op_random_int(int64_t lo, int64_t hi)
{
    return lo + unit_below(hi - lo + 1);
}

double op_random_uniform(double lo, double hi)
{
    return lo + (hi - lo) * ((double) (unit_random() >> 11) * 0x1p-53);
}

double op_random_normal(void)
{
    double u = 1.0 - op_random_uniform(0, 1);

    return sqrt(-2 * log(u)) * cos(6.283185307179586 * op_random_uniform(0, 1));
}

void op_random_dims(int rank, int64_t lo, int64_t hi, int64_t *dim)
{
    for (int i = 0; i < rank; i++)
        dim[i] = op_random_int(lo, hi);
}

static double element(const ax_tensor *t, int64_t i)
{
    switch (t->type) {
    case AX_FLOAT:
        return ((const float *) t->data)[i];
    case AX_DOUBLE:
        return ((const double *) t->data)[i];
    case AX_INT64:
        return (double) ((const int64_t *) t->data)[i];
    case AX_INT32:
        return ((const int32_t *) t->data)[i];
    case AX_INT8:
        return ((const int8_t *) t->data)[i];
    default: /* AX_UINT8, AX_BOOL */
        return ((const uint8_t *) t->data)[i];
    }
}

/* ---- guarded memory -------------------------------------------------------------------------- */

static void *guarded(block_list *list, size_t size, int fill)
{
    size_t room = (size + 2 * GUARD + GUARD - 1) / GUARD * GUARD;
    unsigned char *base = aligned_alloc(GUARD, room);

    if (!base || list->n == MAX_BLOCKS) {
        fprintf(stderr, "op_check: out of memory or blocks\n");
        exit(2);
    }
    memset(base, GUARD_BYTE, room);
    memset(base + GUARD, fill, size);
    list->item[list->n++] = (block){base, size};
    return base + GUARD;
}

static void guards_check(op_case *c, const block_list *list)
{
    for (int i = 0; i < list->n; i++) {
        const unsigned char *base = list->item[i].base;
        size_t end = GUARD + list->item[i].size;

        for (int k = 0; k < GUARD; k++)
            if (base[k] != GUARD_BYTE || base[end + (size_t) k] != GUARD_BYTE) {
                fault(c, "wrote outside a buffer of %zu bytes", list->item[i].size);
                break;
            }
    }
}

static void list_free(block_list *list)
{
    for (int i = 0; i < list->n; i++)
        free(list->item[i].base);
    list->n = 0;
}

static void run_reset(op_case *c)
{
    for (int s = 0; s < c->bench->n_shards; s++)
        ax_arena_free(&c->bench->shard[s].arena);
    c->bench->n_shards = 0;
    list_free(&c->bench->run);
    for (int i = 0; i < OP_MAX_OUT; i++)
        c->out[i].data = NULL;
    for (int i = 0; i < OP_MAX_IN; i++)
        c->din[i].data = NULL;
}

static void *tensor_memory(block_list *list, ax_tensor *t, int fill)
{
    t->data = guarded(list, ax_tensor_bytes(t->type, &t->shape), fill);
    return t->data;
}

/* ---- making a case --------------------------------------------------------------------------- */

void op_case_init(op_case *c, const ax_op *op, const char *label)
{
    memset(c, 0, sizeof *c);
    c->op = op;
    c->label = label;
    c->n_out = 1;
    c->shards = 1;
    c->batched = c->batched_out = 1;
    c->key = 0x9e3779b97f4a7c15u;
    c->tolerance = 1e-5;
    c->grad_tolerance = 1e-4;
    c->max_probes = 48;
    c->bench = calloc(1, sizeof *c->bench);
    if (!c->bench)
        exit(2);
}

void op_case_free(op_case *c)
{
    run_reset(c);
    list_free(&c->bench->kept);
    for (int i = 0; i < c->n_attr; i++)
        free((void *) c->attr[i].ints);
    free(c->bench);
    c->bench = NULL;
}

int op_case_input(op_case *c, ax_dtype type, int rank, const int64_t *dim)
{
    int i = c->n_in++;

    c->same_as[i] = -1;
    c->in[i].type = type;
    c->in[i].shape = ax_shape_of(rank, dim);
    tensor_memory(&c->bench->kept, &c->in[i], 0);
    if (type == AX_FLOAT)
        op_fill_normal(c, i, 0, 1);
    return i;
}

int op_case_missing(op_case *c)
{
    int i = c->n_in++;

    c->same_as[i] = -1;
    c->in[i] = (ax_tensor){.shape.rank = -1};
    return i;
}

int op_case_repeat(op_case *c, int i)
{
    int n = c->n_in++;

    c->in[n] = c->in[i];
    c->same_as[n] = i;
    return n;
}

int op_case_ints(op_case *c, int n, const int64_t *v)
{
    int64_t dim = n;
    int i = op_case_input(c, AX_INT64, n < 0 ? 0 : 1, &dim);

    for (int64_t k = 0; k < ax_shape_elements(&c->in[i].shape); k++)
        ((int64_t *) c->in[i].data)[k] = v[k];
    c->constant |= 1u << i;
    return i;
}

int op_case_scalar(op_case *c, float v)
{
    int i = op_case_input(c, AX_FLOAT, 0, NULL);

    op_case_floats(c, i)[0] = v;
    c->constant |= 1u << i;
    return i;
}

float *op_case_floats(op_case *c, int i)
{
    return c->in[i].data;
}

static ax_attr *new_attr(op_case *c, const char *name, ax_attr_kind kind)
{
    ax_attr *a = &c->attr[c->n_attr++];

    a->name = name;
    a->kind = kind;
    return a;
}

void op_case_attr_i(op_case *c, const char *name, int64_t v)
{
    new_attr(c, name, AX_ATTR_INT)->i = v;
}

void op_case_attr_f(op_case *c, const char *name, float v)
{
    new_attr(c, name, AX_ATTR_FLOAT)->f = v;
}

void op_case_attr_s(op_case *c, const char *name, const char *v)
{
    new_attr(c, name, AX_ATTR_STRING)->s = v;
}

void op_case_attr_ss(op_case *c, const char *name, int n, const char *const *v)
{
    ax_attr *a = new_attr(c, name, AX_ATTR_STRINGS);

    a->count = n;
    a->strings = v;
}

void op_case_attr_is(op_case *c, const char *name, int n, const int64_t *v)
{
    ax_attr *a = new_attr(c, name, AX_ATTR_INTS);
    int64_t *copy = malloc(((size_t) n + 1) * sizeof *copy);

    if (!copy)
        exit(2);
    memcpy(copy, v, (size_t) n * sizeof *copy);
    a->count = n;
    a->ints = copy;
}

/* ---- fillings -------------------------------------------------------------------------------- */

static int64_t input_size(const op_case *c, int i)
{
    return c->in[i].shape.rank < 0 ? 0 : ax_shape_elements(&c->in[i].shape);
}

void op_fill_normal(op_case *c, int i, double mean, double sd)
{
    int64_t n = input_size(c, i);

    for (int64_t k = 0; k < n; k++)
        op_case_floats(c, i)[k] = (float) (mean + sd * op_random_normal());
}

void op_fill_uniform(op_case *c, int i, double lo, double hi)
{
    int64_t n = input_size(c, i);

    for (int64_t k = 0; k < n; k++)
        op_case_floats(c, i)[k] = (float) op_random_uniform(lo, hi);
}

void op_fill_distinct(op_case *c, int i, double gap)
{
    int64_t n = input_size(c, i);
    float *x = op_case_floats(c, i);

    for (int64_t k = 0; k < n; k++)
        x[k] = (float) (((double) k - (double) n / 2) * gap);
    for (int64_t k = n - 1; k > 0; k--) {
        int64_t other = op_random_int(0, k);
        float t = x[k];

        x[k] = x[other];
        x[other] = t;
    }
}

void op_fill_avoid(op_case *c, int i, double x, double distance)
{
    int64_t n = input_size(c, i);
    float *v = op_case_floats(c, i);

    for (int64_t k = 0; k < n; k++)
        if (fabs(v[k] - x) < distance)
            v[k] = (float) (v[k] < x ? x - distance : x + distance);
}

/* ---- setting up a run ------------------------------------------------------------------------ */

static bool is_batched(const op_case *c, int i)
{
    return c->shards > 1 && (c->batched >> i & 1) && c->in[i].shape.rank > 0;
}

static int64_t batch_rows(const op_case *c)
{
    for (int i = 0; i < c->n_in; i++)
        if (is_batched(c, i))
            return c->in[i].shape.dim[0];
    return 0;
}

static int64_t row_bytes(const ax_tensor *t)
{
    return ax_shape_span(&t->shape, 1, t->shape.rank) * (int64_t) ax_dtype_size(t->type);
}

/* Rows [row0, row0 + rows) of a whole tensor in memory of their own. */
static ax_tensor slice(op_case *c, const ax_tensor *whole, int64_t row0, int64_t rows)
{
    ax_tensor t = *whole;

    t.shape.dim[0] = rows;
    tensor_memory(&c->bench->run, &t, 0xff);
    memcpy(t.data, (const char *) whole->data + row0 * row_bytes(whole),
           (size_t) (rows * row_bytes(whole)));
    return t;
}

static ax_tensor copy(op_case *c, const ax_tensor *whole)
{
    ax_tensor t = *whole;

    tensor_memory(&c->bench->run, &t, 0xff);
    memcpy(t.data, whole->data, ax_tensor_bytes(t.type, &t.shape));
    return t;
}

static void shard_inputs(op_case *c, int s)
{
    op_shard *sh = &c->bench->shard[s];

    for (int i = 0; i < c->n_in; i++) {
        if (c->in[i].shape.rank < 0)
            sh->in[i] = c->in[i];
        else if (c->same_as[i] >= 0)
            sh->in[i] = sh->in[c->same_as[i]];
        else if (is_batched(c, i))
            sh->in[i] = slice(c, &c->in[i], sh->row0, sh->rows);
        else
            sh->in[i] = s ? c->bench->shard[0].in[i] : copy(c, &c->in[i]);
    }
}

static void make_node(op_case *c)
{
    struct op_bench *b = c->bench;

    for (int i = 0; i < c->n_in; i++)
        b->node_in[i] = c->in[i].shape.rank < 0 ? -1 : i;
    for (int i = 0; i < c->n_out; i++)
        b->node_out[i] = c->n_in + i;
    b->node = (ax_node){.name = c->label,
                        .op = c->op,
                        .n_in = c->n_in,
                        .n_out = c->n_out,
                        .n_attr = c->n_attr,
                        .in = b->node_in,
                        .out = b->node_out,
                        .attr = c->attr};
}

static ax_status shard_setup(op_case *c, int s, bool training)
{
    op_shard *sh = &c->bench->shard[s];
    ax_tensor in[OP_MAX_IN];
    ax_status status;

    memcpy(in, sh->in, sizeof in);
    for (int i = 0; i < c->n_in; i++)
        if (!(c->constant >> i & 1))
            in[i].data = NULL;
    memset(sh->out, 0, sizeof sh->out);
    sh->setup = (ax_setup){.node = &c->bench->node,
                           .n_in = c->n_in,
                           .n_out = c->n_out,
                           .in = in,
                           .out = sh->out,
                           .training = training,
                           .arena = &sh->arena,
                           .alias = -1,
                           .err = &c->err};
    status = c->op->setup(&sh->setup);
    sh->setup.in = sh->in;
    c->alias = sh->setup.alias;
    return status;
}

/* Cuts the batch, makes the shards' inputs and asks setup of each. */
static ax_status run_prepare(op_case *c, bool training)
{
    struct op_bench *b = c->bench;
    int64_t rows = batch_rows(c), row0 = 0;
    int n = c->shards > 1 ? c->shards : 1;

    run_reset(c);
    make_node(c);
    memset(&c->err, 0, sizeof c->err);
    for (int s = 0; s < n; s++) {
        op_shard *sh = &b->shard[s];

        memset(sh, 0, sizeof *sh);
        b->n_shards = s + 1;
        ax_arena_init(&sh->arena, unit_env());
        sh->rows = rows * (s + 1) / n - row0;
        sh->row0 = row0;
        row0 += sh->rows;
        shard_inputs(c, s);
        AX_TRY(shard_setup(c, s, training));
    }
    return AX_OK;
}

ax_status op_run_setup(op_case *c, bool training)
{
    int shards = c->shards;
    ax_status status;

    c->shards = 1;
    status = run_prepare(c, training);
    c->shards = shards;
    for (int i = 0; i < c->n_out && status == AX_OK; i++)
        c->out[i] = c->bench->shard[0].out[i];
    return status;
}

/* ---- forward --------------------------------------------------------------------------------- */

typedef enum forward_form { FORM_APART, FORM_IN_PLACE, FORM_ALIAS } forward_form;

static bool shard_outputs(op_case *c, int s, forward_form form)
{
    op_shard *sh = &c->bench->shard[s];

    for (int i = 0; i < c->n_out; i++) {
        if (!ax_shape_sane(&sh->out[i].shape) || !ax_dtype_size(sh->out[i].type)) {
            fault(c, "setup left output %d without a type or shape", i);
            return false;
        }
        if (i == 0 && form != FORM_APART)
            sh->out[i].data = sh->in[form == FORM_ALIAS ? c->alias : 0].data;
        else
            tensor_memory(&c->bench->run, &sh->out[i], 0xff);
    }
    return true;
}

static void shard_run(op_case *c, int s, bool training)
{
    op_shard *sh = &c->bench->shard[s];

    sh->saved = training ? guarded(&c->bench->run, sh->setup.saved, 0xff) : NULL;
    sh->run = (ax_run){.node = &c->bench->node,
                       .prep = sh->setup.prep,
                       .n_in = c->n_in,
                       .n_out = c->n_out,
                       .in = sh->in,
                       .out = sh->out,
                       .saved = sh->saved,
                       .training = training,
                       .key = c->key,
                       .row0 = c->row0 + sh->row0};
}

/* Fresh rubbish as scratch memory for each call. */
static void call(op_case *c, void (*fn)(const ax_run *), op_shard *sh, size_t scratch)
{
    sh->run.scratch = guarded(&c->bench->run, scratch, 0xff);
    fn(&sh->run);
}

/* stats of every shard, one merge, then the work itself. */
static void call_all(op_case *c, void (*stats)(const ax_run *),
                     void (*merge)(const ax_run *const *, int), void (*fn)(const ax_run *),
                     bool backward)
{
    struct op_bench *b = c->bench;
    const ax_run *all[OP_MAX_SHARDS];

    for (int s = 0; s < b->n_shards; s++) {
        ax_setup *set = &b->shard[s].setup;

        all[s] = &b->shard[s].run;
        if (stats)
            call(c, stats, &b->shard[s], backward ? set->scratch_backward : set->scratch);
    }
    if (merge)
        merge(all, b->n_shards);
    for (int s = 0; s < b->n_shards; s++) {
        ax_setup *set = &b->shard[s].setup;

        call(c, fn, &b->shard[s], backward ? set->scratch_backward : set->scratch);
    }
}

static void gather_outputs(op_case *c)
{
    struct op_bench *b = c->bench;

    for (int i = 0; i < c->n_out; i++) {
        char *at;

        c->out[i] = b->shard[0].out[i];
        if (c->shards < 2 || !(c->batched_out >> i & 1))
            continue;
        for (int s = 1; s < b->n_shards; s++)
            c->out[i].shape.dim[0] += b->shard[s].out[i].shape.dim[0];
        at = tensor_memory(&b->run, &c->out[i], 0);
        for (int s = 0; s < b->n_shards; s++) {
            size_t bytes = ax_tensor_bytes(c->out[i].type, &b->shard[s].out[i].shape);

            memcpy(at, b->shard[s].out[i].data, bytes);
            at += bytes;
        }
    }
}

/* Whole-batch inputs of shard 0 against the case's own, which nobody touches. */
static void inputs_check(op_case *c, const char *when)
{
    const op_shard *sh = &c->bench->shard[0];

    for (int i = 0; i < c->n_in; i++) {
        if (c->in[i].shape.rank < 0 || (c->updates >> i & 1))
            continue;
        if (memcmp(sh->in[i].data, c->in[i].data,
                   ax_tensor_bytes(sh->in[i].type, &sh->in[i].shape)))
            fault(c, "%s changed input %d", when, i);
    }
}

static bool run_forward(op_case *c, bool training, forward_form form)
{
    struct op_bench *b = c->bench;

    if (run_prepare(c, training) != AX_OK)
        return false;
    for (int s = 0; s < b->n_shards; s++) {
        if (!shard_outputs(c, s, form))
            return false;
        shard_run(c, s, training);
    }
    call_all(c, training ? c->op->forward_stats : NULL, training ? c->op->forward_merge : NULL,
             c->op->forward, false);
    if (form != FORM_IN_PLACE)
        inputs_check(c, "forward");
    gather_outputs(c);
    guards_check(c, &b->run);
    return true;
}

bool op_run_forward(op_case *c, bool training)
{
    return run_forward(c, training, FORM_APART);
}

/* ---- backward -------------------------------------------------------------------------------- */

static unsigned wanted_inputs(const op_case *c)
{
    unsigned wanted = 0;

    for (int i = 0; i < c->n_in; i++)
        if (c->in[i].shape.rank >= 0 && c->in[i].type == AX_FLOAT && c->same_as[i] < 0 &&
            !((c->constant | c->fixed) >> i & 1))
            wanted |= 1u << i;
    return wanted;
}

void op_random_dout(op_case *c)
{
    for (int i = 0; i < OP_MAX_OUT; i++)
        c->dout[i].data = NULL;
    for (int i = 0; i < (c->all_dout ? c->n_out : 1); i++) {
        c->dout[i] = c->out[i];
        tensor_memory(&c->bench->kept, &c->dout[i], 0);
        for (int64_t k = 0; k < ax_shape_elements(&c->dout[i].shape); k++)
            ((float *) c->dout[i].data)[k] = (float) op_random_normal();
    }
}

static bool keeps(const op_case *c, int i)
{
    return (c->constant >> i & 1) || (c->op->flags & (AX_KEEP_IN0 << AX_MIN(i, 7)));
}

static bool kept_elsewhere(const op_case *c, const op_shard *sh, const void *data)
{
    for (int i = 0; i < c->n_in; i++)
        if (keeps(c, i) && sh->in[i].data == data)
            return true;
    return (c->op->flags & AX_KEEP_OUT) && sh->out[0].data == data;
}

/* NaN into whatever backward has no right to read. */
static void poison(op_case *c, op_shard *sh)
{
    for (int i = 0; i < c->n_in; i++)
        if (sh->in[i].shape.rank >= 0 && !kept_elsewhere(c, sh, sh->in[i].data))
            memset(sh->in[i].data, 0xff, ax_tensor_bytes(sh->in[i].type, &sh->in[i].shape));
    for (int i = 0; i < c->n_out; i++)
        if (!kept_elsewhere(c, sh, sh->out[i].data))
            memset(sh->out[i].data, 0xff, ax_tensor_bytes(sh->out[i].type, &sh->out[i].shape));
}

static void shard_gradient(op_case *c, op_shard *sh, int i, const backward_mode *m)
{
    ax_tensor *d = &sh->din[i];

    *d = (ax_tensor){.type = AX_FLOAT, .shape = sh->in[i].shape};
    if (c->same_as[i] >= 0) {
        d->data = sh->din[c->same_as[i]].data;
        sh->add[i] = true;
        return;
    }
    if (!(m->wanted >> i & 1))
        return;
    if (m->in_place && i == (c->alias >= 0 ? c->alias : 0)) {
        d->data = sh->dout[0].data;
        return;
    }
    tensor_memory(&c->bench->run, d, 0xff);
    sh->add[i] = m->add;
    for (int64_t k = 0; m->add && k < ax_shape_elements(&d->shape); k++)
        ((float *) d->data)[k] = (float) *m->base;
}

static void shard_backward(op_case *c, op_shard *sh, const backward_mode *m)
{
    for (int i = 0; i < c->n_out; i++) {
        bool cut = c->shards > 1 && (c->batched_out >> i & 1);

        sh->dout[i] = (ax_tensor){.type = AX_FLOAT, .shape = sh->out[i].shape};
        if (c->dout[i].data)
            sh->dout[i] = cut ? slice(c, &c->dout[i], sh->row0, sh->rows) : copy(c, &c->dout[i]);
    }
    for (int i = 0; i < c->n_in; i++)
        shard_gradient(c, sh, i, m);
    sh->run.dout = sh->dout;
    sh->run.din = sh->din;
    sh->run.add = sh->add;
    poison(c, sh);
}

/* Slices are put one behind the other; gradients of shared inputs are summed. */
static void gather_gradients(op_case *c)
{
    struct op_bench *b = c->bench;

    for (int i = 0; i < c->n_in; i++) {
        ax_tensor *d = &c->din[i];
        float *at;

        d->data = NULL;
        if (!b->shard[0].din[i].data || c->same_as[i] >= 0)
            continue;
        *d = (ax_tensor){.type = AX_FLOAT, .shape = c->in[i].shape};
        at = tensor_memory(&b->run, d, 0);
        for (int s = 0; s < b->n_shards; s++) {
            const float *from = b->shard[s].din[i].data;
            int64_t n = ax_shape_elements(&b->shard[s].din[i].shape);

            for (int64_t k = 0; k < n; k++)
                at[k] += from[k];
            if (is_batched(c, i))
                at += n;
        }
    }
}

static void dout_check(op_case *c)
{
    const op_shard *sh = &c->bench->shard[0];

    for (int i = 0; i < c->n_out; i++)
        if (c->dout[i].data && memcmp(sh->dout[i].data, c->dout[i].data,
                                      ax_tensor_bytes(AX_FLOAT, &sh->dout[i].shape)))
            fault(c, "backward changed the gradient of output %d", i);
}

static void run_backward(op_case *c, const backward_mode *m)
{
    for (int s = 0; s < c->bench->n_shards; s++)
        shard_backward(c, &c->bench->shard[s], m);
    call_all(c, c->op->backward_stats, c->op->backward_merge, c->op->backward, true);
    if (!m->in_place)
        dout_check(c);
    gather_gradients(c);
    guards_check(c, &c->bench->run);
}

bool op_run_backward(op_case *c)
{
    backward_mode m = {.wanted = wanted_inputs(c)};

    if (!c->op->backward) {
        fault(c, "has no backward");
        return false;
    }
    run_backward(c, &m);
    return true;
}

/* ---- references ------------------------------------------------------------------------------ */

static double *as_doubles(const ax_tensor *t)
{
    int64_t n = t->shape.rank < 0 ? 0 : ax_shape_elements(&t->shape);
    double *d = calloc((size_t) n + 1, sizeof *d);

    if (!d)
        exit(2);
    for (int64_t k = 0; k < n && t->data; k++)
        d[k] = element(t, k);
    return d;
}

/* A repeated input shares the array of the first. */
static void doubles_free(const op_case *c, double **d, int n)
{
    for (int i = 0; i < n; i++)
        if (n != OP_MAX_IN || i >= c->n_in || c->same_as[i] < 0)
            free(d[i]);
}

static void inputs_as_doubles(const op_case *c, double **in)
{
    for (int i = 0; i < c->n_in; i++)
        in[i] = c->same_as[i] >= 0 ? in[c->same_as[i]] : as_doubles(&c->in[i]);
}

static void outputs_as_doubles(const op_case *c, double **out)
{
    for (int i = 0; i < c->n_out; i++)
        out[i] = as_doubles(&c->out[i]);
}

static bool close_to(double a, double b, double tolerance)
{
    if (isnan(a) || isnan(b))
        return isnan(a) && isnan(b);
    if (isinf(a) || isinf(b))
        return a == b;
    return fabs(a - b) <= tolerance * (1 + fabs(b));
}

static void compare(op_case *c, const char *what, int which, const ax_tensor *got,
                    const double *want)
{
    int64_t n = ax_shape_elements(&got->shape), wrong = 0, first = -1;

    for (int64_t k = 0; k < n; k++)
        if (!close_to(element(got, k), want[k], c->tolerance) && !wrong++)
            first = k;
    if (wrong)
        fault(c, "%s%s %d: %lld of %lld wrong, first at %lld: %.9g instead of %.9g",
              c->training ? "training, " : "", what, which, (long long) wrong, (long long) n,
              (long long) first, element(got, first), want[first]);
}

/* ---- the forward check ----------------------------------------------------------------------- */

static void compare_reference(op_case *c)
{
    double *in[OP_MAX_IN] = {0}, *out[OP_MAX_OUT] = {0};

    inputs_as_doubles(c, in);
    outputs_as_doubles(c, out);
    c->reference(c, in, out);
    for (int i = 0; i < c->n_out; i++)
        compare(c, "output", i, &c->out[i], out[i]);
    for (int i = 0; i < c->n_in; i++)
        if (c->updates >> i & 1)
            compare(c, "updated input", i, &c->bench->shard[0].in[i], in[i]);
    doubles_free(c, in, OP_MAX_IN);
    doubles_free(c, out, OP_MAX_OUT);
}

/* The same forward in another form gives the same bits. */
static void compare_form(op_case *c, bool training, forward_form form, const char *name)
{
    size_t bytes[OP_MAX_OUT];
    void *first[OP_MAX_OUT];

    for (int i = 0; i < c->n_out; i++) {
        bytes[i] = ax_tensor_bytes(c->out[i].type, &c->out[i].shape);
        first[i] = malloc(bytes[i] + 1);
        memcpy(first[i], c->out[i].data, bytes[i]);
    }
    if (!run_forward(c, training, form))
        fault(c, "%s: setup refused the second time", name);
    for (int i = 0; i < c->n_out; i++) {
        if (c->out[i].data && memcmp(first[i], c->out[i].data, bytes[i]))
            fault(c, "%s: output %d has other bits", name, i);
        free(first[i]);
    }
}

static bool has_repeats(const op_case *c)
{
    for (int i = 0; i < c->n_in; i++)
        if (c->same_as[i] >= 0)
            return true;
    return false;
}

static bool may_be_in_place(const op_case *c)
{
    return (c->op->flags & AX_INPLACE) && c->in[0].type == c->out[0].type &&
           ax_shape_equal(&c->in[0].shape, &c->out[0].shape);
}

static void forward_mode(op_case *c, bool training)
{
    c->training = training;
    if (!run_forward(c, training, FORM_APART)) {
        fault(c, "setup refused: %s", c->err.message);
        return;
    }
    if (c->reference)
        compare_reference(c);
    compare_form(c, training, FORM_APART, "again");
    if (may_be_in_place(c) && !has_repeats(c))
        compare_form(c, training, FORM_IN_PLACE, "in place");
    if (c->alias >= 0)
        compare_form(c, training, FORM_ALIAS, "aliased");
}

static const char *case_text(const op_case *c, char *buf, size_t size)
{
    size_t used = 0;
    char shape[128];

    buf[0] = 0;
    for (int i = 0; i < c->n_in && used < size - 1; i++)
        used += (size_t) snprintf(
            buf + used, size - used, " %s",
            c->in[i].shape.rank < 0 ? "-" : ax_shape_text(&c->in[i].shape, shape, sizeof shape));
    if (c->shards > 1 && used < size - 1)
        snprintf(buf + used, size - used, " in %d shards", c->shards);
    return buf;
}

bool op_check_forward(op_case *c)
{
    char text[400];

    c->bench->faults = 0;
    if (!c->only_training)
        forward_mode(c, false);
    if (!c->only_inference)
        forward_mode(c, true);
    guards_check(c, &c->bench->kept);
    return unit_check(c->bench->faults == 0, "%s forward:%s", c->label,
                      case_text(c, text, sizeof text));
}

/* ---- the gradient check ---------------------------------------------------------------------- */

/* Sum of dout times output, for the case's inputs (in float) or for in (in double). */
static double projected(op_case *c, double *const *in, double *const *out)
{
    double sum = 0;

    if (c->reference)
        c->reference(c, in, out);
    else
        run_forward(c, true, FORM_APART);
    for (int i = 0; i < c->n_out; i++) {
        const float *w = c->dout[i].data;

        for (int64_t k = 0; w && k < ax_shape_elements(&c->dout[i].shape); k++)
            sum += w[k] * (c->reference ? out[i][k] : element(&c->out[i], k));
    }
    return sum;
}

static double difference(op_case *c, int i, int64_t k, double *const *in, double *const *out)
{
    double h = c->step ? c->step : c->reference ? 1e-5 : 1e-2;
    double up, down, x0 = in[i][k], x1, x2;

    if (c->reference) {
        x1 = in[i][k] = x0 + h;
        up = projected(c, in, out);
        x2 = in[i][k] = x0 - h;
        down = projected(c, in, out);
        in[i][k] = x0;
    } else {
        float *x = op_case_floats(c, i) + k, keep = *x;

        x1 = *x = (float) (x0 + h);
        up = projected(c, in, out);
        x2 = *x = (float) (x0 - h);
        down = projected(c, in, out);
        *x = keep;
    }
    return (up - down) / (x1 - x2);
}

static void compare_differences(op_case *c, int i, const double *got, double *const *in,
                                double *const *out)
{
    int64_t n = input_size(c, i), probes = AX_MIN(n, c->max_probes), wrong = 0;
    double tolerance = c->reference ? c->grad_tolerance : AX_MAX(c->grad_tolerance, 1e-2);
    double scale = 1e-3;

    for (int64_t k = 0; k < n; k++)
        scale = isfinite(got[k]) ? AX_MAX(scale, fabs(got[k])) : INFINITY;
    for (int64_t p = 0; p < probes; p++) {
        int64_t k = probes == n ? p : op_random_int(0, n - 1);
        double want = difference(c, i, k, in, out);

        if ((!isfinite(scale) || !(fabs(got[k] - want) <= tolerance * scale)) && !wrong++)
            fault(c, "gradient of input %d at %lld: %.9g instead of %.9g", i, (long long) k, got[k],
                  want);
    }
}

/*
 * One step of every element at once in a random direction, so that no element is left out where
 * only some are probed: a gradient may be zero almost everywhere. Only with a reference; in float
 * it would drown.
 */
static void compare_direction(op_case *c, int i, const double *got, double *const *in,
                              double *const *out)
{
    int64_t n = input_size(c, i);
    double h = c->step ? c->step : 1e-5, want, slope = 0, square = 0, up;
    double *x = malloc((size_t) n * 2 * sizeof *x + 1), *v = x + n;

    if (!x)
        exit(2);
    for (int64_t k = 0; k < n; k++) {
        x[k] = in[i][k];
        v[k] = op_random_uniform(-1, 1);
        slope += v[k] * got[k];
        square += got[k] * got[k];
        in[i][k] = x[k] + h * v[k];
    }
    up = projected(c, in, out);
    for (int64_t k = 0; k < n; k++)
        in[i][k] = x[k] - h * v[k];
    want = (up - projected(c, in, out)) / (2 * h);
    memcpy(in[i], x, (size_t) n * sizeof *x);
    free(x);
    if (!(fabs(slope - want) <= c->grad_tolerance * (1e-2 + sqrt(square))))
        fault(c, "gradient of input %d in a random direction: %.9g instead of %.9g", i, slope,
              want);
}

static void compare_gradient(op_case *c, int i, const double *want, double shift, const char *name)
{
    const float *got = c->din[i].data;
    double scale = 1e-3;

    for (int64_t k = 0; k < input_size(c, i); k++)
        scale = AX_MAX(scale, fabs(want[k]));
    for (int64_t k = 0; k < input_size(c, i); k++)
        if (!(fabs(got[k] - want[k] - shift) <= 1e-5 * (scale + fabs(shift)))) {
            fault(c, "gradient of input %d %s, at %lld: %.9g instead of %.9g", i, name,
                  (long long) k, got[k], want[k] + shift);
            return;
        }
}

/* A second backward, differently asked for, agrees with the first. */
static void gradient_mode(op_case *c, double *const *first, const backward_mode *m,
                          forward_form form, const char *name)
{
    run_forward(c, true, form);
    run_backward(c, m);
    for (int i = 0; i < c->n_in; i++) {
        double shards = is_batched(c, i) ? 1 : c->bench->n_shards;

        if (m->wanted >> i & 1)
            compare_gradient(c, i, first[i], m->add ? *m->base * shards : 0, name);
        else if (c->din[i].data)
            fault(c, "op_check: a gradient nobody asked for");
    }
}

static void gradient_modes(op_case *c, double *const *first)
{
    unsigned wanted = wanted_inputs(c);
    double base = 0.75;
    int from = c->alias >= 0 ? c->alias : 0;
    bool alias = c->alias >= 0, in_place = may_be_in_place(c);
    backward_mode add = {.wanted = wanted, .add = true, .base = &base};
    backward_mode over = {.wanted = wanted, .in_place = true};

    for (int i = 0; i < c->n_in; i++) {
        backward_mode alone = {.wanted = 1u << i};

        if ((wanted >> i & 1) && wanted != alone.wanted)
            gradient_mode(c, first, &alone, FORM_APART, "alone");
    }
    gradient_mode(c, first, &add, FORM_APART, "added");
    if ((alias || in_place) && (wanted >> from & 1)) {
        bool apart = (c->op->flags & AX_KEEP_IN0) || has_repeats(c);

        gradient_mode(c, first, &over,
                      alias   ? FORM_ALIAS
                      : apart ? FORM_APART
                              : FORM_IN_PLACE,
                      "in place");
    }
}

static void gradient_work(op_case *c)
{
    double *in[OP_MAX_IN] = {0}, *out[OP_MAX_OUT] = {0}, *first[OP_MAX_IN] = {0};

    if (!run_forward(c, true, FORM_APART)) {
        fault(c, "setup refused: %s", c->err.message);
        return;
    }
    op_random_dout(c);
    if (!op_run_backward(c))
        return;
    inputs_as_doubles(c, in);
    outputs_as_doubles(c, out);
    for (int i = 0; i < c->n_in; i++)
        if (c->din[i].data)
            first[i] = as_doubles(&c->din[i]);
    gradient_modes(c, first);
    for (int i = 0; i < c->n_in; i++)
        if (first[i]) {
            compare_differences(c, i, first[i], in, out);
            if (c->reference)
                compare_direction(c, i, first[i], in, out);
        }
    doubles_free(c, in, OP_MAX_IN);
    doubles_free(c, out, OP_MAX_OUT);
    doubles_free(c, first, OP_MAX_IN);
}

bool op_check_gradient(op_case *c)
{
    char text[400];

    c->bench->faults = 0;
    c->training = true;
    gradient_work(c);
    guards_check(c, &c->bench->kept);
    return unit_check(c->bench->faults == 0, "%s gradient:%s", c->label,
                      case_text(c, text, sizeof text));
}

bool op_check_refused(op_case *c, ax_status status, const char *text)
{
    ax_status got = op_run_setup(c, false);
    bool ok = got == status && strstr(c->err.message, text);

    if (!ok)
        unit_note("%s instead of %s: %s", unit_status_name(got), unit_status_name(status),
                  c->err.message);
    return unit_check(ok, "%s refuses: %s", c->label, text);
}
