/*
 * unicode.h: what tokenizers ask about characters. No locale has a say: the tables are Unicode's.
 */
#ifndef AX_UNICODE_H
#define AX_UNICODE_H

#include "base/base.h"

typedef enum ax_char_class {
    AX_CHAR_OTHER, /* symbols */
    AX_CHAR_SPACE, /* White_Space, control characters among it */
    AX_CHAR_LETTER,
    AX_CHAR_DIGIT,         /* Nd */
    AX_CHAR_LETTER_NUMBER, /* Nl */
    AX_CHAR_OTHER_NUMBER,  /* No */
    AX_CHAR_NONSPACING,    /* Mn */
    AX_CHAR_MARK,          /* Mc, Me */
    AX_CHAR_CONNECTOR,     /* Pc */
    AX_CHAR_PUNCTUATION,   /* the other P */
    AX_CHAR_CONTROL,       /* Cc, Cf, Co, Cn */
    AX_CHAR_LETTER_SIGN    /* symbols that count as alphabetic */
} ax_char_class;

#define AX_CHAR_REPLACEMENT 0xfffdu
#define AX_UTF8_MAX 4 /* bytes of a code point */

/* The code point at s, of which n > 0 bytes remain; *width bytes. What is no UTF-8 is AX_CHAR_REPLACEMENT, width 1. */
uint32_t ax_utf8_read(const char *s, size_t n, size_t *width);
size_t ax_utf8_write(uint32_t code, char *to); /* returns the bytes written */
bool ax_utf8_valid(const char *s, size_t n);

ax_char_class ax_char_class_of(uint32_t code);
bool ax_char_is_space(uint32_t code);
bool ax_char_is_number(uint32_t code);      /* \p{N} */
bool ax_char_is_letter(uint32_t code);      /* \p{L} */
bool ax_char_is_word(uint32_t code);        /* \w */
bool ax_char_is_punctuation(uint32_t code); /* \p{P}, and ASCII's symbols */
bool ax_char_is_chinese(uint32_t code);     /* the ideographs that BERT sets apart */

/* Both write the code points into to[3] and return how many there are. */
int ax_char_lower(uint32_t code, uint32_t *to);
int ax_char_bare(uint32_t code, uint32_t *to); /* NFD without nonspacing marks */

#endif /* AX_UNICODE_H */
