/*
 * test_op_table.c: the table of operators is sorted, complete in itself, and found by name.
 */
#include "graph/op_list.h"

#include "unit.h"

static bool row_is_whole(const ax_op *op)
{
    return op->type && op->since >= 1 && op->since <= 20 && op->min_in >= 0 && op->min_out >= 1 &&
           (op->max_in == -1 || op->max_in >= op->min_in) && op->max_out >= op->min_out &&
           op->setup && op->forward && (op->backward || (op->flags & AX_NO_GRADIENT));
}

static void test_rows(void)
{
    int unsorted = 0, lost = 0, partial = 0;

    for (int i = 0; i < ax_op_count(); i++) {
        const ax_op *op = ax_op_at(i);

        unsorted += i > 0 && strcmp(ax_op_at(i - 1)->type, op->type) >= 0;
        lost += ax_op_find(op->type) != op;
        if (!row_is_whole(op)) {
            unit_note("%s is not whole", op->type);
            partial++;
        }
    }
    unit_check(ax_op_count() >= 45, "%d operators", ax_op_count());
    unit_check(unsorted == 0, "sorted by name");
    unit_check(lost == 0, "each is found by its name");
    unit_check(partial == 0, "each has its functions and counts");
}

static void test_names(void)
{
    static const char *const nobody[] = {"", "relu", "Reluu", "Rel", "AAA", "zzz", "Conv "};
    int found = 0;

    for (int i = 0; i < AX_COUNT(nobody); i++)
        found += ax_op_find(nobody[i]) != NULL;
    unit_check(found == 0, "names that are none");
    unit_check(!ax_op_at(-1) && !ax_op_at(ax_op_count()), "numbers that are none");
    unit_check(ax_op_find("Relu") == &ax_op_relu, "Relu is Relu");
}

int main(void)
{
    test_rows();
    test_names();
    return unit_done();
}
