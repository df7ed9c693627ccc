\echo Use "CREATE EXTENSION aiaas" to load this file. \quit

/*
 * aiaas 0.1: the catalog, the views over it, and the functions.
 *
 * Tables and views live in the schema aiaas; the functions live in the extension's schema (public,
 * unless CREATE EXTENSION ... SCHEMA says otherwise). The numbers of the tables' columns are known to
 * src/pg/catalog_tables.h: an update script may add columns at the end and nowhere else.
 *
 * Text that is part of an index has the collation "C". The C code looks rows up by bytes, and an
 * index that does not depend on the locale survives an upgrade of the operating system.
 */

-- ---- the schema --------------------------------------------------------------------------------------

-- A schema aiaas that is there already is taken only when the extension is being installed into it and
-- it belongs to the installing user: whoever owns a schema may drop and replace what is in it.
DO $$
DECLARE
    schema_owner oid := (SELECT n.nspowner FROM pg_catalog.pg_namespace n WHERE n.nspname = 'aiaas');
    installer oid := (SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = current_user);
BEGIN
    IF schema_owner IS NULL THEN
        CREATE SCHEMA aiaas;
    ELSIF pg_catalog.current_schema() <> 'aiaas' THEN
        RAISE EXCEPTION 'schema "aiaas" already exists'
            USING ERRCODE = 'duplicate_schema',
                  DETAIL = 'The extension keeps its tables in a schema of this name.',
                  HINT = 'Rename or drop the schema, or install with CREATE EXTENSION aiaas SCHEMA aiaas if it is yours.';
    ELSIF schema_owner <> installer THEN
        RAISE EXCEPTION 'schema "aiaas" belongs to another role'
            USING ERRCODE = 'insufficient_privilege',
                  DETAIL = 'The owner of the schema could replace the tables of the extension.',
                  HINT = 'Drop the schema, or make the installing role its owner.';
    END IF;
END
$$;

COMMENT ON SCHEMA aiaas IS 'aiaas: models, their versions and what a DBA reads about them';
GRANT USAGE ON SCHEMA aiaas TO PUBLIC;

-- ---- tables ------------------------------------------------------------------------------------------

-- There are no foreign keys: pg_restore -j loads the tables of an extension side by side and in no order
-- that it promises, with their constraints already in place. The C code, which alone writes, locks the
-- model's row before it adds anything to the model; triggers delete what belongs to a row that goes.

CREATE TABLE aiaas.model (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT model_pkey PRIMARY KEY,
    name text COLLATE "C" NOT NULL CONSTRAINT model_name_key UNIQUE
        CONSTRAINT model_name_check CHECK (octet_length(name) BETWEEN 1 AND 200),
    owner regrole NOT NULL,
    live integer,
    last_version integer NOT NULL DEFAULT 0,
    created timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE aiaas.model IS 'one row per model; read the view aiaas.models instead';
COMMENT ON COLUMN aiaas.model.live IS 'number of the version that the bare name stands for; NULL when there is none';
COMMENT ON COLUMN aiaas.model.last_version IS 'highest version number ever given out, so that a number is never used twice';

CREATE TABLE aiaas.privilege (
    model bigint NOT NULL,
    grantee regrole NOT NULL,
    privilege text COLLATE "C" NOT NULL
        CONSTRAINT privilege_privilege_check CHECK (privilege IN ('predict', 'train', 'read')),
    grantor regrole NOT NULL,
    CONSTRAINT privilege_pkey PRIMARY KEY (model, grantee, privilege)
);
COMMENT ON TABLE aiaas.privilege IS 'what aiaas_grant gave; read the view aiaas.privileges instead';
COMMENT ON COLUMN aiaas.privilege.grantee IS 'a role; - stands for PUBLIC';

CREATE TABLE aiaas.version (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT version_pkey PRIMARY KEY,
    model bigint NOT NULL,
    number integer NOT NULL CONSTRAINT version_number_check CHECK (number > 0),
    uuid uuid NOT NULL DEFAULT gen_random_uuid() CONSTRAINT version_uuid_key UNIQUE,
    status text COLLATE "C" NOT NULL DEFAULT 'ready'
        CONSTRAINT version_status_check CHECK (status IN ('ready')),
    task text NOT NULL,
    algorithm text NOT NULL,
    layers jsonb,
    options jsonb,
    features jsonb,
    labels jsonb,
    label_type text,
    query text,
    target text,
    rows bigint,
    parameters bigint,
    epochs integer,
    seed bigint,
    data_hash text,
    engine_version text,
    trained_by regrole,
    trained_at timestamptz NOT NULL DEFAULT now(),
    seconds double precision,
    graph bytea NOT NULL,
    graph_crc bigint NOT NULL,
    CONSTRAINT version_model_number_key UNIQUE (model, number)
);
COMMENT ON TABLE aiaas.version IS 'one row per trained version of a model; read the view aiaas.versions instead';
COMMENT ON COLUMN aiaas.version.uuid IS 'identifies the content of the version: a cached copy is valid for as long as the uuid is the same';
COMMENT ON COLUMN aiaas.version.graph IS 'an ONNX ModelProto whose tensors are the rows of aiaas.weight';
COMMENT ON COLUMN aiaas.version.graph_crc IS 'CRC-32C of graph';

CREATE TABLE aiaas.weight (
    version bigint NOT NULL,
    tensor text COLLATE "C" NOT NULL,
    chunk integer NOT NULL,
    data bytea NOT NULL,
    crc bigint NOT NULL,
    CONSTRAINT weight_pkey PRIMARY KEY (version, tensor, chunk)
);
-- Trained weights do not compress; trying costs more than writing them.
ALTER TABLE aiaas.weight ALTER COLUMN data SET STORAGE EXTERNAL;
COMMENT ON TABLE aiaas.weight IS 'the tensors of a version, each cut into chunks of at most 1 MB that are numbered from 0';
COMMENT ON COLUMN aiaas.weight.crc IS 'CRC-32C of the tensor''s name and a zero byte, the chunk''s number in four bytes, lowest first, and data';

CREATE TABLE aiaas.metric (
    version bigint NOT NULL,
    split text COLLATE "C" NOT NULL
        CONSTRAINT metric_split_check CHECK (split IN ('train', 'validation', 'final', 'folds', 'tried')),
    epoch integer NOT NULL,
    name text COLLATE "C" NOT NULL,
    value double precision,
    CONSTRAINT metric_pkey PRIMARY KEY (version, split, epoch, name)
);
COMMENT ON TABLE aiaas.metric IS 'what was measured while a version was trained; read the view aiaas.metrics instead';
COMMENT ON COLUMN aiaas.metric.split IS 'train or validation with an epoch from 1; final with epoch 0: the figures of what was kept; folds: cross-validation; tried: what a choice of algorithm compared';

CREATE TABLE aiaas.feature (
    version bigint NOT NULL,
    place integer NOT NULL,
    name text COLLATE "C" NOT NULL,
    type text NOT NULL,
    encoding text,
    left_out text,
    statistics jsonb NOT NULL,
    CONSTRAINT feature_pkey PRIMARY KEY (version, place)
);
COMMENT ON TABLE aiaas.feature IS 'what was learned of each feature of a version; read the view aiaas.features instead';
COMMENT ON COLUMN aiaas.feature.place IS 'from 1, in the order of the query''s columns; parts of a date and elements of an array count one each';
COMMENT ON COLUMN aiaas.feature.left_out IS 'why the version does not use the feature; NULL when it does';

CREATE TABLE aiaas.deployment (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT deployment_pkey PRIMARY KEY,
    model bigint NOT NULL,
    version integer NOT NULL,
    share double precision NOT NULL DEFAULT 1,
    reason text COLLATE "C" NOT NULL
        CONSTRAINT deployment_reason_check CHECK (reason IN ('train', 'deploy', 'rollback')),
    undone boolean NOT NULL DEFAULT false,
    deployed_by regrole,
    deployed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX deployment_model_idx ON aiaas.deployment (model, id);
COMMENT ON TABLE aiaas.deployment IS 'which version went live when; read the view aiaas.deployments instead';
COMMENT ON COLUMN aiaas.deployment.version IS 'number of the version; the row stays when the version is dropped';
COMMENT ON COLUMN aiaas.deployment.undone IS 'a rollback took this promotion back, so the next rollback looks past it';

CREATE FUNCTION aiaas.delete_parts() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_TABLE_NAME = 'model' THEN
        DELETE FROM aiaas.privilege p WHERE p.model = OLD.id;
        DELETE FROM aiaas.deployment d WHERE d.model = OLD.id;
        DELETE FROM aiaas.version v WHERE v.model = OLD.id;
    ELSE
        DELETE FROM aiaas.weight w WHERE w.version = OLD.id;
        DELETE FROM aiaas.metric t WHERE t.version = OLD.id;
        DELETE FROM aiaas.feature f WHERE f.version = OLD.id;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION aiaas.delete_parts() IS
'Trigger of aiaas.model and aiaas.version: deletes the rows that belong to a deleted row.';
CREATE TRIGGER model_delete AFTER DELETE ON aiaas.model
    FOR EACH ROW EXECUTE FUNCTION aiaas.delete_parts();
CREATE TRIGGER version_delete AFTER DELETE ON aiaas.version
    FOR EACH ROW EXECUTE FUNCTION aiaas.delete_parts();

-- Nobody but the C code writes here, as the owner of the tables, after its own check of rights.
REVOKE ALL ON ALL TABLES IN SCHEMA aiaas FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA aiaas FROM PUBLIC;

SELECT pg_catalog.pg_extension_config_dump('aiaas.model', '');
SELECT pg_catalog.pg_extension_config_dump('aiaas.model_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('aiaas.privilege', '');
SELECT pg_catalog.pg_extension_config_dump('aiaas.version', '');
SELECT pg_catalog.pg_extension_config_dump('aiaas.version_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('aiaas.weight', '');
SELECT pg_catalog.pg_extension_config_dump('aiaas.metric', '');
SELECT pg_catalog.pg_extension_config_dump('aiaas.feature', '');
SELECT pg_catalog.pg_extension_config_dump('aiaas.deployment', '');
SELECT pg_catalog.pg_extension_config_dump('aiaas.deployment_id_seq', '');

-- ---- views -------------------------------------------------------------------------------------------

CREATE FUNCTION aiaas.has_privilege(model bigint, privilege text) RETURNS boolean
    AS 'MODULE_PATHNAME', 'aiaas_sql_has_privilege' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION aiaas.has_privilege(bigint, text) IS
'Whether the current user may do something with a model.

  model      the model''s id, as in aiaas.model
  privilege  ''predict'', ''train'', ''read'', ''own'', or ''any'' for at least one of them

The owner, members of the owner''s role and superusers have every privilege; the others have what
aiaas_grant gave to them, to a role they are a member of, or to PUBLIC. False for a model that
does not exist. The views of this schema show the models for which ''any'' is true.
Error 22023: an unknown privilege.';

CREATE VIEW aiaas.models WITH (security_barrier) AS
SELECT m.name, m.owner, m.live,
       (SELECT count(*) FROM aiaas.version n WHERE n.model = m.id) AS versions,
       v.task, v.algorithm, v.parameters, v.rows,
       (SELECT jsonb_object_agg(f.name, f.value) FROM aiaas.metric f
         WHERE f.version = v.id AND f.split = 'final' AND f.name NOT LIKE '%[%') AS metrics,
       m.created, v.trained_at AS trained
  FROM aiaas.model m
  LEFT JOIN aiaas.version v ON v.model = m.id AND v.number = m.live
 WHERE aiaas.has_privilege(m.id, 'any');
COMMENT ON VIEW aiaas.models IS
'The models that you may use, one row each: name, owner, live version, number of versions; and of the
live version: task, algorithm, number of parameters, training rows, final metrics and when it was
trained.';

CREATE VIEW aiaas.versions WITH (security_barrier) AS
SELECT m.name AS model, v.number AS version, coalesce(v.number = m.live, false) AS live, v.status,
       v.task, v.algorithm, v.parameters, v.rows, v.epochs, v.seconds, v.seed,
       v.trained_by, v.trained_at, v.layers, v.options, v.features, v.labels, v.label_type, v.target,
       CASE WHEN aiaas.has_privilege(m.id, 'own') THEN v.query END AS query,
       v.data_hash, v.engine_version, v.uuid,
       (SELECT sum(octet_length(w.data))::bigint FROM aiaas.weight w WHERE w.version = v.id) AS weight_bytes
  FROM aiaas.version v
  JOIN aiaas.model m ON m.id = v.model
 WHERE aiaas.has_privilege(m.id, 'any');
COMMENT ON VIEW aiaas.versions IS
'The versions of the models that you may use: how each was trained, from what, by whom, in how many
seconds. The query is shown to the model''s owner only, since it may hold literals.';

CREATE VIEW aiaas.metrics WITH (security_barrier) AS
SELECT m.name AS model, v.number AS version, t.split, t.epoch, t.name AS metric, t.value
  FROM aiaas.metric t
  JOIN aiaas.version v ON v.id = t.version
  JOIN aiaas.model m ON m.id = v.model
 WHERE aiaas.has_privilege(m.id, 'any');
COMMENT ON VIEW aiaas.metrics IS
'What was measured while the versions were trained: split is ''train'' or ''validation'' with an epoch
from 1, or ''final'' with epoch 0, the figures of what was kept. ''folds'' are those of a cross-validation:
each fold from epoch 1, with epoch 0 the mean and, as ..._sd, the deviation. ''tried'' is what a choice of
algorithm compared.';

CREATE VIEW aiaas.features WITH (security_barrier) AS
SELECT m.name AS model, v.number AS version, f.name AS column_name, f.type, f.encoding, f.left_out, f.statistics
  FROM aiaas.feature f
  JOIN aiaas.version v ON v.id = f.version
  JOIN aiaas.model m ON m.id = v.model
 WHERE aiaas.has_privilege(m.id, 'any')
 ORDER BY m.name, v.number, f.place;
COMMENT ON VIEW aiaas.features IS
'The features of the versions, as the rows of the training had them: how each is encoded, or why it is
left out, and its statistics (count, nulls, mean, sd, quantiles, the most frequent texts). The parts of a
date and the elements of an array stand one by one. aiaas_describe shows the same for any query.';

CREATE VIEW aiaas.deployments WITH (security_barrier) AS
SELECT m.name AS model, d.version, d.share, d.reason, d.undone, d.deployed_by, d.deployed_at
  FROM aiaas.deployment d
  JOIN aiaas.model m ON m.id = d.model
 WHERE aiaas.has_privilege(m.id, 'any')
 ORDER BY d.id;
COMMENT ON VIEW aiaas.deployments IS
'Which version of a model went live when, by whom and why: ''train'' (aiaas_train did), ''deploy''
(aiaas_deploy) or ''rollback''. undone says that a rollback took the promotion back.';

CREATE VIEW aiaas.privileges WITH (security_barrier) AS
SELECT m.name AS model,
       CASE WHEN p.grantee = 0::oid THEN 'public' ELSE p.grantee::text END AS grantee,
       p.privilege, p.grantor
  FROM aiaas.privilege p
  JOIN aiaas.model m ON m.id = p.model
 WHERE aiaas.has_privilege(m.id, 'any');
COMMENT ON VIEW aiaas.privileges IS
'What aiaas_grant gave on the models that you may use. Owners and superusers need no row here.';

GRANT SELECT ON aiaas.models, aiaas.versions, aiaas.metrics, aiaas.features, aiaas.deployments, aiaas.privileges
    TO PUBLIC;

-- ---- training and evaluation -----------------------------------------------------------------------------

CREATE TYPE aiaas.train_result AS (
    model text,
    version integer,
    task text,
    epochs integer,
    rows bigint,
    parameters bigint,
    seconds double precision,
    metrics jsonb,
    live boolean
);
COMMENT ON TYPE aiaas.train_result IS 'the row that aiaas_train returns';

CREATE FUNCTION aiaas_train(
    model text,
    query text,
    target text DEFAULT NULL,
    layers jsonb DEFAULT NULL,
    algorithm text DEFAULT NULL,
    options jsonb DEFAULT '{}'
) RETURNS aiaas.train_result
    AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000;
COMMENT ON FUNCTION aiaas_train(text, text, text, jsonb, text, jsonb) IS
'Trains a model on the rows of a query and stores it as the next version of its name.

  model      1 to 200 bytes without @; made, and owned by you, when it does not exist
  query      a SELECT that runs with your rights; every column but the target (and the weight) is a
             feature: a number, boolean, text, enum, uuid, date, time, interval or array of numbers
             (or one bytea alone). NULL and the empty text are missing values
  target     the column to predict; by default the last one. Algorithms that group or look for what is
             rare (kmeans, pca, isolation_forest) have none
  layers     a neural network as a list of {"Layer": {...}} with Keras''s names and defaults, or what
             Keras''s model.to_json() prints (Sequential or Functional)
  algorithm  instead of layers: ''linear'', ''logistic'', ''decision_tree'', ''random_forest'',
             ''extra_trees'', ''gradient_boosting'', ''kmeans'', ''pca'' or ''isolation_forest''
             With neither, a linear model, gradient_boosting, random_forest and a small network are tried on
             four fifths of the rows, as long as "max_seconds" (60) allow; the one with the least loss on the
             last fifth is trained (view aiaas.metrics, split ''tried'')
  options    see aiaas_options(): "epochs", "batch_size", "optimizer", "loss", "validation_split",
             "input_shape", "columns", "exclude", "group", "time", "folds", "deploy", ...

How columns are prepared is learned with the model (view aiaas.features) and kept with it. A network
prepares its columns when one is a text or a time, when a value is missing, or when the options "columns",
"exclude" or "prepare" say so. Columns of no use are left out with a NOTICE.

Returns one row: model, version, task (''classification'', ''regression'', ''clustering'', ''decomposition'' or
''anomaly detection''), epochs run, rows,
parameters, seconds, the final metrics, and whether the version went live. The work is part of your
transaction: ROLLBACK leaves nothing. A NOTICE tells about every epoch unless aiaas.progress is off.
It can be cancelled at any time.

Errors: 42501 when the model belongs to somebody else who did not grant ''train'', 25006 in a read-only
transaction or on a standby, 22023 for an option, layer or shape that makes no sense, 22004 for a
NULL in the target (or in the array or bytea of a network), 53400 when it would take more memory than aiaas.max_memory.

  SELECT * FROM aiaas_train(''price'', ''SELECT sqm, rooms, price FROM flats'', ''price'',
    ''[{"Dense": {"units": 16, "activation": "relu"}}, {"Dense": {"units": 1}}]'');';

CREATE FUNCTION aiaas_evaluate(model text, query text)
    RETURNS TABLE (metric text, value double precision)
    AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100000 ROWS 10;
COMMENT ON FUNCTION aiaas_evaluate(text, text) IS
'Scores a model on the rows of a query: every metric that its task has.

  model  a name for the live version, name@3 for version 3
  query  a SELECT that runs with your rights and has the features and the target of the training, by name

Returns (metric, value) rows, such as loss, accuracy, precision, recall and f1, also per class, or loss,
mse, rmse, mae and r2.
Errors: 42704 for an unknown model or version, 42501 without the privilege ''predict'', 42703 when a
column is missing.';

CREATE FUNCTION aiaas_confusion_matrix(model text, query text)
    RETURNS TABLE (actual text, predicted text, count bigint)
    AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100000 ROWS 100;
COMMENT ON FUNCTION aiaas_confusion_matrix(text, text) IS
'How often a classifier took one class for another, on the rows of a query.

  model  a name for the live version, name@3 for version 3
  query  as for aiaas_evaluate

Returns (actual, predicted, count) rows in the order of the classes. In psql,
SELECT * FROM aiaas_confusion_matrix(...) \crosstabview shows it as a matrix.
Errors: those of aiaas_evaluate; 22023 when the model is no classifier.';

-- ---- prediction ----------------------------------------------------------------------------------------------

-- COST is between that of a small network (half a microsecond a row: about 100) and of an image (100 microseconds:
-- 30,000). It decides two things. Tables of several MB are predicted by parallel workers, images from about 4,000 on;
-- and JIT, which loads a compiler of 47 MB and has nothing to compile here, stays out below 150,000 rows.

CREATE FUNCTION aiaas_predict(model text, VARIADIC features "any") RETURNS double precision
    AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL SAFE COST 250;
COMMENT ON FUNCTION aiaas_predict(text, "any") IS
'The number that a model predicts: the value, for regression; the class, when the labels are numbers or
booleans (0 and 1).

  model     a name for the live version, name@3 for version 3
  features  one row, matched by column name (aiaas_predict(''churn'', c) FROM customers c); or one array or
            bytea with the whole input; or scalars in the order of the training query''s columns; or jsonb

A model that prepares its columns takes NULL, NaN and the empty text as missing values, and any text as a
category; columns that it leaves out need not be there. For other models NULL features give NULL. Needs the privilege ''predict''.
Errors: 22004 for a NULL model, 42704 for an unknown one, 42501 without the privilege, 42703 for a
row that lacks a column, 22023 for features that do not fit, or for labels that are no numbers (use
aiaas_predict_label).';

CREATE FUNCTION aiaas_predict_label(model text, VARIADIC features "any") RETURNS text
    AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL SAFE COST 250;
COMMENT ON FUNCTION aiaas_predict_label(text, "any") IS
'The class that a classifier predicts, as text. Arguments and errors as for aiaas_predict.';

CREATE FUNCTION aiaas_predict_proba(model text, VARIADIC features "any") RETURNS real[]
    AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL SAFE COST 250;
COMMENT ON FUNCTION aiaas_predict_proba(text, "any") IS
'The probability of every class, in the order of aiaas_classes(model). They add up to 1. Arguments and
errors as for aiaas_predict; 22023 when the model is no classifier.';

CREATE FUNCTION aiaas_predict_vector(model text, VARIADIC features "any") RETURNS real[]
    AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL SAFE COST 250;
COMMENT ON FUNCTION aiaas_predict_vector(text, "any") IS
'Every output of a model, as it leaves the last layer. Arguments and errors as for aiaas_predict.';

-- ---- looking at models ---------------------------------------------------------------------------------------

CREATE FUNCTION aiaas_classes(model text) RETURNS text[]
    AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL SAFE COST 100;
COMMENT ON FUNCTION aiaas_classes(text) IS
'The classes of a classifier, in the order of aiaas_predict_proba; NULL for a regression.

  model  a name for the live version, name@3 for version 3

Needs any privilege on the model. Errors: 22004 for a NULL model, 42704 for an unknown one, 42501.';

CREATE FUNCTION aiaas_summary(model text) RETURNS SETOF text
    AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL SAFE COST 1000 ROWS 20;
COMMENT ON FUNCTION aiaas_summary(text) IS
'Prints the layers of a model as Keras''s summary() does: name and type, output shape, number of
parameters, and their totals.

  model  a name for the live version, name@3 for version 3

Needs any privilege on the model. Errors: 22004 for a NULL model, 42704 for an unknown one, 42501,
XX001 when the stored graph is damaged.';

CREATE FUNCTION aiaas_training_curve(model text) RETURNS SETOF text
    AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL SAFE COST 1000 ROWS 40;
COMMENT ON FUNCTION aiaas_training_curve(text) IS
'Draws the training of a model as a text chart: the loss, and the accuracy (or else the first other
metric), per epoch, on the training and on the validation rows.

  model  a name for the live version, name@3 for version 3

Needs any privilege on the model. The numbers are in the view aiaas.metrics.
Errors: 22004 for a NULL model, 42704 for an unknown one, 42501.';

CREATE FUNCTION aiaas_describe(query text)
    RETURNS TABLE (column_name text, type text, count bigint, nulls bigint, distinct_values bigint,
                   mean double precision, sd double precision, min double precision, q25 double precision,
                   median double precision, q75 double precision, max double precision, top jsonb)
    AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100000 ROWS 20;
COMMENT ON FUNCTION aiaas_describe(text) IS
'Looks at the columns of a query before anything is trained: one row for each column, and for each part of
a date and element of an array.

  query  a SELECT that runs with your rights

count and nulls: rows with and without a value (NaN and the empty text count as none). Numbers have mean,
sd, quantiles, min and max; texts the number of different values and the ten most frequent ones as
[{"value": ..., "count": ...}, ...]. Columns that nothing can be learned from have counts alone.
Errors: those of the query; 22023 when it is not one SELECT.';

CREATE FUNCTION aiaas_coefficients(model text)
    RETURNS TABLE (label text, feature text, coefficient double precision, std_error double precision,
                   z double precision, p_value double precision)
    AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL SAFE COST 1000 ROWS 20;
COMMENT ON FUNCTION aiaas_coefficients(text) IS
'The coefficients of a linear or logistic model, in the units of the columns.

  model  a name for the live version, name@3 for version 3

label is the class that a coefficient speaks for, NULL where there is one output. Standard error, z and
p_value are NULL where they are not defined.
Needs any privilege on the model. Errors: 22004 for a NULL model, 42704 for an unknown one, 42501, 0A000
for a model without coefficients.';

CREATE FUNCTION aiaas_importance(model text)
    RETURNS TABLE (feature text, gain double precision, splits bigint)
    AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL SAFE COST 1000 ROWS 20;
COMMENT ON FUNCTION aiaas_importance(text) IS
'How much each feature counts in a model of trees.

  model  a name for the live version, name@3 for version 3

gain is the feature''s share of what all splits gained, splits how many there are on it.
Needs any privilege on the model. Errors: 22004 for a NULL model, 42704 for an unknown one, 42501, 0A000
for a model without trees.';

CREATE FUNCTION aiaas_tree(model text, tree integer DEFAULT 1) RETURNS SETOF text
    AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL SAFE COST 1000 ROWS 40;
COMMENT ON FUNCTION aiaas_tree(text, integer) IS
'Prints a tree of a model as text, with the names of its columns and categories.

  model  a name for the live version, name@3 for version 3
  tree   which one, from 1

Needs any privilege on the model. Errors: 22004 for a NULL, 42704 for an unknown model, 42501, 0A000 for
a model without trees, 22023 for a number that there is no tree of.';

CREATE FUNCTION aiaas_options()
    RETURNS TABLE (name text, type text, default_value text, description text)
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE ROWS 60;
COMMENT ON FUNCTION aiaas_options() IS
'Every option that the options argument of aiaas_train knows: its name, its type, its default (NULL when
there is none) and what it does.';

CREATE FUNCTION aiaas_export(model text) RETURNS bytea
    AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL SAFE COST 100000;
COMMENT ON FUNCTION aiaas_export(text) IS
'A version as one ONNX file, weights and preprocessing included.

  model  a name for the live version, name@3 for version 3

Needs the privilege ''read''. Errors: 22004 for a NULL model, 42704 for an unknown one, 42501 without
the privilege, 54000 when the file would exceed 1 GB, XX001 when stored bytes are damaged.';

CREATE FUNCTION aiaas_version() RETURNS text
    AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION aiaas_version() IS
'The versions of the extension''s library and of its engine, and the instruction set that the engine uses
on this machine.';

-- ---- managing models -----------------------------------------------------------------------------------------

CREATE FUNCTION aiaas_deploy(model text, version integer) RETURNS integer
    AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION aiaas_deploy(text, integer) IS
'Makes a version live: from the next statement on, the bare name stands for it. Returns its number.

  model    the model''s name
  version  the number of a version that exists

Only for the owner, members of the owner''s role and superusers. Takes effect when the transaction
commits. Deploying the live version again changes nothing.
Errors: 22004 for a NULL, 42704 for an unknown model or version, 42501, 25006 when read-only.';

CREATE FUNCTION aiaas_rollback(model text) RETURNS integer
    AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION aiaas_rollback(text) IS
'Makes the version live again that was live before the present one, and returns its number.

  model  the model''s name

Works like an undo: a second call goes one promotion further back. Versions that were dropped are
passed over. Only for the owner, members of the owner''s role and superusers.
Errors: 22004 for a NULL, 42704 for an unknown model, 55000 when no version was live before, 42501,
25006 when read-only.';

CREATE FUNCTION aiaas_drop(model text) RETURNS void
    AS 'MODULE_PATHNAME', 'aiaas_drop_model' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION aiaas_drop(text) IS
'Drops a model with all its versions, metrics, grants and history.

  model  the model''s name

Only for the owner, members of the owner''s role and superusers. Waits for a training of the model
that is under way.
Errors: 22004 for a NULL, 42704 for an unknown model, 42501, 25006 when read-only.';

CREATE FUNCTION aiaas_drop(model text, version integer) RETURNS void
    AS 'MODULE_PATHNAME', 'aiaas_drop_version' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION aiaas_drop(text, integer) IS
'Drops one version of a model with its weights and metrics. Its number is not used again.

  model    the model''s name
  version  the number of a version that is not live

Only for the owner, members of the owner''s role and superusers.
Errors: 22004 for a NULL, 42704 for an unknown model or version, 55006 for the live version, 42501,
25006 when read-only.';

CREATE FUNCTION aiaas_grant(model text, role text, privilege text) RETURNS void
    AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION aiaas_grant(text, text, text) IS
'Gives a role a privilege on a model.

  model      the model''s name
  role       a role''s name as it is stored (no quotes), or ''public'' for everybody
  privilege  ''predict'' (predict and evaluate), ''train'' (train further versions), ''read'' (export the
             weights), or ''all'' for the three

Only for the owner, members of the owner''s role and superusers. Granting twice changes nothing.
Errors: 22004 for a NULL, 42704 for an unknown model or role, 22023 for an unknown privilege, 42501,
25006 when read-only.';

CREATE FUNCTION aiaas_revoke(model text, role text, privilege text) RETURNS void
    AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION aiaas_revoke(text, text, text) IS
'Takes a privilege on a model back from a role. Arguments and errors as for aiaas_grant. Revoking what
was not granted changes nothing. A role keeps what it has through membership or through PUBLIC.';
