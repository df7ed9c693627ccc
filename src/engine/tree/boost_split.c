/*
 * boost_split.c: the best split of a node by its histogram.
 *
 * With the sums G of the gradients and H of the hessians of a side, its score is T(G)^2 / (H + lambda), T being the L1
 * shrinkage, and the gain is what both sides' scores are above the node's own. (XGBoost's paper, equation 7.) Two
 * divisions for each bin would take most of the time of the search; candidates are compared by cross products instead.
 */
#include <math.h>

#include "tree/boost_private.h"

#define LEAST_GAIN 1e-6  /* as XGBoost's */
#define LEAST_SHARE 1e-12 /* of the hessians: less is the rounding of sums that should be zero */

static double shrink(double g, double alpha)
{
    return g > alpha ? g - alpha : g < -alpha ? g + alpha : 0;
}

double ax_boost_leaf_weight(const ax_boost_params *p, double g, double h, double lower, double upper)
{
    double w;

    if (!(h > 0) || h < p->min_child_weight)
        return 0;
    w = -shrink(g, p->reg_alpha) / (h + p->reg_lambda);
    if (p->max_delta_step > 0 && fabs(w) > p->max_delta_step)
        w = copysign(p->max_delta_step, w);
    return fmin(fmax(w, lower), upper);
}

/* What a side is worth when its value is w: -(2 G w + (H + lambda) w^2 + 2 alpha |w|). */
static double score_of(const ax_boost_params *p, double g, double h, double w)
{
    return -(2 * g * w + (h + p->reg_lambda) * w * w + 2 * p->reg_alpha * fabs(w));
}

bool ax_boost_split_is_better(const split *a, const split *b)
{
    return a->gain > b->gain;
}

/* The search of one column of one node. */
typedef struct search {
    const ax_boost_params *p;
    const leaf *l;
    const pair_sum *hist;
    int monotone;
    double least;           /* hessian of a side */
    double g, h;            /* of the node */
    double best, best_over; /* the best candidate's score is best / best_over */
    int bin;                /* its bin, or -1 */
    bool equal, missing_yes;
    double g_yes, h_yes;
} search;

static void keep(search *s, int bin, bool equal, bool missing_yes, double g, double h)
{
    s->bin = bin;
    s->equal = equal;
    s->missing_yes = missing_yes;
    s->g_yes = g;
    s->h_yes = h;
}

/* Without L1, bounds and limits. The scan is in order of the bins; the first of equals stays. */
static void scan_plain(search *s, int bins, bool equal, bool missing_yes)
{
    double lambda = s->p->reg_lambda, g = 0, h = 0, missing_g = 0, missing_h = 0;

    if (missing_yes) {
        g = missing_g = s->hist[AX_BIN_MISSING][0];
        h = missing_h = s->hist[AX_BIN_MISSING][1];
    }
    for (int b = 0; b < bins; b++) {
        double rest_g, rest_h, over_yes, over_no, score, over;

        g = (equal ? missing_g : g) + s->hist[b][0];
        h = (equal ? missing_h : h) + s->hist[b][1];
        rest_g = s->g - g;
        rest_h = s->h - h;
        if (h < s->least || rest_h < s->least)
            continue;
        over_yes = h + lambda;
        over_no = rest_h + lambda;
        score = g * g * over_no + rest_g * rest_g * over_yes;
        over = over_yes * over_no;
        if (score * s->best_over > s->best * over) {
            s->best = score;
            s->best_over = over;
            keep(s, b, equal, missing_yes, g, h);
        }
    }
}

/* With all that there is. */
static void consider(search *s, int bin, bool equal, bool missing_yes, double g, double h)
{
    double rest_g = s->g - g, rest_h = s->h - h, yes, no, score;

    if (h < s->least || rest_h < s->least)
        return;
    yes = ax_boost_leaf_weight(s->p, g, h, s->l->lower, s->l->upper);
    no = ax_boost_leaf_weight(s->p, rest_g, rest_h, s->l->lower, s->l->upper);
    if ((s->monotone > 0 && yes > no) || (s->monotone < 0 && yes < no))
        return;
    score = score_of(s->p, g, h, yes) + score_of(s->p, rest_g, rest_h, no);
    if (score > s->best) {
        s->best = score;
        keep(s, bin, equal, missing_yes, g, h);
    }
}

static void scan_general(search *s, int bins, bool equal, bool missing_yes)
{
    double g = 0, h = 0, missing_g = 0, missing_h = 0;

    if (missing_yes) {
        g = missing_g = s->hist[AX_BIN_MISSING][0];
        h = missing_h = s->hist[AX_BIN_MISSING][1];
    }
    for (int b = 0; b < bins; b++) {
        g = (equal ? missing_g : g) + s->hist[b][0];
        h = (equal ? missing_h : h) + s->hist[b][1];
        consider(s, b, equal, missing_yes, g, h);
    }
}

static void scan(search *s, int bins, bool equal, bool missing_yes)
{
    bool bounded = s->l->lower > -INFINITY || s->l->upper < INFINITY || s->monotone != 0;

    if (s->p->reg_alpha > 0 || s->p->max_delta_step > 0 || bounded)
        scan_general(s, bins, equal, missing_yes);
    else
        scan_plain(s, bins, equal, missing_yes);
}

/* Turns the best candidate into a split, if it gains enough. */
static void take_best(const search *s, int column, double own, bool missing, split *best)
{
    split found = {.column = column, .bin = s->bin, .equal = s->equal, .missing_yes = s->missing_yes,
                   .g_yes = s->g_yes, .h_yes = s->h_yes};
    double yes, no;

    if (s->bin < 0)
        return;
    found.g_no = s->g - s->g_yes;
    found.h_no = s->h - s->h_yes;
    yes = ax_boost_leaf_weight(s->p, found.g_yes, found.h_yes, s->l->lower, s->l->upper);
    no = ax_boost_leaf_weight(s->p, found.g_no, found.h_no, s->l->lower, s->l->upper);
    found.gain = score_of(s->p, found.g_yes, found.h_yes, yes) + score_of(s->p, found.g_no, found.h_no, no) - own;
    if (!missing)
        found.missing_yes = found.h_yes >= found.h_no;
    if (!(found.gain > LEAST_GAIN) || found.gain < s->p->gamma || !isfinite(found.gain))
        return;
    if (ax_boost_split_is_better(&found, best))
        *best = found;
}

static void search_column(const ax_booster *b, const leaf *l, const pair_sum *hist, int column, double own, split *best)
{
    const ax_bin_column *c = &b->train.bins->column[column];
    const double share = LEAST_SHARE * l->h;
    bool missing = c->missing && hist[AX_BIN_MISSING][1] > share;
    search s = {.p = &b->params, .l = l, .hist = hist, .g = l->g, .h = l->h, .bin = -1, .best = -INFINITY,
                .best_over = 1, .least = fmax(b->params.min_child_weight, share)};
    /* With the last bin the missing ones stand against all others. */
    int bins = missing ? c->n : c->n - 1;

    s.monotone = b->monotone != NULL ? b->monotone[column] : 0;
    scan(&s, bins, false, false);
    if (missing)
        scan(&s, c->n - 1, false, true);
    if (c->category && s.monotone == 0) {
        scan(&s, c->n, true, false);
        if (missing)
            scan(&s, c->n, true, true);
    }
    take_best(&s, column, own, missing, best);
}

void ax_boost_split_search(const ax_booster *b, const leaf *l, const pair_sum *hist, const tile *t, const uint8_t *mask,
                           split *best)
{
    double own = score_of(&b->params, l->g, l->h, ax_boost_leaf_weight(&b->params, l->g, l->h, l->lower, l->upper));

    *best = (split){0};
    for (int c = 0; c < t->columns; c++)
        if (mask[t->first + c])
            search_column(b, l, hist + c * HIST_BINS, t->first + c, own, best);
}
