/*
 * target.c: the column that a model learns, and whether it is a class or a number.
 *
 * The rule, in this order:
 *   1. The network decides: its loss, or else the activation of its last layer (ax_network_check). Every
 *      type but arrays can then be classes; only numbers and booleans can be numbers.
 *   2. Text, booleans and enums are classes. Floats and numerics are numbers, and so are arrays of
 *      numbers (one output an element).
 *   3. Integers are classes as long as the rows hold at most 20 different ones, else numbers.
 *
 * For rule 3 integers are collected as class codes; the twenty-first value turns what was collected
 * into numbers and ends the question.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "target.h"

#define UNDECIDED_CLASSES_MAX 20
#define FIRST_ROOM 1024

/* ---- what is it? ----------------------------------------------------------------------------- */

static ax_task task_by_type(Oid type)
{
    switch (type) {
    case INT2OID:
    case INT4OID:
    case INT8OID:
        return AX_TASK_UNDECIDED;
    case FLOAT4OID:
    case FLOAT8OID:
    case NUMERICOID:
        return AX_TASK_REGRESSION;
    default:
        return AX_TASK_CLASSIFICATION;
    }
}

static void refuse_type(const char *column, Oid type)
{
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("target column \"%s\" has type %s, which cannot be learned", column,
                           format_type_be(type)),
                    errhint("A target is a number, a boolean, text, an enum or an array of numbers.")));
}

static void check_type(const AiaasTarget *t, Oid type, bool is_number, bool is_class)
{
    if (!is_number && !is_class)
        refuse_type(t->column, type);
    if (t->task == AX_TASK_REGRESSION && !is_number)
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                 errmsg("target column \"%s\" has type %s, but this network predicts numbers",
                        t->column, format_type_be(type)),
                 errhint("Choose a loss for classes, such as \"sparse_categorical_crossentropy\", "
                         "or a target of a numeric type.")));
    if (t->task == AX_TASK_CLASSIFICATION && !is_class)
        ereport(ERROR,
                (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                 errmsg("target column \"%s\" has type %s, but this network predicts classes",
                        t->column, format_type_be(type)),
                 errhint("Give the class itself (an integer, text, a boolean or an enum) as the "
                         "target, not a one-hot array.")));
}

static AiaasTarget *create(MemoryContext context, const char *column, Oid type, ax_task task)
{
    AiaasTarget *t = MemoryContextAllocZero(context, sizeof(*t));
    bool is_number = aiaas_reader_init(&t->reader, type) && t->reader.kind != AIAAS_BYTES;
    bool is_class = aiaas_labels_type(type);

    t->context = context;
    t->column = column;
    t->task = task;
    t->width = is_number && t->reader.kind == AIAAS_ARRAY ? 0 : 1;
    check_type(t, type, is_number, is_class);
    if (task == AX_TASK_UNDECIDED)
        t->task = is_class ? task_by_type(t->reader.type) : AX_TASK_REGRESSION;
    return t;
}

AiaasTarget *aiaas_target_create(MemoryContext context, const char *column, Oid type, ax_task hint)
{
    AiaasTarget *t = create(context, column, type, hint);

    if (t->task != AX_TASK_REGRESSION)
        t->labels = aiaas_labels_create(context, type);
    return t;
}

AiaasTarget *aiaas_target_for_model(MemoryContext context, const char *column, Oid type,
                                    ax_task task, const char *const *labels, int n_labels,
                                    int outputs)
{
    AiaasTarget *t = create(context, column, type, task);

    if (task == AX_TASK_CLASSIFICATION) {
        t->labels = aiaas_labels_closed(context, type, labels, n_labels);
        return t;
    }
    if ((t->width == 1) != (outputs == 1))
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                 errmsg("target column \"%s\" has type %s, but the model's target has %d numbers",
                        column, format_type_be(type), outputs)));
    t->width = outputs;
    return t;
}

/* ---- collecting ------------------------------------------------------------------------------ */

static void *grow(MemoryContext context, void *p, Size size)
{
    return p == NULL ? MemoryContextAllocHuge(context, size) : repalloc_huge(p, size);
}

static void make_room(AiaasTarget *t)
{
    if (t->count < t->room)
        return;
    t->room = t->room == 0 ? FIRST_ROOM : t->room * 2;
    if (t->task == AX_TASK_REGRESSION)
        t->value = grow(t->context, t->value, (Size) t->room * t->width * sizeof(float));
    else
        t->code = grow(t->context, t->code, (Size) t->room * sizeof(int32));
}

static void refuse_label(const AiaasTarget *t, Datum value, int64 row)
{
    if (t->labels != NULL && aiaas_labels_count(t->labels) >= AIAAS_CLASSES_MAX)
        ereport(ERROR,
                (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                 errmsg("target column \"%s\" holds more than %d classes", t->column,
                        AIAAS_CLASSES_MAX),
                 errhint("If the target is a number, choose a loss for numbers, such as \"mse\".")));
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
             errmsg("target column \"%s\" holds \"%s\" in row " INT64_FORMAT
                    ", a class that the model does not know",
                    t->column, aiaas_labels_spell(t->labels, value), row),
             errhint("Leave such rows out, or train the model on rows with this class.")));
}

/* Integers had too many values to be classes: the codes become the numbers they stand for. */
static void codes_to_numbers(AiaasTarget *t)
{
    const double *number = aiaas_labels_numbers(t->labels);
    int32 *code = t->code;

    t->task = AX_TASK_REGRESSION;
    t->labels = NULL; /* lives on in the context; it is small */
    t->code = NULL;
    t->value = grow(t->context, NULL, (Size) t->room * sizeof(float));
    for (int64 i = 0; i < t->count; i++)
        t->value[i] = (float) number[code[i]];
    pfree(code);
}

static AiaasRead add_class(AiaasTarget *t, Datum value, int64 row)
{
    float ignored;
    int32 code;

    if (t->reader.number != NULL &&
        aiaas_read_number(&t->reader, value, &ignored) == AIAAS_READ_NONFINITE)
        return AIAAS_READ_NONFINITE;
    code = aiaas_labels_code(t->labels, value);
    if (code < 0)
        refuse_label(t, value, row);
    t->code[t->count++] = code;
    if (t->task == AX_TASK_UNDECIDED && code >= UNDECIDED_CLASSES_MAX)
        codes_to_numbers(t);
    return AIAAS_READ_OK;
}

static AiaasRead add_vector(AiaasTarget *t, Datum value, int64 row)
{
    float *out = t->value + t->count * t->width;
    const float *from;
    AiaasRead got = aiaas_read_array(&t->reader, value, t->width, out, &from);

    if (got == AIAAS_READ_WIDTH)
        ereport(ERROR,
                (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
                 errmsg("target column \"%s\" has " INT64_FORMAT " elements in row " INT64_FORMAT
                        " and %d in the rows before it",
                        t->column, aiaas_read_width(&t->reader, value), row, t->width),
                 errhint("Every row needs an array of the same length.")));
    if (got != AIAAS_READ_OK)
        return got;
    if (from != out)
        memcpy(out, from, sizeof(float) * t->width);
    t->count++;
    return got;
}

static void learn_width(AiaasTarget *t, Datum value)
{
    int64 width = aiaas_read_width(&t->reader, value);

    if (width < 1 || width > PG_INT16_MAX)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("target column \"%s\" holds an array of " INT64_FORMAT " elements",
                               t->column, width),
                        errhint("A target has between 1 and %d numbers.", PG_INT16_MAX)));
    t->width = (int) width;
}

AiaasRead aiaas_target_add(AiaasTarget *t, Datum value, int64 row)
{
    AiaasRead got;

    if (t->width == 0)
        learn_width(t, value);
    make_room(t);
    if (t->task != AX_TASK_REGRESSION)
        return add_class(t, value, row);
    if (t->reader.kind == AIAAS_ARRAY)
        return add_vector(t, value, row);
    got = aiaas_read_number(&t->reader, value, &t->value[t->count]);
    t->count += got == AIAAS_READ_OK;
    return got;
}

void aiaas_target_clear(AiaasTarget *t)
{
    t->count = 0;
}

void aiaas_target_release(AiaasTarget *t)
{
    if (t->code != NULL)
        pfree(t->code);
    if (t->value != NULL)
        pfree(t->value);
    t->code = NULL;
    t->value = NULL;
    t->count = t->room = 0;
}

/* ---- the end --------------------------------------------------------------------------------- */

void aiaas_target_finish(AiaasTarget *t)
{
    int32 *place;

    if (t->task == AX_TASK_REGRESSION)
        return;
    t->task = AX_TASK_CLASSIFICATION;
    if (aiaas_labels_count(t->labels) < 2)
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                 errmsg("target column \"%s\" holds only one class, \"%s\"", t->column,
                        aiaas_labels_texts(t->labels)[0]),
                 errhint("Train on rows of two classes at least.")));
    place = aiaas_labels_sort(t->labels);
    for (int64 i = 0; i < t->count; i++)
        t->code[i] = place[t->code[i]];
    pfree(place);
}

uint64 aiaas_target_hash(const AiaasTarget *t, uint64 seed)
{
    bool numbers = t->task == AX_TASK_REGRESSION;
    const char *p = numbers ? (const char *) t->value : (const char *) t->code;
    Size left = (Size) t->count * (numbers ? sizeof(float) * t->width : sizeof(int32));

    while (left > 0) {
        int n = (int) Min(left, 1 << 20);

        seed = hash_bytes_extended((const unsigned char *) p, n, seed);
        p += n;
        left -= n;
    }
    for (int i = 0; !numbers && i < aiaas_labels_count(t->labels); i++) {
        const char *text = aiaas_labels_texts(t->labels)[i];

        seed = hash_bytes_extended((const unsigned char *) text, strlen(text), seed);
    }
    return seed;
}
