/*
 * wood.c: the wood: what is asked is checked, the slots get their memory, trees grow in runs of the pool, and between
 * two runs the finished ones are taken out.
 */
#include "tree/wood_private.h"

#include <math.h>
#include <time.h>

#define SLICE_NS   20000000 /* a run of the pool */
#define TICK_ROWS  50000    /* looked at between two looks at the clock: far below a millisecond */
#define FIRST_ROOM 32768    /* nodes of a slot, to begin with */

/* ---- checks ---------------------------------------------------------------------------------- */

static bool classifies(const ax_wood_params *p)
{
    return p->criterion == AX_GINI || p->criterion == AX_ENTROPY;
}

static ax_status check_params(const ax_wood_params *p, ax_error *err)
{
    if (p->trees < 1)
        return ax_fail(err, AX_ERR_INVALID, "number of trees %d is not positive", p->trees);
    if (classifies(p) && (p->n_classes < 1 || p->n_classes > 65536))
        return ax_fail(err, AX_ERR_LIMIT, "number of classes %d is not between 1 and 65536", p->n_classes);
    if (p->max_depth < 0 || p->max_leaf_nodes < 0 || p->max_features < 0 || p->max_samples < 0)
        return ax_fail(err, AX_ERR_INVALID, "a limit of the trees is negative");
    if (!(p->min_samples_split >= 0 && p->min_samples_leaf >= 0))
        return ax_fail(err, AX_ERR_INVALID, "a least number of samples is negative");
    if (!(p->min_impurity_decrease >= 0 && p->ccp_alpha >= 0))
        return ax_fail(err, AX_ERR_INVALID, "min_impurity_decrease or ccp_alpha is negative");
    return AX_OK;
}

static ax_status check_row(const ax_wood_rows *r, const ax_wood_params *p, int32_t row, ax_error *err)
{
    if (row < 0 || row >= r->bins->rows)
        return ax_fail(err, AX_ERR_INVALID, "row %d is not in the table", (int) row);
    if (classifies(p) && (r->classes[row] < 0 || r->classes[row] >= p->n_classes))
        return ax_fail(err, AX_ERR_INVALID, "class %d of row %d is not below %d", (int) r->classes[row], (int) row,
                       p->n_classes);
    if (p->criterion == AX_SQUARED_ERROR && !isfinite(r->values[row]))
        return ax_fail(err, AX_ERR_NUMERIC, "target of row %d is not a finite number", (int) row);
    if (r->weights != NULL && !(r->weights[row] >= 0 && isfinite(r->weights[row])))
        return ax_fail(err, AX_ERR_NUMERIC, "weight of row %d is not a finite number from 0 on", (int) row);
    return AX_OK;
}

/* The rows one by one; their mean target, and whether one of them weighs anything. */
static ax_status check_rows(ax_wood *w, ax_error *err)
{
    const ax_wood_rows *r = &w->rows;
    double sum = 0, weight = 0;

    for (int64_t i = 0; i < r->n; i++) {
        int32_t row = ax_wood_row(w, i);
        double x;

        AX_TRY(check_row(r, &w->params, row, err));
        x = r->weights != NULL ? r->weights[row] : 1;
        weight += x;
        if (w->params.criterion == AX_SQUARED_ERROR)
            sum += x * r->values[row];
        if (i % 1000000 == 999999 && !ax_may_continue(&w->env))
            return ax_cancelled(err);
    }
    if (!(weight > 0))
        return ax_fail(err, AX_ERR_INVALID, "no row has a positive weight");
    w->shift = sum / weight;
    return AX_OK;
}

static ax_status check_table(const ax_wood_rows *r, const ax_wood_params *p, ax_error *err)
{
    if (r->n < 1 || r->bins->rows < 1)
        return ax_fail(err, AX_ERR_INVALID, "there are no rows to grow trees from");
    if (r->bins->columns < 1)
        return ax_fail(err, AX_ERR_INVALID, "there are no columns to grow trees from");
    if (r->bins->rows > INT32_MAX / 2)
        return ax_fail(err, AX_ERR_LIMIT, "a tree cannot have more than %d rows", INT32_MAX / 2);
    if (r->row == NULL && r->n != r->bins->rows)
        return ax_fail(err, AX_ERR_INTERNAL, "number of rows is not the table's");
    if ((classifies(p) && r->classes == NULL) || (p->criterion == AX_SQUARED_ERROR && r->values == NULL))
        return ax_fail(err, AX_ERR_INTERNAL, "trees without a target");
    return AX_OK;
}

/* ---- what follows from the parameters -------------------------------------------------------- */

/* A number of rows, or a share of them. */
static int32_t count_of(double x, int64_t n, int least)
{
    double count = x < 1 ? ceil(x * (double) n) : x;

    return (int32_t) AX_MAX(AX_MIN(count, (double) INT32_MAX), least);
}

static int log2_up(int64_t n)
{
    int bits = 0;

    while (bits < 62 && (INT64_C(1) << bits) < n)
        bits++;
    return bits;
}

static void derive(ax_wood *w)
{
    const ax_wood_params *p = &w->params;
    bool isolates = p->criterion == AX_RANDOM_CUTS;
    int64_t leaves;

    if (!classifies(p))
        w->params.n_classes = 0;
    if (isolates) {
        w->params.random_threshold = true;
        w->params.ccp_alpha = 0;
        w->params.oob = false;
    }
    w->width = classifies(p) ? p->n_classes : 1;
    w->depth = classifies(p) ? p->n_classes : 2;
    w->samples = p->max_samples > 0 ? AX_MIN(p->max_samples, w->rows.n) : w->rows.n;
    w->sample_capacity = (int32_t) w->samples;
    w->max_features = p->max_features > 0 ? AX_MIN(p->max_features, w->rows.bins->columns) : w->rows.bins->columns;
    if (isolates)
        w->max_features = 1;
    w->max_depth = p->max_depth > 0 ? p->max_depth : isolates ? AX_MAX(log2_up(w->samples), 1) : INT32_MAX;
    w->min_split = count_of(p->min_samples_split, w->rows.n, 2);
    w->min_leaf = count_of(p->min_samples_leaf, w->rows.n, 1);
    w->max_leaves = p->max_leaf_nodes;
    w->prune = p->ccp_alpha > 0;
    leaves = AX_MAX(w->samples / w->min_leaf, 1);
    if (w->max_depth < 31)
        leaves = AX_MIN(leaves, INT64_C(1) << w->max_depth);
    if (w->max_leaves > 0)
        leaves = AX_MIN(leaves, w->max_leaves);
    w->max_nodes = 2 * leaves - 1;
}

/* ---- memory ---------------------------------------------------------------------------------- */

static void *array(const ax_env *env, int64_t count, size_t size)
{
    size_t bytes;

    if (!ax_mul_size((size_t) count, size, &bytes))
        return NULL;
    return ax_alloc(env, bytes);
}

static bool make_sums(ax_wood *w, ax_wood_slot *s)
{
    size_t depth = (size_t) w->depth, columns = (size_t) w->rows.bins->columns;

    s->column = ax_arena_array(&w->arena, columns, sizeof(int32_t));
    s->constant = ax_arena_array(&w->arena, columns, sizeof(int32_t));
    s->total = ax_arena_array(&w->arena, depth, sizeof(double));
    s->left = ax_arena_array(&w->arena, depth, sizeof(double));
    s->right = ax_arena_array(&w->arena, depth, sizeof(double));
    s->sums = ax_arena_array(&w->arena, 256 * depth, sizeof(double));
    s->count = ax_arena_array(&w->arena, 256, sizeof(int32_t));
    s->local = ax_arena_array(&w->arena, depth, sizeof(int32_t));
    s->global = ax_arena_array(&w->arena, depth, sizeof(int32_t));
    return s->column != NULL && s->constant != NULL && s->total != NULL && s->left != NULL && s->right != NULL &&
           s->sums != NULL && s->count != NULL && s->local != NULL && s->global != NULL;
}

static bool make_slot(ax_wood *w, ax_wood_slot *s)
{
    int64_t waiting = w->max_leaves > 0 ? (w->max_nodes + 1) / 2 + 1 : AX_WOOD_WAITING;

    s->wood = w;
    s->tree = -1;
    s->node_capacity = AX_MIN(w->max_nodes * AX_MIN(w->params.trees, AX_WOOD_READY) + 2, FIRST_ROOM);
    s->value_capacity = s->node_capacity * w->width;
    if (!w->prune)
        s->value_capacity = AX_MAX(s->value_capacity / 2, 4 * (int64_t) w->width);
    s->sample = array(&w->env, (int64_t) w->sample_capacity + 1, sizeof(*s->sample));
    s->scratch = array(&w->env, (int64_t) w->sample_capacity + 1, sizeof(*s->scratch));
    s->bin = array(&w->env, w->sample_capacity, 1);
    s->drawn = array(&w->env, w->rows.n, 1);
    s->waiting = array(&w->env, waiting, sizeof(*s->waiting));
    s->node = array(&w->env, s->node_capacity, sizeof(*s->node));
    s->risk = array(&w->env, w->prune ? s->node_capacity : 0, sizeof(*s->risk));
    s->value = array(&w->env, s->value_capacity, sizeof(*s->value));
    return make_sums(w, s) && s->sample != NULL && s->scratch != NULL && s->bin != NULL && s->drawn != NULL &&
           s->waiting != NULL && s->node != NULL && s->risk != NULL && s->value != NULL;
}

static void free_slots(ax_wood *w)
{
    for (int i = 0; i < w->slots; i++) {
        ax_wood_slot *s = &w->slot[i];

        ax_free(&w->env, s->sample);
        ax_free(&w->env, s->scratch);
        ax_free(&w->env, s->bin);
        ax_free(&w->env, s->drawn);
        ax_free(&w->env, s->waiting);
        ax_free(&w->env, s->node);
        ax_free(&w->env, s->risk);
        ax_free(&w->env, s->value);
    }
    w->slots = 0;
}

static bool make_slots(ax_wood *w)
{
    w->slots = AX_MIN(ax_pool_threads(w->pool), w->params.trees);
    w->slot = ax_arena_array(&w->arena, (size_t) w->slots, sizeof(*w->slot));
    w->tree = ax_arena_array(&w->arena, (size_t) w->params.trees, sizeof(*w->tree));
    if (w->slot == NULL || w->tree == NULL) {
        w->slots = 0;
        return false;
    }
    for (int i = 0; i < w->slots; i++)
        if (!make_slot(w, &w->slot[i]))
            return false;
    return true;
}

static bool make_score(ax_wood *w)
{
    size_t cells, n = (size_t) w->rows.n, classes = (size_t) w->params.n_classes;

    if (!w->params.oob)
        return true;
    if (!ax_mul_size(n, classes > 0 ? classes * sizeof(*w->share) : sizeof(*w->sum), &cells))
        return false;
    w->seen = ax_zalloc(&w->env, n * sizeof(*w->seen));
    if (classes > 0)
        w->share = ax_zalloc(&w->env, cells);
    else
        w->sum = ax_zalloc(&w->env, cells);
    if (classes == 0)
        w->sum_scale = ax_wood_value_scale(w);
    return w->seen != NULL && (w->share != NULL || w->sum != NULL);
}

static ax_status build(ax_wood *w, ax_pool *pool, ax_error *err)
{
    AX_TRY(check_params(&w->params, err));
    AX_TRY(check_table(&w->rows, &w->params, err));
    AX_TRY(check_rows(w, err));
    derive(w);
    if (pool == NULL) {
        AX_TRY(ax_pool_open(&w->env, 1, &pool, err));
        w->own_pool = true;
    }
    w->pool = pool;
    return make_slots(w) && make_score(w) ? AX_OK : ax_nomem(err);
}

ax_status ax_wood_create(const ax_env *env, const ax_wood_rows *rows, const ax_wood_params *params,
                         ax_pool *pool, ax_wood **out, ax_error *err)
{
    ax_wood *w = ax_zalloc(env, sizeof(*w));
    ax_status status;

    if (w == NULL)
        return ax_nomem(err);
    w->env = *env;
    w->rows = *rows;
    w->params = *params;
    ax_arena_init(&w->arena, env);
    status = build(w, pool, err);
    if (status == AX_OK)
        *out = w;
    else
        ax_wood_free(w);
    return status;
}

void ax_wood_free(ax_wood *w)
{
    ax_env env;

    if (w == NULL)
        return;
    env = w->env;
    free_slots(w);
    ax_wood_drop_trees(w);
    ax_free(&env, w->share);
    ax_free(&env, w->sum);
    ax_free(&env, w->seen);
    ax_wood_drop_forest(w);
    if (w->own_pool)
        ax_pool_close(w->pool);
    ax_arena_free(&w->arena);
    ax_free(&env, w);
}

/* ---- a run ----------------------------------------------------------------------------------- */

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t) t.tv_sec * 1000000000 + t.tv_nsec;
}

bool ax_wood_tick(ax_wood_slot *s, int64_t rows)
{
    s->work += rows;
    if (s->work < TICK_ROWS)
        return s->stopped;
    s->work = 0;
    s->stopped = s->stopped || ax_pool_stopped(s->wood->pool);
    s->late = s->late || now_ns() > s->until || atomic_load_explicit(&s->wood->wrap_up, memory_order_relaxed);
    return s->stopped;
}

/* False: there is none left, or no room to put it when it is done. */
static bool next_tree(ax_wood_slot *s)
{
    ax_wood *w = s->wood;

    if (s->n_ready == AX_WOOD_READY || atomic_load(&w->next_tree) >= w->params.trees)
        return false;
    s->tree = atomic_fetch_add(&w->next_tree, 1);
    if (s->tree >= w->params.trees) {
        s->tree = -1;
        return false;
    }
    s->rng = ax_rng_make(w->params.seed, (uint64_t) s->tree);
    if (ax_wood_draw(s))
        ax_wood_plant(s);
    return !s->stopped;
}

static void finish_tree(ax_wood_slot *s)
{
    if (s->wood->prune)
        ax_wood_prune(s);
    if (s->wood->params.oob)
        ax_wood_score_tree(s);
    if (s->stopped)
        return;
    s->ready[s->n_ready++] = (ax_wood_ready){.tree = s->tree,
                                             .node = (int32_t) s->first_node,
                                             .n_nodes = s->n_nodes,
                                             .value = s->first_value,
                                             .n_values = s->n_values};
    s->first_node += s->n_nodes;
    s->first_value += s->n_values;
    s->n_nodes = 0;
    s->n_values = 0;
    s->tree = -1;
}

static void grow_slot(void *arg, int task)
{
    ax_wood *w = arg;
    ax_wood_slot *s = &w->slot[task];

    while (!s->late && !s->stopped && (s->tree >= 0 || next_tree(s))) {
        if (!ax_wood_extend(s))
            break;
        finish_tree(s);
    }
    if (s->full)
        atomic_store_explicit(&w->wrap_up, true, memory_order_relaxed);
}

/* ---- between runs ---------------------------------------------------------------------------- */

static ax_status take_tree(ax_wood *w, const ax_wood_slot *s, const ax_wood_ready *r, ax_error *err)
{
    ax_wood_tree *t = &w->tree[r->tree];

    t->node = array(&w->env, r->n_nodes, sizeof(*t->node));
    t->value = array(&w->env, r->n_values, sizeof(*t->value));
    if (t->node == NULL || t->value == NULL)
        return ax_nomem(err);
    t->n_nodes = r->n_nodes;
    t->n_values = r->n_values;
    memcpy(t->node, s->node + r->node, (size_t) r->n_nodes * sizeof(*t->node));
    memcpy(t->value, s->value + r->value, (size_t) r->n_values * sizeof(*t->value));
    w->finished++;
    return AX_OK;
}

/* Takes the finished trees out and moves the one that grows to the front. */
static ax_status empty_slot(ax_wood *w, ax_wood_slot *s, ax_error *err)
{
    size_t values = (size_t) (w->prune ? (int64_t) s->n_nodes * w->width : s->n_values);

    for (int i = 0; i < s->n_ready; i++)
        AX_TRY(take_tree(w, s, &s->ready[i], err));
    memmove(s->node, s->node + s->first_node, (size_t) s->n_nodes * sizeof(*s->node));
    memmove(s->value, s->value + s->first_value, values * sizeof(*s->value));
    s->first_node = 0;
    s->first_value = 0;
    s->n_ready = 0;
    return AX_OK;
}

static ax_status regrow(ax_wood *w, void *at, size_t size, int64_t used, int64_t capacity, ax_error *err)
{
    void **place = at, *more = array(&w->env, capacity, size);

    if (more == NULL)
        return ax_nomem(err);
    memcpy(more, *place, (size_t) used * size);
    ax_free(&w->env, *place);
    *place = more;
    return AX_OK;
}

/* Twice the nodes, twice the values, or both: whichever are nearly used up. */
static ax_status enlarge(ax_wood *w, ax_wood_slot *s, ax_error *err)
{
    int64_t values = w->prune ? (int64_t) s->n_nodes * w->width : s->n_values;
    int64_t nodes = s->node_capacity, room = s->value_capacity;

    if (s->n_nodes + 3 > nodes / 2)
        nodes *= 2;
    if (values + 3 * (int64_t) w->width > room / 2)
        room *= 2;
    if (nodes > INT32_MAX || room > INT32_MAX) {
        ax_fail(err, AX_ERR_LIMIT, "a tree has more than %d numbers", INT32_MAX / 2);
        ax_hint(err, "Limit the trees by max_depth, max_leaf_nodes or min_samples_leaf.");
        return err->status;
    }
    if (w->prune)
        AX_TRY(regrow(w, &s->risk, sizeof(*s->risk), s->n_nodes, nodes, err));
    AX_TRY(regrow(w, &s->node, sizeof(*s->node), s->n_nodes, nodes, err));
    s->node_capacity = nodes;
    AX_TRY(regrow(w, &s->value, sizeof(*s->value), values, room, err));
    s->value_capacity = room;
    return AX_OK;
}

static ax_status between_runs(ax_wood *w, ax_error *err)
{
    for (int i = 0; i < w->slots; i++) {
        ax_wood_slot *s = &w->slot[i];
        bool alone = s->first_node == 0;

        AX_TRY(empty_slot(w, s, err));
        if (s->full && (alone || s->n_nodes > s->node_capacity / 2))
            AX_TRY(enlarge(w, s, err));
    }
    return AX_OK;
}

static ax_status run(ax_wood *w, ax_error *err)
{
    int64_t until = now_ns() + SLICE_NS;

    if (!ax_may_continue(&w->env))
        return ax_cancelled(err);
    atomic_store(&w->wrap_up, false);
    for (int i = 0; i < w->slots; i++) {
        w->slot[i].until = until;
        w->slot[i].late = w->slot[i].full = false;
    }
    AX_TRY(ax_pool_run(w->pool, grow_slot, w, w->slots, err));
    return between_runs(w, err);
}

ax_status ax_wood_grow(ax_wood *w, bool *done, ax_error *err)
{
    ax_status status = AX_OK;

    if (w->dead)
        return ax_fail(err, AX_ERR_INTERNAL, "trees go on growing after an error");
    if (w->finished < w->params.trees)
        status = run(w, err);
    w->dead = status != AX_OK;
    if (status != AX_OK)
        return status;
    *done = w->finished == w->params.trees;
    if (*done)
        free_slots(w);
    return AX_OK;
}

int ax_wood_trees(const ax_wood *w)
{
    return w->finished;
}
