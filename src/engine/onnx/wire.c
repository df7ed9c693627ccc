/*
 * wire.c: see wire.h. The format: protobuf's encoding guide; groups (wire types 3 and 4) are refused.
 */
#include "onnx/wire.h"

ax_wire ax_wire_of(const uint8_t *bytes, size_t len)
{
    return (ax_wire){bytes, bytes + len, false};
}

ax_wire ax_wire_sub(const ax_field *f)
{
    if (f->type != AX_WIRE_BYTES)
        return (ax_wire){NULL, NULL, true};
    return ax_wire_of(f->bytes, f->len);
}

static bool fail(ax_wire *w)
{
    w->bad = true;
    return false;
}

bool ax_wire_varint(ax_wire *w, uint64_t *out)
{
    uint64_t v = 0;

    for (int shift = 0; shift < 64; shift += 7) {
        uint8_t b;

        if (w->p == w->end)
            return fail(w);
        b = *w->p++;
        v |= (uint64_t) (b & 0x7f) << shift;
        if ((b & 0x80) == 0) {
            *out = v;
            return true;
        }
    }
    return fail(w);
}

static bool read_fixed(ax_wire *w, size_t n, uint64_t *out)
{
    uint64_t v = 0;

    if ((size_t) (w->end - w->p) < n)
        return fail(w);
    memcpy(&v, w->p, n); /* little-endian hosts only, as PostgreSQL's packages for Debian's release ports are */
    w->p += n;
    *out = v;
    return true;
}

static bool read_bytes(ax_wire *w, ax_field *f)
{
    uint64_t len;

    if (!ax_wire_varint(w, &len))
        return false;
    if (len > (uint64_t) (w->end - w->p))
        return fail(w);
    f->bytes = w->p;
    f->len = (size_t) len;
    w->p += len;
    return true;
}

bool ax_wire_next(ax_wire *w, ax_field *f)
{
    uint64_t tag;

    if (w->bad || w->p == w->end)
        return false;
    if (!ax_wire_varint(w, &tag))
        return false;
    if (tag >> 3 == 0 || tag >> 3 > 0x1fffffff)
        return fail(w);
    *f = (ax_field){.number = (uint32_t) (tag >> 3), .type = (ax_wire_type) (tag & 7)};
    switch (f->type) {
    case AX_WIRE_VARINT:
        return ax_wire_varint(w, &f->value);
    case AX_WIRE_FIXED64:
        return read_fixed(w, 8, &f->value);
    case AX_WIRE_FIXED32:
        return read_fixed(w, 4, &f->value);
    case AX_WIRE_BYTES:
        return read_bytes(w, f);
    default:
        return fail(w);
    }
}

/* ---- writing --------------------------------------------------------------------------------- */

static void put(ax_writer *w, const void *bytes, size_t n)
{
    if (w->buf != NULL && n > 0 && n <= w->cap - AX_MIN(w->len, w->cap))
        memcpy(w->buf + w->len, bytes, n);
    w->len += n;
}

static void put_raw_varint(ax_writer *w, uint64_t v)
{
    uint8_t b[10];
    size_t n = 0;

    do {
        b[n++] = (uint8_t) ((v & 0x7f) | (v > 0x7f ? 0x80 : 0));
        v >>= 7;
    } while (v > 0);
    put(w, b, n);
}

static void put_tag(ax_writer *w, uint32_t field, ax_wire_type type)
{
    put_raw_varint(w, (uint64_t) field << 3 | (uint64_t) type);
}

void ax_put_bytes(ax_writer *w, uint32_t field, const void *bytes, size_t len)
{
    put_tag(w, field, AX_WIRE_BYTES);
    put_raw_varint(w, len);
    put(w, bytes, len);
}

void ax_put_string(ax_writer *w, uint32_t field, const char *s)
{
    ax_put_bytes(w, field, s, strlen(s));
}

void ax_put_varint(ax_writer *w, uint32_t field, uint64_t v)
{
    put_tag(w, field, AX_WIRE_VARINT);
    put_raw_varint(w, v);
}

void ax_put_float(ax_writer *w, uint32_t field, float v)
{
    put_tag(w, field, AX_WIRE_FIXED32);
    put(w, &v, sizeof(v));
}

void ax_put_message(ax_writer *w, uint32_t field, void (*write)(ax_writer *w, const void *arg),
                    const void *arg)
{
    ax_writer count = {0};

    write(&count, arg);
    put_tag(w, field, AX_WIRE_BYTES);
    put_raw_varint(w, count.len);
    if (w->buf != NULL)
        write(w, arg);
    else
        w->len += count.len;
}

void ax_put_int64s(ax_writer *w, uint32_t field, int n, const int64_t *v)
{
    ax_writer count = {0};

    for (int i = 0; i < n; i++)
        put_raw_varint(&count, (uint64_t) v[i]);
    put_tag(w, field, AX_WIRE_BYTES);
    put_raw_varint(w, count.len);
    for (int i = 0; i < n; i++)
        put_raw_varint(w, (uint64_t) v[i]);
}

void ax_put_floats(ax_writer *w, uint32_t field, int n, const float *v)
{
    ax_put_bytes(w, field, v, (size_t) n * sizeof(float));
}
