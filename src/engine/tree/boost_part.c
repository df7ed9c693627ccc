/*
 * boost_part.c: the rows of leaves to the sides of their splits.
 *
 * The rows are cut into stretches. Each is parted into the scratch, then, when it is known how many rows of the
 * stretches before go to which side, moved to where it belongs. So the rows stay in order, whoever does what.
 */
#include "tree/boost_private.h"

stretch *ax_boost_stretches(const ax_booster *b, const leaf *l, int64_t leaves, int *n)
{
    int64_t all = 0;
    stretch *s;

    for (int64_t i = 0; i < leaves; i++)
        all += block_count(l[i].to - l[i].from);
    s = ax_alloc(&b->work.env, (size_t) all * sizeof(*s));
    *n = 0;
    for (int64_t i = 0; i < leaves && s != NULL; i++)
        for (int64_t at = l[i].from; at < l[i].to; at += ROW_BLOCK)
            s[(*n)++] = (stretch){.leaf = (int) i, .from = at, .to = AX_MIN(l[i].to, at + ROW_BLOCK)};
    return s;
}

typedef struct parting {
    ax_booster *b;
    const leaf *leaf;
    stretch *stretch;
    int n;
} parting;

/* yes by bin */
static void make_sides(const split *s, uint8_t side[HIST_BINS])
{
    for (int bin = 0; bin < HIST_BINS; bin++)
        side[bin] = s->equal ? bin == s->bin : bin <= s->bin;
    side[AX_BIN_MISSING] = s->missing_yes;
}

/* Into `other`: those for yes from the front, the others from the back. */
static void part_stretch(void *arg, int task)
{
    parting *p = arg;
    stretch *s = &p->stretch[task];
    const split *by = &p->leaf[s->leaf].best;
    const tile *t = &p->b->tile[by->column / TILE_COLUMNS];
    const uint8_t *bins = t->data + by->column % TILE_COLUMNS;
    const int32_t *row = p->b->index;
    int32_t *other = p->b->other;
    int64_t front = s->from, back = s->to - 1;
    uint8_t side[HIST_BINS];

    make_sides(by, side);
    for (int64_t i = s->from; i < s->to; i++) {
        int32_t r = row[i];
        int yes = side[bins[(int64_t) r * t->width]];

        other[front] = other[back] = r; /* the one too many is overwritten later */
        front += yes;
        back -= !yes;
    }
    s->yes = front - s->from;
}

static void move_stretch(void *arg, int task)
{
    parting *p = arg;
    const stretch *s = &p->stretch[task];
    int32_t *row = p->b->index;
    const int32_t *other = p->b->other;
    int64_t no = s->to - s->from - s->yes;

    memcpy(row + s->to_yes, other + s->from, (size_t) s->yes * sizeof(*row));
    for (int64_t i = 0; i < no; i++)
        row[s->to_no + i] = other[s->to - 1 - i];
}

/* Where each stretch's rows go; yes[i]: how many of leaf i do. */
static void place_stretches(parting *p, int leaves, int64_t *yes)
{
    int at = 0;

    for (int i = 0; i < leaves; i++) {
        int64_t to_yes = p->leaf[i].from, to_no;
        int end = at;

        yes[i] = 0;
        for (; end < p->n && p->stretch[end].leaf == i; end++)
            yes[i] += p->stretch[end].yes;
        to_no = to_yes + yes[i];
        for (; at < end; at++) {
            stretch *s = &p->stretch[at];

            s->to_yes = to_yes;
            s->to_no = to_no;
            to_yes += s->yes;
            to_no += s->to - s->from - s->yes;
        }
    }
}

ax_status ax_boost_part_rows(ax_booster *b, const leaf *l, int n, int64_t *yes, ax_error *err)
{
    parting p = {.b = b, .leaf = l};
    ax_status status;

    p.stretch = ax_boost_stretches(b, l, n, &p.n);
    if (p.stretch == NULL)
        return ax_nomem(err);
    status = ax_work_run(&b->work, part_stretch, &p, p.n, err);
    place_stretches(&p, n, yes);
    if (status == AX_OK)
        status = ax_work_run(&b->work, move_stretch, &p, p.n, err);
    ax_free(&b->work.env, p.stretch);
    return status;
}
