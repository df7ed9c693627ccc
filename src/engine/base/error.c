/*
 * error.c: filling an ax_error. Text that is too long is cut, never at the cost of the '\0', and
 * never within a UTF-8 sequence, because the caller shows it to a client that checks encodings.
 */
#include "base/base.h"

#include <stdarg.h>
#include <stdio.h>

/* Cuts an incomplete UTF-8 sequence off the end of a text that filled its buffer. */
static void trim_partial_character(char *buf)
{
    size_t end = strlen(buf), start = end, width;
    unsigned char lead;

    while (start > 0 && end - start < 3 && ((unsigned char) buf[start - 1] & 0xc0) == 0x80)
        start--;
    if (start == 0)
        return;
    lead = (unsigned char) buf[start - 1];
    width = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    if (width > end - start + 1)
        buf[start - 1] = '\0';
}

static void format_text(char buf[AX_TEXT_MAX], const char *fmt, va_list args)
{
    int n = vsnprintf(buf, AX_TEXT_MAX, fmt, args);

    if (n < 0)
        buf[0] = '\0';
    else if (n >= AX_TEXT_MAX)
        trim_partial_character(buf);
}

/*
 * An argument may point into *err itself (an error is wrapped by the caller), so the text is made
 * aside and then copied.
 */
ax_status ax_fail(ax_error *err, ax_status status, const char *fmt, ...)
{
    char buf[AX_TEXT_MAX];
    va_list args;

    va_start(args, fmt);
    format_text(buf, fmt, args);
    va_end(args);
    err->status = status;
    memcpy(err->message, buf, sizeof(buf));
    err->detail[0] = '\0';
    err->hint[0] = '\0';
    return status;
}

void ax_detail(ax_error *err, const char *fmt, ...)
{
    char buf[AX_TEXT_MAX];
    va_list args;

    va_start(args, fmt);
    format_text(buf, fmt, args);
    va_end(args);
    memcpy(err->detail, buf, sizeof(buf));
}

void ax_hint(ax_error *err, const char *fmt, ...)
{
    char buf[AX_TEXT_MAX];
    va_list args;

    va_start(args, fmt);
    format_text(buf, fmt, args);
    va_end(args);
    memcpy(err->hint, buf, sizeof(buf));
}

ax_status ax_nomem(ax_error *err)
{
    return ax_fail(err, AX_ERR_NOMEM, "out of memory");
}

ax_status ax_cancelled(ax_error *err)
{
    return ax_fail(err, AX_ERR_CANCELLED, "the work was cancelled");
}
