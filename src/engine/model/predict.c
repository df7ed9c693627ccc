/*
 * predict.c: rows in, outputs out, and what an output stands for.
 */
#include "nn/network.h"
#include "nn/runner.h"

ax_status ax_model_predict(ax_model *m, const void *rows, int64_t n, float *out, ax_error *err)
{
    if (!m->ready)
        return ax_fail(err, AX_ERR_INVALID, "the model has not received all its weights");
    if (m->runner == NULL)
        AX_TRY(ax_runner_create(&m->env, m, 1, &m->runner, err));
    return ax_runner_run(m->runner, NULL, rows, NULL, NULL, n, out, err);
}

int ax_model_decide(const ax_model *m, const float *out)
{
    int best = 0;

    if (m->n_outputs == 1)
        return out[0] > 0.5f;
    for (int i = 1; i < m->n_outputs; i++)
        if (out[i] > out[best])
            best = i;
    return best;
}

void ax_model_probabilities(const ax_model *m, const float *out, float *proba)
{
    if (m->n_outputs == 1 && m->n_classes == 2) {
        proba[0] = 1.0f - out[0];
        proba[1] = out[0];
        return;
    }
    memcpy(proba, out, (size_t) m->n_classes * sizeof(float));
}
