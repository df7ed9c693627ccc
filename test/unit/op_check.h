/*
 * op_check.h: one operator, alone, under test.
 *
 * A case is an operator, its inputs and its attributes. No graph and no plan is needed: the node is
 * made by hand, and this harness does what an executor does (memory, shards, aliases), only
 * nastier: every buffer has guard bytes on both sides, outputs, scratch memory and whatever an
 * operator did not ask to keep are filled with NaN before they are handed over.
 *
 *     op_case c;
 *     op_case_init(&c, &ax_op_softmax, "softmax");
 *     op_case_input(&c, AX_FLOAT, 2, (int64_t[]){3, 5});    // normal random numbers
 *     op_case_attr_i(&c, "axis", 1);
 *     c.reference = softmax_reference;                      // in double
 *     op_check_forward(&c);
 *     op_check_gradient(&c);
 *     op_case_free(&c);
 *
 * Each op_check_* is one line of TAP. The reference is called with every input as doubles, and with
 * memory for every output (and for the inputs named in `updates`, which it changes in place).
 */
#ifndef OP_CHECK_H
#define OP_CHECK_H

#include "graph/op.h"

#define OP_MAX_IN     16
#define OP_MAX_OUT    4
#define OP_MAX_ATTR   12
#define OP_MAX_SHARDS 8

typedef struct op_case op_case;
typedef void (*op_reference)(const op_case *c, double *const *in, double *const *out);

struct op_case {
    const ax_op *op;
    const char *label;
    /* what goes in */
    int n_in, n_out, n_attr; /* n_out: 1 unless the test says more */
    ax_tensor in[OP_MAX_IN]; /* data filled; rank -1: left out */
    int same_as[OP_MAX_IN];  /* this input is the very value of an earlier one; -1 */
    ax_attr attr[OP_MAX_ATTR];
    unsigned constant;    /* bit i: setup sees the data of input i, and no gradient is asked for */
    unsigned fixed;       /* bit i: no gradient is asked for input i */
    unsigned updates;     /* bit i: the operator may change input i (running statistics) */
    int shards;           /* the batch is cut into this many (1) */
    unsigned batched;     /* with shards > 1: inputs that are cut along axis 0 (bit 0) */
    unsigned batched_out; /* and outputs (bit 0); of the others shard 0's is looked at */
    bool all_dout;          /* every output has a gradient, not only output 0 */
    bool only_training, only_inference; /* the modes that op_check_forward tries: both */
    uint64_t key;
    int64_t row0;
    /* how it is judged */
    op_reference reference; /* may be NULL for op_check_gradient: then the operator's own forward is
                               used, in float, with a wider tolerance */
    double tolerance;       /* of forward: |a - b| <= tolerance * (1 + |b|); 1e-5 */
    double grad_tolerance;  /* of backward: relative to the largest gradient of that input; 1e-4 */
    int max_probes;         /* elements of an input whose gradient is tried; 48 */
    double step;            /* of the finite differences; 1e-5 (1e-2 in float) */
    void *user;             /* for the reference */
    bool training;          /* set while the reference runs */
    /* what came out of op_run_*, shards put together */
    ax_tensor out[OP_MAX_OUT];
    ax_tensor dout[OP_MAX_OUT]; /* set data for op_run_backward; NULL: not used */
    ax_tensor din[OP_MAX_IN];   /* data NULL: not wanted */
    int alias;                  /* what setup said */
    ax_error err;
    struct op_bench *bench;
};

void op_case_init(op_case *c, const ax_op *op, const char *label);
void op_case_free(op_case *c);

/* Adds an input and returns its number. Floats are filled with normal random numbers, others with
 * zeros. */
int op_case_input(op_case *c, ax_dtype type, int rank, const int64_t *dim);
int op_case_missing(op_case *c);       /* an optional input left out */
int op_case_repeat(op_case *c, int i); /* the same value as input i once more */
/* A constant 1-D tensor (scalar when n is -1), as for shapes and axes. */
int op_case_ints(op_case *c, int n, const int64_t *v);
int op_case_scalar(op_case *c, float v);  /* a constant float scalar */
float *op_case_floats(op_case *c, int i); /* the data of a float input */

void op_case_attr_i(op_case *c, const char *name, int64_t v);
void op_case_attr_f(op_case *c, const char *name, float v);
void op_case_attr_s(op_case *c, const char *name, const char *v);
void op_case_attr_ss(op_case *c, const char *name, int n, const char *const *v); /* v must stay */
void op_case_attr_is(op_case *c, const char *name, int n, const int64_t *v); /* v is copied */

/* Other fillings of a float input. */
void op_fill_normal(op_case *c, int i, double mean, double sd);
void op_fill_uniform(op_case *c, int i, double lo, double hi);
/* Distinct numbers at least `gap` apart, in random order, for what has a maximum. */
void op_fill_distinct(op_case *c, int i, double gap);
/* Moves every element that is nearer than distance to x away from it: for kinks. */
void op_fill_avoid(op_case *c, int i, double x, double distance);

/* Random numbers of the tests; the same at every run. */
int64_t op_random_int(int64_t lo, int64_t hi); /* lo..hi, both included */
double op_random_uniform(double lo, double hi);
double op_random_normal(void);
/* rank dimensions of lo..hi. */
void op_random_dims(int rank, int64_t lo, int64_t hi, int64_t *dim);

/* setup alone (whole batch): its status, c->err, and the outputs' types and shapes in c->out. */
ax_status op_run_setup(op_case *c, bool training);
/* setup and forward; results in c->out. False when setup refused (c->err says why). */
bool op_run_forward(op_case *c, bool training);
/* After op_run_forward(c, true): backward for c->dout; results in c->din. */
bool op_run_backward(op_case *c);

/* Sets c->dout of output 0 (others: NULL, unless all_dout) to normal random numbers. After op_run_forward. */
void op_random_dout(op_case *c);

/* Forward against the reference: in inference and in training, in place, aliased, twice the same
 * bits, inputs left alone, guards whole. */
bool op_check_forward(op_case *c);
/* Backward against finite differences: all gradients, each alone, added, in place. */
bool op_check_gradient(op_case *c);
/* setup refuses with this status and a message that contains the text. */
bool op_check_refused(op_case *c, ax_status status, const char *text);

#endif /* OP_CHECK_H */
