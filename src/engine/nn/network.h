/*
 * network.h: what a model is inside the engine: a graph and what the outside needs to know of it.
 *
 * The struct behind ax.h's opaque ax_model stands here, on the lowest floor that uses it; building it from
 * layers is build.c, training it train.c, running it runner.c; bytes are the model floor's.
 */
#ifndef AX_NETWORK_H
#define AX_NETWORK_H

#include "graph/graph.h"
#include "nn/loss.h"

struct ax_runner;

struct ax_model {
    ax_env env;
    ax_graph *graph; /* owns every string and array below */
    int input;       /* value numbers */
    int output;      /* (rows, n_outputs) */
    ax_task task;
    int n_classes; /* 0 for regression */
    int n_targets; /* width of a regression target, 1 for classes */
    int n_outputs; /* floats a row; 1 with n_classes == 2: a sigmoid head */
    ax_loss loss;
    int loss_value; /* where the loss is attached in training: the output, or the logits before it */
    ax_layer_info *layer;
    int n_layers;
    bool ready;               /* every weight has its bytes */
    struct ax_runner *runner; /* made by the first prediction */
    struct ax_told *told;     /* metadata as it was last read for coefficients and importances (model/told.c) */
};

/*
 * Finds where the loss attaches: the input of the last Softmax (axis -1, rank 2) or Sigmoid when the loss
 * is a cross-entropy (then loss.on_logits), else the output itself. Sets m->loss_value and m->loss.on_logits.
 * (head.c)
 */
void ax_model_attach_loss(ax_model *m);

/* Keeps the spec's labels and features with the graph. (build.c) */
ax_status ax_model_set_labels(ax_model *m, const ax_model_spec *spec, ax_error *err);

/*
 * What travels with the graph's bytes, as metadata_props: task, classes, targets, loss and layers, so that
 * a decoded graph is a model again. ax_model_describe writes them (before encoding); ax_model_recall reads them
 * back and finds input, output and loss: bytes are hostile, everything is checked. (head.c)
 * Keys: "aiaas.task", "aiaas.classes", "aiaas.targets", "aiaas.loss", "aiaas.layers" (JSON: of each its name, class,
 * shape, parameters, how many are trainable and, unless the network is a chain, the names of those that feed it), and
 * "aiaas.labels", "aiaas.features" (JSON as given).
 */
ax_status ax_model_describe(ax_model *m, ax_error *err);
ax_status ax_model_recall(ax_model *m, ax_error *err);

#endif /* AX_NETWORK_H */
