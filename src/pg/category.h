/*
 * category.h: values that are taken by their text, and the dictionary of those that were seen.
 */
#ifndef AIAAS_CATEGORY_H
#define AIAAS_CATEGORY_H

#include "postgres.h"

#define AIAAS_CATEGORIES_MAX 100000 /* different texts of one column */
#define AIAAS_SPELL_ROOM     64     /* bytes, for numbers */

/*
 * The text of a value, not ended by a zero, *len bytes: in the value, in `room`, or in CurrentMemoryContext. In the
 * database's encoding.
 */
typedef const char *(*AiaasSpell)(Datum value, char *room, Size *len);

/* How values of the type (below domains) are spelled; NULL when they have no such text. Numbers and booleans are
 * spelled as class labels are, text without the padding of character(n). */
extern AiaasSpell aiaas_category_spell(Oid type);

/* Is a column of the type one of categories, unless somebody says otherwise? Text, enum, uuid: not numbers. */
extern bool aiaas_category_type(Oid type);

typedef struct AiaasCategories AiaasCategories;

extern AiaasCategories *aiaas_categories_create(MemoryContext context);

/* The code of a text, counted from 0 as they come; -1 when it would be one too many, then and ever after. */
extern int32 aiaas_categories_code(AiaasCategories *c, const char *bytes, Size len);

extern int aiaas_categories_count(const AiaasCategories *c);
extern bool aiaas_categories_full(const AiaasCategories *c); /* was one too many asked for? */
extern const char *const *aiaas_categories_texts(const AiaasCategories *c);

#endif /* AIAAS_CATEGORY_H */
