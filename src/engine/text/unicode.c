/*
 * unicode.c: UTF-8, classes and cases of characters, by binary search in sorted tables.
 */
#include "text/unicode.h"

typedef struct lower_run {
    uint32_t first, last;
    int step, delta;
} lower_run;

typedef struct bare_form {
    uint32_t code;
    uint32_t form[2];
} bare_form;

#include "text/unicode_table.inc"

uint32_t ax_utf8_read(const char *text, size_t n, size_t *width)
{
    const unsigned char *s = (const unsigned char *) text;
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    size_t w = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;
    uint32_t code;

    *width = 1;
    if (w == 1)
        return s[0];
    if (w == 0 || w > n)
        return AX_CHAR_REPLACEMENT;
    code = s[0] & (0x7fu >> w);
    for (size_t i = 1; i < w; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return AX_CHAR_REPLACEMENT;
        code = code << 6 | (s[i] & 0x3fu);
    }
    if (code < least[w] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
        return AX_CHAR_REPLACEMENT;
    *width = w;
    return code;
}

size_t ax_utf8_write(uint32_t code, char *to)
{
    size_t width = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;

    if (width == 1) {
        to[0] = (char) code;
        return 1;
    }
    for (size_t i = width - 1; i > 0; i--) {
        to[i] = (char) (0x80 | (code & 0x3f));
        code >>= 6;
    }
    to[0] = (char) ((0xf00u >> width & 0xf0) | code);
    return width;
}

bool ax_utf8_valid(const char *s, size_t n)
{
    size_t width;

    for (size_t i = 0; i < n; i += width)
        if (ax_utf8_read(s + i, n - i, &width) == AX_CHAR_REPLACEMENT && width == 1)
            return false;
    return true;
}

ax_char_class ax_char_class_of(uint32_t code)
{
    int low = 0, high = AX_COUNT(class_runs) - 1;

    while (low < high) {
        int middle = (low + high + 1) / 2;

        if (class_runs[middle] >> 4 <= code)
            low = middle;
        else
            high = middle - 1;
    }
    return (ax_char_class) (class_runs[low] & 15);
}

bool ax_char_is_space(uint32_t code)
{
    return code < 0x80 ? code == ' ' || (code >= 9 && code <= 13) : ax_char_class_of(code) == AX_CHAR_SPACE;
}

bool ax_char_is_letter(uint32_t code)
{
    if (code < 0x80)
        return (code | 32) >= 'a' && (code | 32) <= 'z';
    return ax_char_class_of(code) == AX_CHAR_LETTER;
}

bool ax_char_is_number(uint32_t code)
{
    ax_char_class class = ax_char_class_of(code);

    return class == AX_CHAR_DIGIT || class == AX_CHAR_LETTER_NUMBER || class == AX_CHAR_OTHER_NUMBER;
}

bool ax_char_is_word(uint32_t code)
{
    ax_char_class class = ax_char_class_of(code);

    return class == AX_CHAR_LETTER || class == AX_CHAR_DIGIT || class == AX_CHAR_LETTER_NUMBER ||
           class == AX_CHAR_NONSPACING || class == AX_CHAR_MARK || class == AX_CHAR_CONNECTOR ||
           class == AX_CHAR_LETTER_SIGN || code == 0x200c || code == 0x200d;
}

bool ax_char_is_punctuation(uint32_t code)
{
    ax_char_class class = ax_char_class_of(code);

    return class == AX_CHAR_PUNCTUATION || class == AX_CHAR_CONNECTOR ||
           (code > 32 && code < 127 && class == AX_CHAR_OTHER);
}

bool ax_char_is_chinese(uint32_t c)
{
    return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf) || (c >= 0x20000 && c <= 0x2a6df) ||
           (c >= 0x2a700 && c <= 0x2b73f) || (c >= 0x2b740 && c <= 0x2b81f) || (c >= 0x2b920 && c <= 0x2ceaf) ||
           (c >= 0xf900 && c <= 0xfaff) || (c >= 0x2f800 && c <= 0x2fa1f);
}

int ax_char_lower(uint32_t code, uint32_t *to)
{
    int low = 0, high = AX_COUNT(lower_runs) - 1;

    to[0] = code;
    if (code == 0x130) { /* the only one that becomes two */
        to[0] = 'i';
        to[1] = 0x307;
        return 2;
    }
    while (low < high) {
        int middle = (low + high + 1) / 2;

        if (lower_runs[middle].first <= code)
            low = middle;
        else
            high = middle - 1;
    }
    if (code >= lower_runs[low].first && code <= lower_runs[low].last &&
        (code - lower_runs[low].first) % (uint32_t) lower_runs[low].step == 0)
        to[0] = (uint32_t) ((int64_t) code + lower_runs[low].delta);
    return 1;
}

/* Hangul syllables fall into two or three letters by arithmetic (The Unicode Standard, 3.12). */
static int bare_hangul(uint32_t code, uint32_t *to)
{
    uint32_t at = code - 0xac00, tail = at % 28;

    to[0] = 0x1100 + at / 588;
    to[1] = 0x1161 + at % 588 / 28;
    to[2] = 0x11a7 + tail;
    return tail == 0 ? 2 : 3;
}

int ax_char_bare(uint32_t code, uint32_t *to)
{
    int low = 0, high = AX_COUNT(bare_forms) - 1;

    to[0] = code;
    if (code < 0x80)
        return 1;
    if (code >= 0xac00 && code < 0xd7a4)
        return bare_hangul(code, to);
    while (low < high) {
        int middle = (low + high + 1) / 2;

        if (bare_forms[middle].code <= code)
            low = middle;
        else
            high = middle - 1;
    }
    if (bare_forms[low].code != code)
        return ax_char_class_of(code) == AX_CHAR_NONSPACING ? 0 : 1;
    to[0] = bare_forms[low].form[0];
    to[1] = bare_forms[low].form[1];
    return to[1] != 0 ? 2 : to[0] != 0 ? 1 : 0;
}
