/*
 * catalog.c: models and versions, found and read.
 *
 * Reading is done with index scans under the active snapshot and asks for no privilege on the
 * tables, so that it works for everybody and everywhere: on a standby, in a read-only transaction,
 * in a parallel worker.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "catalog.h"
#include "catalog_tables.h"
#include "compat.h"
#include "feature.h"

/* ---- names ----------------------------------------------------------------------------------- */

#define SHOWN_BYTES 80 /* of a wrong name, in a message */

static void fail_name(const char *text, const char *what)
{
    int len = pg_mbcliplen(text, strlen(text), SHOWN_BYTES);

    ereport(ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
             errmsg("invalid model name \"%s%s\"", pnstrdup(text, len), text[len] ? "..." : ""),
             errdetail("%s", what),
             errhint("Write \"name\" for the live version of a model, or \"name@3\" for its "
                     "version 3.")));
}

/* The digits after the @; anything but a positive integer is refused. */
static int32 parse_version(const char *text, const char *digits)
{
    int64 number = 0;

    for (const char *p = digits; *p; p++) {
        if (*p < '0' || *p > '9' || (number = number * 10 + (*p - '0')) > PG_INT32_MAX)
            number = -1;
        if (number <= 0)
            break;
    }
    if (number <= 0)
        fail_name(text, "What follows the @ is not a version number.");
    return (int32)number;
}

void aiaas_parse_model_name(const char *text, char **name, int32 *number)
{
    const char *at = strchr(text, '@');
    size_t len = at ? (size_t)(at - text) : strlen(text);

    if (len == 0)
        fail_name(text, "The name is empty.");
    if (len > AIAAS_NAME_MAX)
        fail_name(text, psprintf("The name is longer than %d bytes.", AIAAS_NAME_MAX));
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
            fail_name(text, "The name holds a control character.");
    *number = at ? parse_version(text, at + 1) : 0;
    *name = pnstrdup(text, len);
}

/* ---- reading --------------------------------------------------------------------------------- */

static void read_model(AiaasScan *scan, HeapTuple tuple, AiaasModelRow *row)
{
    bool isnull;
    Datum live;

    row->id = DatumGetInt64(aiaas_scan_column(scan, tuple, Anum_aiaas_model_id, &isnull));
    row->owner = DatumGetObjectId(aiaas_scan_column(scan, tuple, Anum_aiaas_model_owner, &isnull));
    live = aiaas_scan_column(scan, tuple, Anum_aiaas_model_live, &isnull);
    row->live = isnull ? 0 : DatumGetInt32(live);
}

static bool find_model(AiaasRelation index, ScanKey key, AiaasModelRow *row)
{
    AiaasScan scan;
    HeapTuple tuple;

    aiaas_scan_begin(&scan, AIAAS_REL_MODEL, index, GetActiveSnapshot(), 1, key);
    tuple = aiaas_scan_next(&scan);
    if (tuple != NULL)
        read_model(&scan, tuple, row);
    aiaas_scan_end(&scan);
    return tuple != NULL;
}

bool aiaas_model_find(const char *name, AiaasModelRow *row)
{
    ScanKeyData key;

    ScanKeyInit(&key, Anum_aiaas_model_name, BTEqualStrategyNumber, F_TEXTEQ,
                CStringGetTextDatum(name));
    return find_model(AIAAS_REL_MODEL_BY_NAME, &key, row);
}

bool aiaas_model_find_by_id(int64 model_id, AiaasModelRow *row)
{
    ScanKeyData key;

    ScanKeyInit(&key, Anum_aiaas_model_id, BTEqualStrategyNumber, F_INT8EQ,
                Int64GetDatum(model_id));
    return find_model(AIAAS_REL_MODEL_BY_ID, &key, row);
}

/* The other name nearest to this one among the models that the current user may see, or NULL. */
static const char *nearest_model(const char *name)
{
    const char **names = NULL;
    int count = 0, room = 0;
    AiaasScan scan;
    HeapTuple tuple;

    aiaas_scan_begin(&scan, AIAAS_REL_MODEL, AIAAS_REL_MODEL_BY_NAME, GetActiveSnapshot(), 0, NULL);
    while ((tuple = aiaas_scan_next(&scan)) != NULL) {
        AiaasModelRow row;
        bool isnull;

        CHECK_FOR_INTERRUPTS();
        read_model(&scan, tuple, &row);
        if (!aiaas_has_privilege(row.id, row.owner, GetUserId(), AIAAS_ANY))
            continue;
        if (count == room) {
            room = room ? room * 2 : 64;
            names = names ? repalloc(names, room * sizeof(*names)) : palloc(room * sizeof(*names));
        }
        names[count] =
            TextDatumGetCString(aiaas_scan_column(&scan, tuple, Anum_aiaas_model_name, &isnull));
        if (strcmp(names[count], name) != 0)
            count++;
    }
    aiaas_scan_end(&scan);
    return count ? aiaas_nearest_name(name, names, count) : NULL;
}

void aiaas_fail_unknown_model(const char *name)
{
    const char *near = nearest_model(name);

    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("model \"%s\" does not exist", name),
                    near ? errhint("Perhaps you meant the model \"%s\".", near)
                         : errhint("The view aiaas.models lists the models that you may use.")));
}

void aiaas_fail_unknown_version(const char *name, int32 number)
{
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
                    errmsg("version %d of model \"%s\" does not exist", number, name),
                    errhint("The view aiaas.versions lists the versions that there are.")));
}

/* Fills version_id and uuid of the reference. */
static bool find_version(int64 model_id, int32 number, AiaasVersionRef *ref)
{
    AiaasScan scan;
    ScanKeyData key[2];
    HeapTuple tuple;
    bool isnull;

    ScanKeyInit(&key[0], Anum_aiaas_version_model, BTEqualStrategyNumber, F_INT8EQ,
                Int64GetDatum(model_id));
    ScanKeyInit(&key[1], Anum_aiaas_version_number, BTEqualStrategyNumber, F_INT4EQ,
                Int32GetDatum(number));
    aiaas_scan_begin(&scan, AIAAS_REL_VERSION, AIAAS_REL_VERSION_KEY, GetActiveSnapshot(), 2, key);
    tuple = aiaas_scan_next(&scan);
    if (tuple != NULL) {
        ref->version_id =
            DatumGetInt64(aiaas_scan_column(&scan, tuple, Anum_aiaas_version_id, &isnull));
        ref->uuid =
            *DatumGetUUIDP(aiaas_scan_column(&scan, tuple, Anum_aiaas_version_uuid, &isnull));
    }
    aiaas_scan_end(&scan);
    return tuple != NULL;
}

void aiaas_resolve(const char *text, AiaasPrivilege privilege, AiaasVersionRef *ref)
{
    char *name;
    int32 number;
    AiaasModelRow model;

    aiaas_parse_model_name(text, &name, &number);
    if (!aiaas_model_find(name, &model))
        aiaas_fail_unknown_model(name);
    if (!aiaas_has_privilege(model.id, model.owner, GetUserId(), privilege))
        aiaas_deny(name, model.owner, privilege);
    if (number == 0 && model.live == 0)
        ereport(ERROR,
                (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                 errmsg("no version of model \"%s\" is live", name),
                 errhint("Make one live with aiaas_deploy, or name one as in \"%s@1\".", name)));
    memset(ref, 0, sizeof(*ref));
    ref->model_id = model.id;
    ref->owner = model.owner;
    ref->live = model.live;
    ref->number = number ? number : model.live;
    strlcpy(ref->name, name, sizeof(ref->name));
    if (!find_version(model.id, ref->number, ref))
        aiaas_fail_unknown_version(name, ref->number);
}

Datum aiaas_version_column(int64 version_id, int column, bool *isnull)
{
    AiaasScan scan;
    ScanKeyData key;
    HeapTuple tuple;
    Form_pg_attribute attribute;
    Datum value;

    ScanKeyInit(&key, Anum_aiaas_version_id, BTEqualStrategyNumber, F_INT8EQ,
                Int64GetDatum(version_id));
    aiaas_scan_begin(&scan, AIAAS_REL_VERSION, AIAAS_REL_VERSION_BY_ID, GetActiveSnapshot(), 1,
                     &key);
    tuple = aiaas_scan_next(&scan);
    if (tuple == NULL)
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
                        errmsg("the model's version does not exist any more")));
    value = aiaas_scan_column(&scan, tuple, column, isnull);
    attribute = TupleDescAttr(RelationGetDescr(scan.table), column - 1);
    if (!*isnull)
        value = attribute->attlen == -1 ? PointerGetDatum(PG_DETOAST_DATUM_COPY(value))
                                        : datumCopy(value, attribute->attbyval, attribute->attlen);
    aiaas_scan_end(&scan);
    return value;
}
