-- Models of a table, trained here, for another runtime of ONNX to agree with: see test/t/onnx_runtime.
--
-- The rows that are asked about have missing numbers, missing texts and texts that no training saw.
SET client_min_messages = warning;
CREATE EXTENSION aiaas;
CREATE TABLE lesson AS
  SELECT i, (ARRAY['red', 'green', 'blue', 'a, b "c"', 'grün'])[1 + i * 7 % 5] AS "Colour of it",
         CASE WHEN i % 9 <> 0 THEN (i * 37 % 101) / 10.0 END AS size,
         CASE WHEN i % 13 <> 0 THEN 'town ' || i * 11 % 30 END AS town, i % 4 = 1 AS open,
         CASE WHEN i * 7 % 5 < 2 AND i * 37 % 101 > 30 THEN 'yes' WHEN i % 6 = 0 THEN 'perhaps' ELSE 'no' END AS answer,
         (i * 37 % 101) / 7.0 + (i * 7 % 5) * 2 AS price
    FROM generate_series(1, 400) i;
CREATE TABLE question AS
  SELECT row_number() OVER () AS n, c AS "Colour of it", s AS size, t AS town, o AS open
    FROM unnest(ARRAY['red', 'blue', 'grün', 'a, b "c"', 'violet', NULL]) c, unnest(ARRAY[0.05, 4.4, 99, NULL]) s,
         unnest(ARRAY['town 3', 'town 29', 'nowhere', NULL]) t, unnest(ARRAY[true, false, NULL]) o;

CREATE FUNCTION learn(name text, target text, algorithm text, options jsonb, layers jsonb DEFAULT NULL) RETURNS void
    LANGUAGE sql AS $$
  SELECT aiaas_train(name, format('SELECT "Colour of it", size, town, open%s FROM lesson ORDER BY i', ', ' || target),
                     target => target, layers => layers, algorithm => algorithm, options => options) $$;
SELECT learn('boosting', 'answer', 'gradient_boosting', '{"n_estimators": 20}');
SELECT learn('poisson', 'price', 'gradient_boosting', '{"n_estimators": 20, "objective": "count:poisson"}');
SELECT learn('tree', 'price', 'decision_tree', '{"max_depth": 6}');
SELECT learn('votes', 'answer', 'random_forest', '{"n_estimators": 20}');
SELECT learn('extra', 'price', 'extra_trees', '{"n_estimators": 10}');
SELECT learn('linear', 'price', 'linear', '{"alpha": 0.1, "l1_ratio": 0.5, "columns": {"size": {"missing_indicator": true}}}');
SELECT learn('logistic', 'answer', 'logistic', '{"columns": {"town": {"encode": "target"}, "size": {"clip": [0.05, 0.95],
  "scale": ["log1p", "robust"]}}}');
SELECT learn('clusters', NULL, 'kmeans', '{"n_clusters": 4}');
SELECT learn('components', NULL, 'pca', '{"n_components": 3}');
SELECT learn('odd', NULL, 'isolation_forest', '{"n_estimators": 20}');
SELECT learn('network', 'answer', NULL, '{"epochs": 3, "columns": {"town": {"encode": "embedding", "output_dim": 3},
  "Colour of it": {"encode": "hash", "buckets": 4}, "size": {"scale": "min_max", "impute": "median"}}}',
  '[{"Dense": {"units": 8, "activation": "relu"}}, {"Dense": {"units": 3, "activation": "softmax"}}]');

-- A module of what is asked, column by column, and what the model answers.
CREATE FUNCTION sample(name text) RETURNS text LANGUAGE sql AS $$
  SELECT format('module.exports = { inputs: [%s], output: [%s] };', concat_ws(', ',
      format('{ type: "string", dims: [%s, 1], data: %s }', count(*), json_agg(coalesce("Colour of it", '') ORDER BY n)),
      format('{ type: "float32", dims: [%s, 1], data: [%s] }', count(*), string_agg(coalesce(size::text, 'NaN'), ', ' ORDER BY n)),
      format('{ type: "string", dims: [%s, 1], data: %s }', count(*), json_agg(coalesce(town, '') ORDER BY n)),
      format('{ type: "float32", dims: [%s, 1], data: [%s] }', count(*), string_agg(coalesce(open::int::text, 'NaN'), ', ' ORDER BY n))),
    string_agg(array_to_string(aiaas_predict_vector(name, q), ', '), ', ' ORDER BY n)) FROM question q $$;

-- Recurrent networks, over sequences of 12 tokens: Embedding, then each kind of layer, in both directions too.
CREATE TABLE walk AS
  SELECT i, ARRAY(SELECT ((i * 31 + k * k * 7) % 9)::real FROM generate_series(1, 12) k) AS token, i % 2 AS odd
    FROM generate_series(1, 60) i;
CREATE FUNCTION learn_walk(name text, layer text) RETURNS void LANGUAGE sql AS $$
  SELECT aiaas_train(name, 'SELECT token, odd FROM walk ORDER BY i', 'odd', options => '{"epochs": 2}', layers =>
    ('[{"Embedding": {"input_dim": 9, "output_dim": 5}}, ' || layer || ', {"Dense": {"units": 2, "activation": "softmax"}}]')::jsonb) $$;
SELECT learn_walk('lstm', '{"LSTM": {"units": 7}}');
SELECT learn_walk('gru', '{"GRU": {"units": 7}}');
SELECT learn_walk('gru_before', '{"GRU": {"units": 7, "reset_after": false}}');
SELECT learn_walk('rnn', '{"SimpleRNN": {"units": 7}}');
SELECT learn_walk('both_ways', '{"Bidirectional": {"layer": {"LSTM": {"units": 6, "return_sequences": true}}}},
  {"Bidirectional": {"layer": {"GRU": {"units": 4}}, "merge_mode": "mul"}}');
CREATE FUNCTION sample_walk(name text) RETURNS text LANGUAGE sql AS $$
  SELECT format('module.exports = { inputs: [{ type: "float32", dims: [%s, 12], data: [%s] }], output: [%s] };', count(*),
    string_agg(array_to_string(token, ', '), ', ' ORDER BY i),
    string_agg(array_to_string(aiaas_predict_vector(name, token), ', '), ', ' ORDER BY i)) FROM walk $$;
