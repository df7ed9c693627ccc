/*
 * wire.h: protobuf's wire format, the little of it that ONNX needs.
 *
 * Reading is a cursor over hostile bytes: every field knows how many bytes remain, and what does not fit
 * sets `bad` and ends the walk. Nothing is copied. Depth is bounded by the callers, which descend
 * through named messages only, never through what the bytes say.
 *
 * Writing is done twice with the same code: once into a writer without a buffer, which counts, and once for real.
 */
#ifndef AX_WIRE_H
#define AX_WIRE_H

#include "base/base.h"

typedef struct ax_wire {
    const uint8_t *p, *end;
    bool bad;
} ax_wire;

typedef enum ax_wire_type {
    AX_WIRE_VARINT = 0,
    AX_WIRE_FIXED64 = 1,
    AX_WIRE_BYTES = 2,
    AX_WIRE_FIXED32 = 5
} ax_wire_type;

typedef struct ax_field {
    uint32_t number;
    ax_wire_type type;
    uint64_t value;       /* VARINT, FIXED64, FIXED32 (bits) */
    const uint8_t *bytes; /* BYTES */
    size_t len;
} ax_field;

ax_wire ax_wire_of(const uint8_t *bytes, size_t len);
ax_wire ax_wire_sub(const ax_field *f); /* the message within a BYTES field; bad for another type */
/* The next field; false at the end and when something is wrong (then w->bad). */
bool ax_wire_next(ax_wire *w, ax_field *f);
/* One varint of a packed list. */
bool ax_wire_varint(ax_wire *w, uint64_t *out);

typedef struct ax_writer {
    uint8_t *buf; /* NULL: count only */
    size_t cap, len;
} ax_writer;

void ax_put_bytes(ax_writer *w, uint32_t field, const void *bytes, size_t len);
void ax_put_string(ax_writer *w, uint32_t field, const char *s);
void ax_put_varint(ax_writer *w, uint32_t field, uint64_t v);
void ax_put_float(ax_writer *w, uint32_t field, float v);
/* A nested message: write is called twice, to count and to write. */
void ax_put_message(ax_writer *w, uint32_t field, void (*write)(ax_writer *w, const void *arg),
                    const void *arg);
/* Packed lists. */
void ax_put_int64s(ax_writer *w, uint32_t field, int n, const int64_t *v);
void ax_put_floats(ax_writer *w, uint32_t field, int n, const float *v);

#endif /* AX_WIRE_H */
