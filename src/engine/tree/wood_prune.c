/*
 * wood_prune.c: minimal cost-complexity pruning (Breiman, Friedman, Olshen and Stone, "Classification and regression
 * trees", 1984, chapter 3).
 *
 * A tree costs the impurity of its leaves, each weighted by its share of the rows, and ccp_alpha a leaf. Cutting the
 * weakest link again and again until none is as weak as ccp_alpha ends in the smallest subtree of least cost, and that
 * one is found from the leaves up: a branch stays when its children cost less than itself as a leaf.
 */
#include "tree/wood_private.h"

/* Children have larger numbers than their parent. risk becomes the cost of what hangs on the node. */
static void weigh(ax_wood_slot *s, ax_wood_node *node)
{
    double alpha = s->wood->params.ccp_alpha;

    for (int32_t i = s->n_nodes - 1; i >= 0; i--) {
        double alone = s->risk[i] / s->root_weight + alpha;
        double below = node[i].feature < 0 ? alone : s->risk[node[i].next] + s->risk[node[i].next + 1];

        if (node[i].feature >= 0 && alone <= below) {
            node[i].feature = -1;
            node[i].next = i * s->wood->width;
            node[i].gain = 0;
        }
        s->risk[i] = AX_MIN(alone, below);
    }
}

/* Those that still hang on the root get new numbers, which `risk` keeps. */
static int32_t number(ax_wood_slot *s, ax_wood_node *node)
{
    int32_t kept = 0;

    for (int32_t i = 0; i < s->n_nodes; i++)
        node[i].kept = i == 0;
    for (int32_t i = 0; i < s->n_nodes; i++) {
        if (!node[i].kept)
            continue;
        s->risk[i] = kept++;
        if (node[i].feature >= 0)
            node[node[i].next].kept = node[node[i].next + 1].kept = true;
    }
    return kept;
}

void ax_wood_prune(ax_wood_slot *s)
{
    ax_wood_node *node = s->node + s->first_node;
    float *value = s->value + s->first_value;
    int width = s->wood->width;
    int32_t kept;

    weigh(s, node);
    kept = number(s, node);
    s->n_values = 0;
    for (int32_t i = 0; i < s->n_nodes; i++) {
        ax_wood_node x = node[i];

        if (!x.kept)
            continue;
        if (x.feature >= 0) {
            x.next = (int32_t) s->risk[x.next];
        } else if (x.next >= 0) {
            memmove(value + s->n_values, value + x.next, (size_t) width * sizeof(float));
            x.next = (int32_t) s->n_values;
            s->n_values += width;
        }
        node[(int32_t) s->risk[i]] = x;
    }
    s->n_nodes = kept;
}
