/*
 * summary.h: the layers of a model as a table of text, as Keras's summary() prints it.
 */
#ifndef AIAAS_SUMMARY_H
#define AIAAS_SUMMARY_H

#include "ax.h"

/* One line, without a line end. */
typedef void (*AiaasSummaryLine)(void *ctx, const char *line);

extern void aiaas_summary_write(const ax_model *model, const char *title, AiaasSummaryLine line,
                                void *ctx);

#endif /* AIAAS_SUMMARY_H */
