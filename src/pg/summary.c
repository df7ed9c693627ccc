/*
 * summary.c: aiaas_summary's table.
 *
 * A chain of layers has three columns, each as wide as its longest text. Where the network branches there
 * is a fourth, "Connected to", and then the table keeps within 100 columns: a text that does not fit its column
 * goes on in the next line, from a space on where it has one.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"

#include "summary.h"

typedef enum Column { TITLE, SHAPE, PARAMETERS, CONNECTED, COLUMNS } Column;

typedef struct Table {
    AiaasSummaryLine line;
    void *ctx;
    int columns;
    int width[COLUMNS]; /* with the gap behind the text */
    int total;
} Table;

/* ---- texts ----------------------------------------------------------------------------------- */

/* 122570 becomes "122,570". */
static char *grouped(int64 n)
{
    char digits[32];
    StringInfoData s;
    int len = snprintf(digits, sizeof(digits), INT64_FORMAT, n);

    initStringInfo(&s);
    for (int i = 0; i < len; i++) {
        appendStringInfoChar(&s, digits[i]);
        if (i < len - 1 && (len - 1 - i) % 3 == 0 && digits[i] != '-')
            appendStringInfoChar(&s, ',');
    }
    return s.data;
}

/* What so many parameters take in memory, as Keras prints it. */
static char *memory_of(int64 parameters)
{
    static const char *const units[] = {"B", "KB", "MB", "GB", "TB"};
    double size = (double)parameters * sizeof(float);
    int unit = 0;

    for (; size >= 1024 && unit < (int)lengthof(units) - 1; unit++)
        size /= 1024;
    return psprintf("%.2f %s", size, units[unit]);
}

static char *layer_title(const ax_layer_info *layer)
{
    return psprintf("%s (%s)", layer->name, layer->type);
}

/* "conv2d[0][0], add[0][0]": the numbers are Keras's for the first call and its first output. */
static char *connections(const ax_layer_info *layer)
{
    StringInfoData s;

    initStringInfo(&s);
    for (int i = 0; i < layer->n_inbound; i++)
        appendStringInfo(&s, "%s%s[0][0]", i > 0 ? ", " : "", layer->inbound[i]);
    if (layer->n_inbound == 0)
        appendStringInfoChar(&s, '-');
    return s.data;
}

/* ---- lines ----------------------------------------------------------------------------------- */

static char *rule(char c, int width)
{
    char *s = palloc(width + 1);

    memset(s, c, width);
    s[width] = '\0';
    return s;
}

static void put_rule(const Table *t, char c)
{
    t->line(t->ctx, rule(c, t->total));
}

static void put_total(const Table *t, const char *what, int64 parameters)
{
    t->line(t->ctx, psprintf("%s: %s (%s)", what, grouped(parameters), memory_of(parameters)));
}

/* How many bytes of the text go into this line: all, up to a space, or as many characters as fit. width -1: all. */
static int piece(const char *text, int width)
{
    int len = strlen(text), fit, cut;

    if (width < 0 || pg_mbstrlen(text) <= width)
        return len;
    fit = pg_mbcharcliplen(text, len, width);
    for (cut = fit; cut > 0 && text[cut] != ' '; cut--)
        ;
    return cut > 0 ? cut : fit;
}

/* What fits of the cell, padded to its column; *rest becomes what is left of it. */
static void put_piece(const Table *t, int column, const char **rest, StringInfo line)
{
    bool last = column == t->columns - 1;
    int width = t->width[column];
    int len = piece(*rest, !last ? width - 1 : t->columns == COLUMNS ? width : -1);
    char *text = pnstrdup(*rest, len);

    appendStringInfo(line, "%s%s", column == 0 ? " " : "", text);
    if (!last)
        appendStringInfoSpaces(line, width - pg_mbstrlen(text));
    *rest += len;
    while (**rest == ' ')
        ++*rest;
}

/* One row of the table, in as many lines as its longest cell takes. */
static void put_row(const Table *t, const char *const *cell)
{
    const char *rest[COLUMNS];
    bool more = true;

    memcpy(rest, cell, sizeof(rest));
    while (more) {
        StringInfoData line;

        initStringInfo(&line);
        more = false;
        for (int i = 0; i < t->columns; i++) {
            put_piece(t, i, &rest[i], &line);
            more |= *rest[i] != '\0';
        }
        while (line.len > 1 && line.data[line.len - 1] == ' ')
            line.data[--line.len] = '\0';
        t->line(t->ctx, line.data);
    }
}

/* ---- the table ------------------------------------------------------------------------------- */

static bool is_chain(const ax_model *model)
{
    for (int i = 0; i < ax_model_layer_count(model); i++)
        if (ax_model_layer_at(model, i)->inbound != NULL)
            return false;
    return true;
}

static void at_least(int *width, const char *text, int gap)
{
    *width = Max(*width, pg_mbstrlen(text) + gap);
}

/* The longest link in it: each may have its own line. */
static int longest_link(const ax_layer_info *layer)
{
    int longest = 0;

    for (int i = 0; i < layer->n_inbound; i++)
        longest = Max(longest, pg_mbstrlen(layer->inbound[i]) + (int)strlen("[0][0],"));
    return longest;
}

/* Cuts the columns down to 100 together: what shapes and numbers leave, titles and links share. */
static void share_width(int *width)
{
    int room;

    width[SHAPE] = Min(width[SHAPE], 30);
    room = 99 - width[SHAPE] - width[PARAMETERS];
    if (width[TITLE] + width[CONNECTED] <= room)
        return;
    width[CONNECTED] = Max(room - width[TITLE], Min(width[CONNECTED], room / 2));
    width[TITLE] = room - width[CONNECTED];
}

static void measure(Table *t, const ax_model *model)
{
    static const int chain[COLUMNS] = {28, 25, 12, 0}, branching[COLUMNS] = {28, 14, 9, 12};

    t->columns = is_chain(model) ? CONNECTED : COLUMNS;
    memcpy(t->width, t->columns == COLUMNS ? branching : chain, sizeof(t->width));
    for (int i = 0; i < ax_model_layer_count(model); i++) {
        const ax_layer_info *layer = ax_model_layer_at(model, i);

        at_least(&t->width[TITLE], layer_title(layer), 2);
        at_least(&t->width[SHAPE], layer->output_shape, 2);
        t->width[CONNECTED] = Max(t->width[CONNECTED], longest_link(layer));
        if (t->columns == COLUMNS)
            at_least(&t->width[PARAMETERS], grouped(layer->parameters), 2);
    }
    if (t->columns == COLUMNS)
        share_width(t->width);
    t->total = 1;
    for (int i = 0; i < t->columns; i++)
        t->total += t->width[i];
}

static void put_layer(const Table *t, const ax_layer_info *layer)
{
    const char *cell[COLUMNS] = {layer_title(layer), layer->output_shape,
                                 grouped(layer->parameters), connections(layer)};

    put_row(t, cell);
}

void aiaas_summary_write(const ax_model *model, const char *title, AiaasSummaryLine line, void *ctx)
{
    static const char *const heads[COLUMNS] = {"Layer (type)", "Output Shape", "Param #",
                                               "Connected to"};
    Table t = {.line = line, .ctx = ctx};
    int64 parameters = 0, trainable = 0;

    measure(&t, model);
    line(ctx, title);
    put_rule(&t, '_');
    put_row(&t, heads);
    put_rule(&t, '=');
    for (int i = 0; i < ax_model_layer_count(model); i++) {
        const ax_layer_info *layer = ax_model_layer_at(model, i);

        put_layer(&t, layer);
        parameters += layer->parameters;
        trainable += layer->trainable;
    }
    put_rule(&t, '=');
    put_total(&t, "Total params", parameters);
    put_total(&t, "Trainable params", trainable);
    put_total(&t, "Non-trainable params", parameters - trainable);
    put_rule(&t, '_');
}
