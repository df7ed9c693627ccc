/*
 * label.h: the dictionary of classes.
 *
 * While a training reads its rows, values of the target become codes in the order in which they first
 * appear; aiaas_labels_sort then puts the classes in their order and says what each code became. For an
 * existing model the dictionary is made from its labels and closed: an unknown value is code -1.
 */
#ifndef AIAAS_LABEL_H
#define AIAAS_LABEL_H

#include "postgres.h"

#define AIAAS_CLASSES_MAX 100000

typedef struct AiaasLabels AiaasLabels;

/* Can values of this type be classes? Looks through domains. */
extern bool aiaas_labels_type(Oid type);

/* An open dictionary for values of the type, in the context. */
extern AiaasLabels *aiaas_labels_create(MemoryContext context, Oid type);

/*
 * A closed one: class i is labels[i]. Labels that are no value of the type (a model that learned text,
 * asked with integers) match nothing.
 */
extern AiaasLabels *aiaas_labels_closed(MemoryContext context, Oid type, const char *const *labels,
                                        int count);

/* The code of a value; an open dictionary adds it. -1: unknown, or more than AIAAS_CLASSES_MAX. */
extern int32 aiaas_labels_code(AiaasLabels *l, Datum value);

/* The value as its label would be spelled. */
extern char *aiaas_labels_spell(const AiaasLabels *l, Datum value);

extern int aiaas_labels_count(const AiaasLabels *l);

/* Numbers numerically, false before true, enums in their order, text by bytes. Returns where each code
 * went; afterwards code i is class i. */
extern int32 *aiaas_labels_sort(AiaasLabels *l);

/* Spelled as ::text does; lives as long as the dictionary. */
extern const char *const *aiaas_labels_texts(const AiaasLabels *l);

/* The numbers behind the codes, for integers, floats, numeric and boolean. */
extern const double *aiaas_labels_numbers(const AiaasLabels *l);

#endif /* AIAAS_LABEL_H */
