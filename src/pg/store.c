/*
 * store.c: a model's bytes in rows, written and read.
 *
 * A version is an ONNX graph (one bytea) and the bytes of its tensors, each cut into chunks of 1 MB
 * (the last one may be shorter) that are numbered from 0. Every piece has its CRC-32C, which is
 * checked before the engine sees the bytes. What the sums cannot notice is noticed by counting: a
 * gap in the numbers, bytes beyond a tensor's end, a tensor that the graph does not know, and (by
 * ax_model_ready) bytes that never came.
 *
 * Memory: while reading, one chunk and its detoasted copy are held next to the model; while
 * writing, one chunk. Engine calls are leaves here: nothing of PostgreSQL runs under an engine
 * frame.
 *
 * Damage is reported as XX001 with the model, the version and the piece. An engine that says that
 * it is out of memory, was cancelled or is asked for something it does not do is not damage.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "port/pg_crc32c.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "ax.h"
#include "catalog_tables.h"
#include "compat.h"
#include "guard.h"
#include "spi.h"
#include "store.h"

int64 aiaas_store_crc(const void *bytes, size_t len)
{
    pg_crc32c crc;

    INIT_CRC32C(crc);
    COMP_CRC32C(crc, bytes, len);
    FIN_CRC32C(crc);
    return (int64)crc;
}

/*
 * The checksum of a chunk covers where it belongs too: the tensor's name, its end, and the chunk's number,
 * lowest byte first. A chunk in the place of another is then as wrong as a changed one.
 */
static int64 chunk_crc(const char *tensor, int32 chunk, const void *bytes, size_t len)
{
    uint8 number[4] = {chunk & 0xff, chunk >> 8 & 0xff, chunk >> 16 & 0xff, chunk >> 24 & 0xff};
    pg_crc32c crc;

    INIT_CRC32C(crc);
    COMP_CRC32C(crc, tensor, strlen(tensor) + 1);
    COMP_CRC32C(crc, number, sizeof(number));
    COMP_CRC32C(crc, bytes, len);
    FIN_CRC32C(crc);
    return (int64)crc;
}

/* ---- writing --------------------------------------------------------------------------------- */

static void check_fits_bytea(size_t size)
{
    if (size > MaxAllocSize - VARHDRSZ)
        ereport(ERROR,
                (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                 errmsg("the model has %zu bytes as one ONNX file", size),
                 errdetail("A bytea holds at most 1 GB."),
                 errhint("Copy the model to another database with pg_dump, which has no such "
                         "limit.")));
}

/* What the weights alone will take: known before they are read. */
static size_t weight_bytes(const ax_model *model)
{
    size_t sum = 0;

    for (int i = 0; i < ax_model_weight_count(model); i++) {
        ax_error err;
        ax_weight w;

        aiaas_check(ax_model_weight_at(model, i, &w, &err), &err, NULL);
        sum += Min(w.bytes, MaxAllocHugeSize - sum);
    }
    return sum;
}

bytea *aiaas_store_encode(const ax_model *model, bool with_weights)
{
    bytea *bytes;
    ax_error err;
    size_t size;

    aiaas_check(ax_model_encoded_size(model, with_weights, &size, &err), &err, NULL);
    check_fits_bytea(size);
    bytes = palloc(size + VARHDRSZ);
    SET_VARSIZE(bytes, size + VARHDRSZ);
    aiaas_check(ax_model_encode(model, with_weights, (uint8_t *)VARDATA(bytes), size, &err), &err,
                NULL);
    return bytes;
}

static void insert_chunk(int64 version_id, const char *tensor, int32 chunk, bytea *data)
{
    static const Oid types[] = {INT8OID, TEXTOID, INT4OID, BYTEAOID, INT8OID};
    Datum values[] = {Int64GetDatum(version_id), CStringGetTextDatum(tensor), Int32GetDatum(chunk),
                      PointerGetDatum(data),
                      Int64GetDatum(chunk_crc(tensor, chunk, VARDATA(data),
                                              VARSIZE(data) - VARHDRSZ))};

    aiaas_owner_run("INSERT INTO aiaas.weight (version, tensor, chunk, data, crc) "
                    "VALUES ($1, $2, $3, $4, $5)",
                    lengthof(types), types, values, NULL);
}

static void store_weight(int64 version_id, const ax_weight *weight, bytea *buffer)
{
    const char *from = weight->data;
    size_t left = weight->bytes;

    for (int32 chunk = 0; left > 0; chunk++) {
        size_t len = Min(left, AIAAS_CHUNK_BYTES);

        CHECK_FOR_INTERRUPTS();
        memcpy(VARDATA(buffer), from, len);
        SET_VARSIZE(buffer, len + VARHDRSZ);
        insert_chunk(version_id, weight->name, chunk, buffer);
        from += len;
        left -= len;
    }
}

void aiaas_store_weights(int64 version_id, const ax_model *model)
{
    AiaasOwnerScope scope;
    bytea *buffer;
    ax_error err;

    aiaas_owner_begin(&scope);
    buffer = palloc(AIAAS_CHUNK_BYTES + VARHDRSZ);
    for (int i = 0; i < ax_model_weight_count(model); i++) {
        ax_weight weight;

        aiaas_check(ax_model_weight_at(model, i, &weight, &err), &err, NULL);
        store_weight(version_id, &weight, buffer);
    }
    aiaas_owner_end(&scope);
}

/* ---- reading --------------------------------------------------------------------------------- */

static void fail_damaged(const AiaasVersionRef *ref, const char *what)
{
    ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
                    errmsg("stored version %d of model \"%s\" is damaged", ref->number, ref->name),
                    errdetail("%s", what),
                    errhint("Restore the version from a backup, or train the model again.")));
}

/* The engine's verdict on stored bytes. where: "graph", "tensor \"w\", chunk 3". */
static void check_stored(const AiaasVersionRef *ref, ax_status status, const ax_error *err,
                         const char *where)
{
    switch (status) {
    case AX_ERR_CORRUPT:
    case AX_ERR_INVALID:
    case AX_ERR_UNKNOWN:
    case AX_ERR_NUMERIC:
        fail_damaged(ref, psprintf("In the %s: %s.", where, err->message));
        break;
    default:
        aiaas_check(status, err, NULL);
    }
}

ax_model *aiaas_store_load_graph(const AiaasVersionRef *ref, const ax_env *env)
{
    bool isnull, crc_isnull;
    Datum graph = aiaas_version_column(ref->version_id, Anum_aiaas_version_graph, &isnull);
    Datum crc = aiaas_version_column(ref->version_id, Anum_aiaas_version_graph_crc, &crc_isnull);
    const char *bytes = isnull ? NULL : VARDATA_ANY(DatumGetPointer(graph));
    size_t len = isnull ? 0 : VARSIZE_ANY_EXHDR(DatumGetPointer(graph));
    ax_model *model;
    ax_error err;

    if (isnull || crc_isnull || aiaas_store_crc(bytes, len) != DatumGetInt64(crc))
        fail_damaged(ref, "The checksum of the graph is wrong.");
    check_stored(ref, ax_model_decode(env, (const uint8_t *)bytes, len, &model, &err), &err,
                 "graph");
    pfree(DatumGetPointer(graph));
    return model;
}

/* Where the reader of the weights is. */
typedef struct Reader {
    const AiaasVersionRef *ref;
    ax_model *model;
    char *tensor;          /* NULL before the first row */
    int32 next_chunk;      /* of this tensor */
    size_t offset;         /* bytes of this tensor so far */
    MemoryContext context; /* emptied after every chunk */
} Reader;

static void fill_chunk(Reader *r, int32 chunk, const char *bytes, size_t len, int64 crc)
{
    char *where = psprintf("tensor \"%s\", chunk %d", r->tensor, chunk);
    ax_error err;

    if (chunk != r->next_chunk)
        fail_damaged(r->ref, psprintf("In the tensor \"%s\": chunk %d is missing.", r->tensor,
                                      r->next_chunk));
    if (chunk_crc(r->tensor, chunk, bytes, len) != crc)
        fail_damaged(r->ref, psprintf("In the %s: the checksum is wrong.", where));
    if (len == 0 || len > AIAAS_CHUNK_BYTES)
        fail_damaged(r->ref,
                     psprintf("In the %s: %zu bytes are not the size of a chunk.", where, len));
    check_stored(r->ref, ax_model_fill_weight(r->model, r->tensor, r->offset, bytes, len, &err),
                 &err, where);
    r->next_chunk++;
    r->offset += len;
}

/* Rows come ordered by tensor and chunk, so a new name begins a new tensor. */
static void enter_tensor(Reader *r, Datum name)
{
    char *tensor = TextDatumGetCString(name);

    if (r->tensor != NULL && strcmp(r->tensor, tensor) == 0)
        return;
    if (r->tensor != NULL)
        pfree(r->tensor);
    r->tensor = MemoryContextStrdup(MemoryContextGetParent(r->context), tensor);
    r->next_chunk = 0;
    r->offset = 0;
}

static void read_chunk(Reader *r, AiaasScan *scan, HeapTuple tuple)
{
    MemoryContext caller = MemoryContextSwitchTo(r->context);
    Datum column[Anum_aiaas_weight_crc + 1];
    struct varlena *data;

    for (int i = Anum_aiaas_weight_version; i <= Anum_aiaas_weight_crc; i++) {
        bool isnull;

        column[i] = aiaas_scan_column(scan, tuple, i, &isnull);
        if (isnull)
            fail_damaged(r->ref, "A chunk has an empty column.");
    }
    enter_tensor(r, column[Anum_aiaas_weight_tensor]);
    data = PG_DETOAST_DATUM_PACKED(column[Anum_aiaas_weight_data]);
    fill_chunk(r, DatumGetInt32(column[Anum_aiaas_weight_chunk]), VARDATA_ANY(data),
               VARSIZE_ANY_EXHDR(data), DatumGetInt64(column[Anum_aiaas_weight_crc]));
    MemoryContextSwitchTo(caller);
    MemoryContextReset(r->context);
}

static void read_weights(Reader *r)
{
    AiaasScan scan;
    ScanKeyData key;
    HeapTuple tuple;

    ScanKeyInit(&key, Anum_aiaas_weight_version, BTEqualStrategyNumber, F_INT8EQ,
                Int64GetDatum(r->ref->version_id));
    aiaas_scan_begin(&scan, AIAAS_REL_WEIGHT, AIAAS_REL_WEIGHT_KEY, GetActiveSnapshot(), 1, &key);
    while ((tuple = aiaas_scan_next(&scan)) != NULL) {
        CHECK_FOR_INTERRUPTS();
        read_chunk(r, &scan, tuple);
    }
    aiaas_scan_end(&scan);
}

static void fill_weights(const AiaasVersionRef *ref, ax_model *model)
{
    Reader r = {.ref = ref, .model = model};
    ax_error err;

    r.context = AllocSetContextCreate(CurrentMemoryContext, "aiaas chunk", ALLOCSET_DEFAULT_SIZES);
    read_weights(&r);
    MemoryContextDelete(r.context);
    check_stored(ref, ax_model_ready(model, &err), &err, "weights");
}

ax_model *aiaas_store_load(const AiaasVersionRef *ref, const ax_env *env)
{
    ax_model *model = aiaas_store_load_graph(ref, env);

    fill_weights(ref, model);
    return model;
}

bytea *aiaas_store_export(const AiaasVersionRef *ref, const ax_env *env)
{
    ax_model *model = aiaas_store_load_graph(ref, env);

    /* A model that is too large is refused before its weights are read. */
    check_fits_bytea(weight_bytes(model));
    fill_weights(ref, model);
    return aiaas_store_encode(model, true);
}
