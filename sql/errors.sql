-- Errors of a training as a user reads them: message, detail, hint.
SET aiaas.progress = off;
\set VERBOSITY default
CREATE TABLE t AS SELECT i AS id, i / 2.0 AS a, nullif(i % 5, 0) AS b, CASE WHEN i % 2 = 0 THEN 'even' ELSE 'odd' END AS c FROM generate_series(1, 20) i;
\set softmax '''[{"Dense": {"units": 2, "activation": "softmax"}}]'''
SELECT aiaas_train('m', 'SELECT a, b, c FROM t', 'c', :softmax, options => '{"prepare": false}');
SELECT aiaas_train('m', 'SELECT a, c FROM t', 'colour', :softmax);
SELECT aiaas_train('m', 'SELECT a, c FROM t', 'C', :softmax);
SELECT aiaas_train('m', 'SELECT a, a, c FROM t', 'c', :softmax);
SELECT aiaas_train('m', 'SELECT a, ''{}''::jsonb AS j, c FROM t', 'c', :softmax);
SELECT aiaas_train('m', 'SELECT a, c FROM t WHERE false', 'c', :softmax);
SELECT aiaas_train('m', 'SELECT a, c FROM t WHERE c = ''odd''', 'c', :softmax);
SELECT aiaas_train('m', 'SELECT a, c FROM t; SELECT 1', 'c', :softmax);
SELECT aiaas_train('m', 'WITH d AS (DELETE FROM t RETURNING a, c) SELECT * FROM d', 'c', :softmax);
SELECT aiaas_train('m', 'SELECT a, c FROM tt', 'c', :softmax);
SELECT aiaas_train('m', 'SELECT a / (id - 10) AS a, c FROM t', 'c', :softmax);
SELECT aiaas_train('m', 'SELECT a, c FROM t', 'c', :softmax, options => '{"epoch": 3}');
SELECT aiaas_train('m', 'SELECT a, c FROM t', 'c', :softmax, options => '{"epochs": -3}');
SELECT aiaas_train('m', 'SELECT a, c FROM t', 'c', '[{"Dens": {"units": 2}}]');
SELECT aiaas_train('m', 'SELECT a, c FROM t', 'c', '[{"Dense": {"units": 3, "activation": "softmax"}}]');
SELECT aiaas_train('m', 'SELECT a, c FROM t', 'c', '[{"Dense": {"units": 1}}]', options => '{"loss": "mse"}');
SELECT aiaas_train('m', 'SELECT ''\x00''::bytea AS raw, c FROM t', 'c');
SELECT aiaas_train('m', 'SELECT a, c FROM t', 'c', :softmax, 'gradient_boosting');
SELECT aiaas_train('m@2', 'SELECT a, c FROM t', 'c', :softmax);
SELECT aiaas_train('m', 'SELECT a, c FROM t', 'c', :softmax, options => '{"epochs": 1, "validation_query": "SELECT a, id::text AS c FROM t"}');
SELECT aiaas_train('m', 'SELECT a, c FROM t', 'c', '[{"Dense": {"units": 2}}, {"Add": {"inbound": ["dense", "dens"]}}]');
SELECT aiaas_train('m', 'SELECT a, c FROM t', 'c', '[{"Dense": {"units": 2}}, {"Dense": {"units": 2, "inbound": "input"}}]');
SELECT aiaas_train('m', 'SELECT a, c FROM t', 'c', '[{"Dense": {"units": 2, "name": "x", "inbound": "y"}}, {"Dense": {"units": 2, "name": "y"}}]');
SELECT aiaas_train('m', 'SELECT a, c FROM t', 'c', '[{"Dense": {"units": 3}}, {"Dense": {"units": 2}}, {"Add": {"inbound": ["dense", "dense_1"]}}]');
SELECT aiaas_train('m', 'SELECT a, c FROM t', 'c', '[{"InputLayer": {"shape": [3]}}, {"Dense": {"units": 2}}]');
SELECT count(*) FROM aiaas.models;
DROP TABLE t;
