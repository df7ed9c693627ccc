/*
 * store.h: a model's bytes in rows.
 *
 * aiaas.version.graph holds the ONNX ModelProto without weights; aiaas.weight holds each tensor cut
 * into chunks of at most 1 MB, each with its CRC-32C. Nothing ever holds a whole model in one
 * datum, so a model may be larger than 1 GB.
 */
#ifndef AIAAS_STORE_H
#define AIAAS_STORE_H

#include "postgres.h"

#include "catalog.h"

struct ax_env;
struct ax_model;

#define AIAAS_CHUNK_BYTES (1024 * 1024)

/* CRC-32C of bytes, as the columns crc and graph_crc hold it. */
extern int64 aiaas_store_crc(const void *bytes, size_t len);

/*
 * The model as ONNX bytes, with its weights (one self-contained file) or without (as
 * aiaas.version.graph holds it). What exceeds a bytea: 54000.
 */
extern bytea *aiaas_store_encode(const struct ax_model *model, bool with_weights);

/* Writes every weight of the model as chunk rows of the version. */
extern void aiaas_store_weights(int64 version_id, const struct ax_model *model);

/*
 * Reads graph and weights of a version under the active snapshot into a fresh ax_model made with
 * env. Truncated, missing, surplus or changed bytes: XX001 (data corrupted), naming model, version
 * and tensor. Whatever was allocated through env is freed by the caller deleting env's memory
 * context.
 */
extern struct ax_model *aiaas_store_load(const AiaasVersionRef *ref, const struct ax_env *env);

/*
 * The same without the weights: cheap, for a model of any size, and good for what ax_model_layer_at
 * and ax_model_metadata tell. Such a model cannot predict.
 */
extern struct ax_model *aiaas_store_load_graph(const AiaasVersionRef *ref,
                                               const struct ax_env *env);

/* The version as one ONNX file with its weights. What exceeds a bytea: 54000. */
extern bytea *aiaas_store_export(const AiaasVersionRef *ref, const struct ax_env *env);

#endif /* AIAAS_STORE_H */
