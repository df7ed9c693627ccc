-- Networks that branch, from SQL: Keras's Functional JSON and our list, trained, predicted, stored, shown, exported.
BEGIN;
SET LOCAL client_min_messages = warning;
SELECT plan(19);

CREATE TEMP TABLE t AS
  SELECT i, sin(i * 12.9898) AS a, sin(i * 78.233) AS b, CASE WHEN sin(i * 12.9898) * sin(i * 78.233) > 0 THEN 'same' ELSE 'other' END AS c
    FROM generate_series(1, 300) i;

CREATE FUNCTION pg_temp.train(model text, layers jsonb) RETURNS bigint LANGUAGE sql AS $$
  SELECT parameters FROM aiaas_train(model, 'SELECT a, b, c FROM t ORDER BY i', 'c', layers,
    options => '{"epochs": 25, "learning_rate": 0.02, "seed": 3}')
$$;

-- The same network twice. jsonb orders the keys of an object by itself: nothing may depend on their order.
\set list '''["InputLayer", {"Dense": {"units": 8, "activation": "relu"}}, {"Dense": {"units": 8, "activation": "relu"}}, {"Add": {"inbound": ["dense", "dense_1"]}}, {"Dense": {"units": 2, "activation": "softmax"}}]'''
CREATE TEMP TABLE keras AS SELECT $${"module": "keras", "class_name": "Functional", "config": {"name": "functional", "trainable": true, "layers": [
  {"module": "keras.layers", "class_name": "InputLayer", "config": {"batch_shape": [null, 2], "dtype": "float32", "sparse": false, "ragged": false, "name": "input_layer"},
   "registered_name": null, "name": "input_layer", "inbound_nodes": []},
  {"module": "keras.layers", "class_name": "Dense", "config": {"name": "dense", "trainable": true, "dtype": {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}, "registered_name": null},
    "units": 8, "activation": "relu", "use_bias": true, "kernel_initializer": {"module": "keras.initializers", "class_name": "GlorotUniform", "config": {"seed": null}, "registered_name": null},
    "bias_initializer": {"module": "keras.initializers", "class_name": "Zeros", "config": {}, "registered_name": null}, "kernel_regularizer": null, "bias_regularizer": null,
    "kernel_constraint": null, "bias_constraint": null}, "registered_name": null, "build_config": {"input_shape": [null, 2]}, "name": "dense",
   "inbound_nodes": [{"args": [{"class_name": "__keras_tensor__", "config": {"shape": [null, 2], "dtype": "float32", "keras_history": ["input_layer", 0, 0]}}], "kwargs": {}}]},
  {"module": "keras.layers", "class_name": "Dense", "config": {"name": "dense_1", "units": 8, "activation": "relu"}, "name": "dense_1",
   "inbound_nodes": [{"args": [{"class_name": "__keras_tensor__", "config": {"shape": [null, 8], "dtype": "float32", "keras_history": ["dense", 0, 0]}}], "kwargs": {}}]},
  {"module": "keras.layers", "class_name": "Add", "config": {"name": "add", "trainable": true}, "name": "add", "build_config": {"input_shape": [[null, 8], [null, 8]]},
   "inbound_nodes": [{"args": [[{"class_name": "__keras_tensor__", "config": {"shape": [null, 8], "dtype": "float32", "keras_history": ["dense", 0, 0]}},
                                {"class_name": "__keras_tensor__", "config": {"shape": [null, 8], "dtype": "float32", "keras_history": ["dense_1", 0, 0]}}]], "kwargs": {}}]},
  {"module": "keras.layers", "class_name": "Dense", "config": {"name": "dense_2", "units": 2, "activation": "softmax"}, "name": "dense_2",
   "inbound_nodes": [{"args": [{"class_name": "__keras_tensor__", "config": {"shape": [null, 8], "dtype": "float32", "keras_history": ["add", 0, 0]}}], "kwargs": {}}]}],
  "input_layers": [["input_layer", 0, 0]], "output_layers": [["dense_2", 0, 0]]}, "registered_name": "Functional", "build_config": {"input_shape": null},
  "compile_config": {}}$$::jsonb AS json;

SELECT is(pg_temp.train('list', :list), 114::bigint, 'a list with links is trained: 24 + 72 + 18 parameters');
SELECT is((SELECT pg_temp.train('keras', json) FROM keras), 114::bigint, 'and a Functional model as Keras prints it');
SELECT is((SELECT array_agg(aiaas_predict_proba('keras', a, b) ORDER BY i) FROM t), (SELECT array_agg(aiaas_predict_proba('list', a, b) ORDER BY i) FROM t),
          'both are the same network, to the last bit');
SELECT cmp_ok((SELECT value FROM aiaas_evaluate('list', 'SELECT a, b, c FROM t') WHERE metric = 'accuracy'), '>', 0.85::float8, 'it has learned');
SELECT ok((SELECT bool_and(abs(p[1] + p[2] - 1) < 1e-5) FROM t, aiaas_predict_proba('list', a, b) p), 'it answers with probabilities');
SELECT ok(length(aiaas_export('list')) > 456, 'it is exported');

-- The summary.
CREATE TEMP TABLE summary AS SELECT line, n FROM aiaas_summary('list') WITH ORDINALITY s(line, n);
SELECT matches((SELECT line FROM summary WHERE n = 3), '^ Layer \(type\) +Output Shape +Param # +Connected to$', 'the summary has a column for the links');
SELECT is((SELECT line FROM summary WHERE line LIKE ' add%'), ' add (Add)                   (None, 8)     0        dense[0][0],', 'which names them');
SELECT is((SELECT ltrim(line) FROM summary WHERE n = 1 + (SELECT n FROM summary WHERE line LIKE ' add%')), 'dense_1[0][0]', 'one below the other');
SELECT ok((SELECT bool_and(length(line) = 70 OR line !~ '^[_=]') FROM summary), 'rules as wide as the table');
SELECT is((SELECT line FROM summary WHERE line LIKE 'Total%'), 'Total params: 114 (456.00 B)', 'the total is the same');
SELECT pg_temp.train('wide', format('[{"Dense": {"units": 4, "name": "%1$s"}}, {"Dense": {"units": 4, "name": "%2$s"}}, {"Add": {"inbound": ["%1$s", "%2$s"]}},
  {"Dense": {"units": 2}}]', repeat('x', 200), repeat('ä', 100))::jsonb) \g /dev/null
CREATE TEMP TABLE wide AS SELECT line, n FROM aiaas_summary('wide') WITH ORDINALITY s(line, n);
SELECT cmp_ok((SELECT max(length(line)) FROM wide), '<=', 100, 'long names stay within the table');
SELECT is((SELECT sum(length(line) - length(replace(line, 'ä', ''))) FROM wide), 200::bigint, 'and are there to the last letter, in the title and in the link');
SELECT pg_temp.train('chain', '[{"Dense": {"units": 3}}, {"Dense": {"units": 2}}]') \g /dev/null
SELECT is((SELECT max(length(line)) FROM aiaas_summary('chain') line), 66, 'a chain has three columns');
SELECT is((SELECT count(*) FROM aiaas_summary('chain') line WHERE line LIKE '%Connected%'), 0::bigint, 'and says nothing of links');

-- A layer of attention, and images that are padded, from rows of numbers and of bytes.
SELECT is((SELECT parameters FROM aiaas_train('attention', 'SELECT ARRAY[a, b, a + b, a - b, a * b, b] AS f, c FROM t', 'c',
  '[{"InputLayer": {"shape": [3, 2], "name": "x"}}, {"MultiHeadAttention": {"num_heads": 2, "key_dim": 2}}, {"Add": {"inbound": ["x", "multi_head_attention"]}},
    {"LayerNormalization": {}}, {"GlobalAveragePooling1D": {}}, {"Dense": {"units": 2}}]', options => '{"epochs": 2}')), 56::bigint,
  'attention: 3 (2 4 + 4) + 4 2 + 2, normalization 4, head 6');
SELECT is((SELECT count(*) FROM t WHERE aiaas_predict_label('attention', ARRAY[a, b, a + b, a - b, a * b, b]) IN ('same', 'other')), 300::bigint, 'it predicts');
CREATE TEMP TABLE px AS SELECT i % 2 AS c, decode(repeat(lpad(to_hex(i % 256), 2, '0'), 48), 'hex') AS image FROM generate_series(1, 40) i;
SELECT is((SELECT parameters FROM aiaas_train('image', 'SELECT image, c FROM px', 'c',
  '[{"InputLayer": {"batch_shape": [null, 4, 4, 3]}}, {"ZeroPadding2D": {"padding": 1}}, {"Conv2D": {"filters": 3, "kernel_size": 3, "name": "k"}},
    {"Add": {"inbound": ["input_layer", "k"]}}, {"GlobalAveragePooling2D": {}}, {"Dense": {"units": 2}}]',
  options => '{"epochs": 2, "loss": "sparse_categorical_crossentropy"}')), 92::bigint, 'an InputLayer gives bytes their shape: 84 + 8 parameters');
SELECT is((SELECT count(DISTINCT aiaas_predict_proba('image', image)) > 1 FROM px), true, 'and it predicts');

SELECT * FROM finish();
ROLLBACK;
