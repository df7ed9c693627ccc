/*
 * name.c: "did you mean". Edit distance with insertions, deletions, substitutions and swaps of
 * neighbours, over names of which case and underscores are forgotten: Keras, scikit-learn and
 * ONNX differ in little else.
 */
#include "base/base.h"

#define NAME_LETTERS 64 /* longer names are cut before they are compared */

/* Lower-case letters of name without '_'; returns how many. */
static int plain_letters(const char *name, char out[NAME_LETTERS])
{
    int n = 0;

    for (; *name != '\0' && n < NAME_LETTERS; name++) {
        if (*name == '_')
            continue;
        out[n++] = *name >= 'A' && *name <= 'Z' ? (char) (*name - 'A' + 'a') : *name;
    }
    return n;
}

static int edit_distance(const char *a, int na, const char *b, int nb)
{
    int rows[3][NAME_LETTERS + 1];
    int *before = rows[0], *last = rows[1], *row = rows[2];

    for (int j = 0; j <= nb; j++)
        last[j] = j;
    for (int i = 1; i <= na; i++) {
        int *spare = before;

        row[0] = i;
        for (int j = 1; j <= nb; j++) {
            int best = last[j - 1] + (a[i - 1] != b[j - 1]);

            best = AX_MIN(best, AX_MIN(last[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                best = AX_MIN(best, before[j - 2] + 1);
            row[j] = best;
        }
        before = last;
        last = row;
        row = spare;
    }
    return last[nb];
}

const char *ax_nearest_name(const char *name, const char *const *candidates, int n)
{
    char letters[NAME_LETTERS], other[NAME_LETTERS];
    int count = plain_letters(name, letters);
    int best_distance = NAME_LETTERS + 1;
    const char *best = NULL;

    for (int i = 0; i < n && count > 0; i++) {
        int other_count = plain_letters(candidates[i], other);
        int distance = edit_distance(letters, count, other, other_count);

        if (distance < best_distance && 3 * distance <= AX_MAX(count, other_count)) {
            best_distance = distance;
            best = candidates[i];
        }
    }
    return best;
}
