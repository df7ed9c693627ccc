/*
 * product.c: see product.h.
 */
#include "graph/product.h"

#define DEPTH        3072 /* of a piece at most: 384 kB of y with the widest vectors, 192 kB with the next */
#define PANEL        16 /* rows of a panel; a multiple of every vector */
#define PANEL_ROWS   16 /* with fewer rows panels are not worth their making */
#define PANEL_COLUMNS 128 /* the same for columns */
#define FAR_FLOATS   (1 << 17) /* of y: so many do not stay in a second cache beside all else */
#define FEW_ROWS     2 /* the tiles for so many want to see all columns at once */
#define SMALL        (1 << 22) /* multiplications that need neither strips nor a question whether to go on */

/* Offsets of rows, and the last one once more: see points_of. */
static int32_t *row_offsets(ax_arena *a, int64_t rows, int64_t of)
{
    int32_t *t = ax_multiples(a, rows + 1, of);

    if (t != NULL && rows > 0)
        t[rows] = t[rows - 1];
    return t;
}

static ax_status make_panels(ax_setup *s, ax_product *p)
{
    int32_t *at = ax_arena_array(s->arena, (size_t) p->rows + 1, sizeof(int32_t));

    p->panel_at = at;
    p->step_at = ax_multiples(s->arena, p->depth, PANEL);
    if (p->panel_at == NULL || p->step_at == NULL)
        return ax_nomem(s->err);
    for (int64_t i = 0; i < p->rows; i++)
        at[i] = (int32_t) (i / PANEL * PANEL * p->depth + i % PANEL);
    at[p->rows] = at[p->rows - 1];
    return AX_OK;
}

ax_status ax_product_make(ax_setup *s, ax_product *p, bool transposed, int64_t rows, int64_t depth,
                          int64_t columns)
{
    *p = (ax_product) {.rows = rows, .depth = depth, .columns = columns};
    p->step = transposed ? rows : 1;
    p->x_at = row_offsets(s->arena, rows, transposed ? 1 : depth);
    p->to = row_offsets(s->arena, rows, columns);
    if (p->x_at == NULL || p->to == NULL)
        return ax_nomem(s->err);
    p->panels = !transposed && rows >= PANEL_ROWS && columns >= PANEL_COLUMNS && depth * columns >= FAR_FLOATS;
    return p->panels ? make_panels(s, p) : AX_OK;
}

static int64_t panel_floats(const ax_product *p)
{
    return (p->rows + PANEL - 1) / PANEL * PANEL * p->depth;
}

size_t ax_product_scratch(const ax_product *p)
{
    return p->panels ? (size_t) panel_floats(p) * sizeof(float) : 0;
}

static void copy_panels(const ax_product *p, const float *x, float *to)
{
    for (int64_t i = 0; i < p->rows; i += PANEL)
        ax_kernels_get()->channels->transpose(AX_MIN(PANEL, p->rows - i), p->depth, x, p->x_at + i,
                                              to + i * p->depth, p->step_at);
}

/* All rows for the columns that t has, piece after piece of the sums. */
static void run_pieces(const ax_product *p, const ax_tile *whole, int64_t pieces)
{
    int64_t piece = (p->depth + pieces - 1) / pieces;
    ax_tile t = *whole;

    for (int64_t k = 0; k < p->depth; k += piece) {
        t.len = AX_MIN(piece, p->depth - k);
        t.x = whole->x + k * t.step;
        t.y = whole->y + k * t.ldy;
        t.relu = whole->relu && k + piece >= p->depth;
        ax_kernels_get()->tiles->run(&t, p->rows);
        t.start = NULL;
        t.add = true;
    }
}

/* The columns that t has; all of them are one array. */
static void finish(const ax_product *p, const ax_tile *t, const ax_curve_of *then)
{
    int64_t rows = t->columns == p->columns ? 1 : p->rows;
    int64_t n = rows == 1 ? p->rows * p->columns : t->columns;

    for (int64_t i = 0; i < rows && n > 0; i++)
        ax_kernels_get()->curve[then->curve](n, then->a, then->b, t->out + p->to[i],
                                             t->out + p->to[i]);
}

/* Columns at a time: one block, so that what is made is still near when it is added to or finished. */
static int64_t strip_of(const ax_product *p)
{
    if (p->rows <= FEW_ROWS || p->rows * p->depth * p->columns <= SMALL)
        return AX_MAX(p->columns, 1);
    return ax_kernels_get()->tiles->block;
}

/*
 * Of 3, 7, 11, ... rows the last one is made twice, because tiles of 4, 8 and 12 are no slower than what fits exactly;
 * but not where the second time would add once more.
 */
static int64_t points_of(const ax_product *p, bool add, int64_t pieces)
{
    return p->rows + (p->rows % 4 == 3 && !add && pieces <= 1);
}

static const int32_t no_offset[1] = {0};

static void run_strips(const ax_run *r, const ax_product *p, const ax_tile *whole,
                       const ax_curve_of *then, int64_t strip, int64_t pieces)
{
    int64_t block = ax_kernels_get()->tiles->block, points = points_of(p, whole->add, pieces);
    ax_tile t = *whole;

    for (int64_t c = 0; c < p->columns && !ax_pool_stopped(r->pool); c += strip) {
        t.columns = AX_MIN(strip, p->columns - c);
        t.y = whole->y + c / block * t.y_block;
        t.start = whole->start != NULL ? whole->start + c : NULL;
        t.out = whole->out + c;
        if (pieces > 1)
            run_pieces(p, &t, pieces);
        else
            ax_kernels_get()->tiles->run(&t, points);
        if (then != NULL)
            finish(p, &t, then);
    }
}

void ax_product_run(const ax_run *r, const ax_product *p, ax_tile *t, const ax_curve_of *then)
{
    int64_t strip = strip_of(p), pieces = (p->depth + DEPTH - 1) / DEPTH;

    t->at = p->x_at;
    t->to = p->to;
    t->run = no_offset;
    t->runs = 1;
    t->len = p->depth;
    t->step = p->step;
    t->columns = p->columns;
    if (p->panels) {
        copy_panels(p, t->x, r->scratch);
        t->x = r->scratch;
        t->at = p->panel_at;
        t->step = PANEL;
    }
    if (strip < p->columns || pieces > 1) {
        run_strips(r, p, t, then, strip, pieces);
        return;
    }
    ax_kernels_get()->tiles->run(t, points_of(p, t->add, pieces));
    if (then != NULL)
        finish(p, t, then);
}

size_t ax_packed_floats(int64_t depth, int64_t columns)
{
    int64_t block = ax_kernels_get()->tiles->block;

    return (size_t) ((columns + block - 1) / block * block * depth);
}

/* A length that the compiler knows is copied without a call. */
static void copy_rows(const float *y, int64_t ldy, int64_t rows, int64_t n, int64_t block, float *to)
{
    for (int64_t i = 0; i < rows && n == 32; i++)
        memcpy(to + i * block, y + i * ldy, 32 * sizeof(float));
    for (int64_t i = 0; i < rows && n != 32; i++)
        memcpy(to + i * block, y + i * ldy, (size_t) n * sizeof(float));
}

void ax_pack_straight(const float *y, int64_t depth, int64_t columns, ax_part part, float *to)
{
    int64_t block = ax_kernels_get()->tiles->block;

    for (int64_t c = part.number * block; c < columns; c += part.of * block)
        copy_rows(y + c, columns, depth, AX_MIN(block, columns - c), block, to + c * depth);
}

void ax_pack_transposed(const float *y, const int32_t *w_at, int64_t depth, int64_t columns,
                        const int32_t *to_at, ax_part part, float *to)
{
    int64_t block = ax_kernels_get()->tiles->block;

    for (int64_t c = part.number * block; c < columns; c += part.of * block)
        ax_kernels_get()->channels->transpose(AX_MIN(block, columns - c), depth, y, w_at + c,
                                              to + c * depth, to_at);
}
