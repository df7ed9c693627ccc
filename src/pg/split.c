/*
 * split.c: see split.h.
 *
 * Groups are put in an order that follows from the seed and their keys alone, and dealt out in it.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "guard.h"
#include "split.h"

/* A row, by its group or its time. */
typedef struct Place {
    uint64 order; /* of the group */
    int64 key;
    int64 row;
} Place;

static int compare_places(const void *pa, const void *pb)
{
    const Place *a = pa, *b = pb;

    if (a->order != b->order)
        return a->order < b->order ? -1 : 1;
    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    return (a->row > b->row) - (a->row < b->row);
}

/* Spreads 64 bits over 64 bits (splitmix64). */
static uint64 mix(uint64 x)
{
    x += UINT64CONST(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64CONST(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64CONST(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* Rows in the order of their groups (shuffled), or of their keys. */
static Place *sort_rows(const AiaasRows *rows, bool groups, uint64 seed)
{
    Place *place = palloc_extended(sizeof(Place) * rows->count, MCXT_ALLOC_HUGE);

    for (int64 i = 0; i < rows->count; i++) {
        place[i].order = groups ? mix((uint64) rows->key[i] ^ mix(seed)) : 0;
        place[i].key = rows->key[i];
        place[i].row = i;
    }
    qsort(place, rows->count, sizeof(Place), compare_places);
    return place;
}

static int64 group_end(const Place *place, int64 from, int64 n)
{
    int64 end = from + 1;

    while (end < n && place[end].key == place[from].key)
        end++;
    return end;
}

static void mark(const Place *place, int64 from, int64 end, int32 *number, int32 part)
{
    for (int64 i = from; i < end; i++)
        number[place[i].row] = part;
}

static int32 *new_numbers(const AiaasRows *rows)
{
    return palloc_extended(sizeof(int32) * rows->count, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
}

static void refuse_few(const char *what, int64 count, int needed)
{
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("there are " INT64_FORMAT " %s, too few for %d parts", count, what, needed)));
}

/* Each group to the fold that has the fewest rows so far. */
static int32 *fold_groups(const AiaasRows *rows, int folds, uint64 seed)
{
    Place *place = sort_rows(rows, true, seed);
    int32 *number = new_numbers(rows);
    int64 *size = palloc0(sizeof(int64) * folds);
    int64 groups = 0;

    for (int64 from = 0, end; from < rows->count; from = end, groups++) {
        int32 least = 0;

        end = group_end(place, from, rows->count);
        for (int k = 1; k < folds; k++)
            if (size[k] < size[least])
                least = k;
        mark(place, from, end, number, least);
        size[least] += end - from;
    }
    if (groups < folds)
        refuse_few("groups", groups, folds);
    pfree(place);
    return number;
}

int32 *aiaas_split_folds(const AiaasRows *rows, int folds, uint64 seed)
{
    int32 *number;
    ax_error err;

    if (rows->count < folds)
        refuse_few("rows", rows->count, folds);
    if (rows->key != NULL)
        return fold_groups(rows, folds, seed);
    number = new_numbers(rows);
    aiaas_check(ax_dataset_folds(rows->dataset, folds, seed, number, &err), &err, NULL);
    return number;
}

int32 *aiaas_split_groups(const AiaasRows *rows, double share, uint64 seed)
{
    Place *place = sort_rows(rows, true, seed);
    int32 *number = new_numbers(rows);
    double wanted = share * (double) rows->count;
    int64 taken = 0;

    for (int64 from = 0, end; from < rows->count; from = end) {
        end = group_end(place, from, rows->count);
        if (from == 0 && end == rows->count)
            refuse_few("groups", 1, 2);
        /* the first group always, and then those that bring the share nearer */
        if (taken > 0 && (double) taken + (double) (end - from) / 2 > wanted)
            continue;
        if (taken + (end - from) == rows->count)
            continue;
        mark(place, from, end, number, 1);
        taken += end - from;
    }
    pfree(place);
    return number;
}

int32 *aiaas_split_newest(const AiaasRows *rows, double share)
{
    Place *place = sort_rows(rows, false, 0);
    int32 *number = new_numbers(rows);
    int64 n = (int64) (share * (double) rows->count + 0.5);

    if (rows->count < 2)
        refuse_few("rows", rows->count, 2);
    n = Min(Max(n, 1), rows->count - 1);
    mark(place, rows->count - n, rows->count, number, 1);
    pfree(place);
    return number;
}

ax_dataset *aiaas_split_take(const AiaasRows *rows, const int32 *number, int32 part, bool inside)
{
    int64_t *index = palloc_extended(sizeof(int64_t) * rows->count, MCXT_ALLOC_HUGE);
    int64 n = 0;
    ax_dataset *d;
    ax_error err;

    for (int64 i = 0; i < rows->count; i++)
        if (((number != NULL ? number[i] : 0) == part) == inside)
            index[n++] = i;
    aiaas_check(ax_dataset_select(rows->dataset, index, n, &d, &err), &err, NULL);
    pfree(index);
    return d;
}
