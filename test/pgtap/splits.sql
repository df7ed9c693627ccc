-- Which rows learn and which judge: groups, time, folds.
BEGIN;
SET LOCAL client_min_messages = warning;
SELECT plan(24);

CREATE TEMP TABLE visit AS
SELECT i AS id, (i * 37 % 100) / 10.0 AS n, i % 20 AS patient, date '2020-01-01' + i * 91 % 400 AS day, (i * 37 % 100) > 50 AS y
FROM generate_series(1, 400) i;
CREATE FUNCTION pg_temp.train(model text, query text, options text, layers text DEFAULT NULL) RETURNS aiaas.train_result LANGUAGE sql AS $$
    SELECT aiaas_train(model, query, 'y', layers::jsonb, CASE WHEN layers IS NULL THEN 'decision_tree' END, '{"deploy": "always"}'::jsonb || options::jsonb) $$;
CREATE FUNCTION pg_temp.columns(model text) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(f->>'name', ' ' ORDER BY place) FROM aiaas.versions v, jsonb_array_elements(v.features) WITH ORDINALITY AS x (f, place) WHERE v.model = columns.model $$;
\set net '[{"Dense": {"units": 2, "activation": "softmax"}}]'

-- A label that only the group knows: whoever has seen the group is right, whoever has not can but guess.
CREATE TEMP TABLE leak AS SELECT g AS "group", g + j / 1000.0 AS x, hashint4(g) % 2 = 0 AS y FROM generate_series(1, 60) g, generate_series(1, 10) j;
SELECT cmp_ok((pg_temp.train('seen', 'SELECT x, y FROM leak ORDER BY x', '{"validation_split": 0.3}')).metrics->'val_accuracy', '>', '0.9'::jsonb, 'rows of one group on both sides tell too much');
SELECT pg_temp.train('unseen', 'SELECT "group", x, y FROM leak ORDER BY x', '{"validation_split": 0.3, "group": "group"}') \g /dev/null
SELECT cmp_ok((SELECT value FROM aiaas.metrics WHERE model = 'unseen' AND split = 'final' AND metric = 'accuracy'), '<', 0.9::float8, 'groups stay on one side');
SELECT is(pg_temp.columns('unseen'), 'x', 'and are no feature');
SELECT is((SELECT rows FROM aiaas.versions WHERE model = 'unseen'), 600::bigint, 'all rows were read');

-- Time: what is new is different.
CREATE TEMP TABLE drift AS SELECT date '2020-01-01' + i AS day, i % 10 AS x, CASE WHEN i > 300 THEN i % 10 < 5 ELSE i % 10 >= 5 END AS y FROM generate_series(1, 400) i;
SELECT is((pg_temp.train('old', 'SELECT x, y, day FROM drift ORDER BY x', '{"validation_split": 0.25, "time": "day", "exclude": ["day"]}')).metrics->'val_accuracy', '0'::jsonb, 'the newest quarter validates');
SELECT is((pg_temp.train('default', 'SELECT x, y, day FROM drift ORDER BY x', '{"time": "day", "exclude": ["day"]}')).metrics->'val_accuracy', '0'::jsonb, 'a fifth when nothing is said');
SELECT pg_temp.train('kept', 'SELECT x, y, day FROM drift ORDER BY x', '{"time": "day"}') \g /dev/null
SELECT is(pg_temp.columns('kept'), 'x day', 'the time is a feature');
SELECT is((pg_temp.train('number', 'SELECT x, y, extract(epoch FROM day) AS at FROM drift ORDER BY x', '{"time": "at", "exclude": ["at"]}')).metrics->'val_accuracy', '0'::jsonb, 'a number can be the time');
SELECT is((pg_temp.train('net', 'SELECT x, y, day FROM drift ORDER BY x', '{"time": "day", "epochs": 1}', :'net')).metrics ? 'val_loss', true, 'for a network too');

-- Folds.
CREATE TEMP TABLE folded AS SELECT * FROM pg_temp.train('folds', 'SELECT n, y FROM visit ORDER BY id', '{"folds": 5, "max_depth": 1}');
SELECT is((SELECT array_agg(k ORDER BY k) FROM folded, jsonb_object_keys(metrics) k), '{accuracy,folds_accuracy,folds_accuracy_sd,folds_loss,folds_loss_sd,loss}', 'mean and deviation are told');
SELECT results_eq($$SELECT epoch, count(*) FROM aiaas.metrics WHERE model = 'folds' AND split = 'folds' GROUP BY epoch ORDER BY epoch$$,
                  'VALUES (0, 4::bigint), (1, 2), (2, 2), (3, 2), (4, 2), (5, 2)', 'and each fold');
SELECT ok((SELECT abs(avg(value) FILTER (WHERE epoch > 0) - max(value) FILTER (WHERE epoch = 0)) < 1e-12 FROM aiaas.metrics WHERE model = 'folds' AND split = 'folds' AND metric = 'accuracy'), 'the mean is one');
SELECT ok((SELECT abs(stddev_samp(value) FILTER (WHERE metric = 'loss' AND epoch > 0) - max(value) FILTER (WHERE metric = 'loss_sd')) < 1e-9 FROM aiaas.metrics WHERE model = 'folds' AND split = 'folds'), 'the deviation too');
SELECT is((SELECT rows FROM folded), 400::bigint, 'the model itself is trained on all rows');
SELECT cmp_ok((pg_temp.train('fold groups', 'SELECT "group", x, y FROM leak ORDER BY x', '{"folds": 4, "group": "group"}')).metrics->'folds_accuracy', '<', '0.9'::jsonb, 'folds keep groups together');
SELECT is((pg_temp.train('fold net', 'SELECT n, y FROM visit ORDER BY id', '{"folds": 2, "epochs": 2}', :'net')).metrics ? 'folds_accuracy', true, 'of a network too');
SELECT is((pg_temp.train('fold net', 'SELECT n, y FROM visit ORDER BY id', '{"folds": 2, "epochs": 2}', :'net')).metrics - 'x',
          (pg_temp.train('fold net', 'SELECT n, y FROM visit ORDER BY id', '{"folds": 2, "epochs": 2}', :'net')).metrics - 'x', 'the same each time');

-- What makes no sense.
SELECT throws_ok($$SELECT pg_temp.train('x', 'SELECT n, y FROM visit', '{"group": "who"}')$$, '42703', 'the query has no group column "who"', 'an unknown column');
SELECT throws_ok($$SELECT pg_temp.train('x', 'SELECT n, patient, day, y FROM visit', '{"group": "patient", "time": "day"}')$$, '22023', 'options "group" and "time" are two ways to split rows', 'both');
SELECT throws_ok($$SELECT pg_temp.train('x', 'SELECT n, day, y FROM visit', '{"folds": 3, "time": "day"}')$$, '22023', 'options "time" and "folds" do not go together', 'folds of time');
SELECT throws_ok($$SELECT pg_temp.train('x', 'SELECT n, 1 AS g, y FROM visit', '{"group": "g"}')$$, '22023', 'there are 1 groups, too few for 2 parts', 'one group only');
SELECT throws_ok($$SELECT pg_temp.train('x', 'SELECT n, y FROM visit LIMIT 3', '{"folds": 5}')$$, '22023', NULL, 'more folds than rows');
SELECT throws_ok($$SELECT pg_temp.train('x', 'SELECT n, nullif(patient, 3) AS g, y FROM visit', '{"group": "g"}')$$, '22004', 'column "g" is NULL in 20 of 400 rows', 'a group of NULL');
SELECT throws_ok($$SELECT pg_temp.train('x', 'SELECT n, ''a''::text AS t, y FROM visit', '{"time": "t"}')$$, '42804', 'time column "t" has type text', 'a time that has no order');

SELECT * FROM finish();
ROLLBACK;
