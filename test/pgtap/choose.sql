-- With neither layers nor algorithm: what is tried, and what is chosen.
BEGIN;
SET LOCAL client_min_messages = warning;
SELECT plan(18);

CREATE TEMP TABLE point AS SELECT i AS id, (i * 37 % 100)::real AS x, (i * 61 % 100)::real AS y, (ARRAY['a', 'b', NULL, 'c'])[i % 4 + 1] AS c FROM generate_series(1, 300) i;
CREATE FUNCTION pg_temp.choose(model text, query text, options text DEFAULT '{}') RETURNS aiaas.train_result LANGUAGE sql AS $$
    SELECT aiaas_train(model, query, 'z', options => '{"deploy": "always"}'::jsonb || options::jsonb) $$;
CREATE FUNCTION pg_temp.chosen(model text) RETURNS text LANGUAGE sql AS $$ SELECT algorithm FROM aiaas.versions v WHERE v.model = chosen.model AND live $$;
CREATE FUNCTION pg_temp.tried(model text) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(replace(metric, '_loss', ''), ' ' ORDER BY metric) FROM aiaas.metrics m WHERE m.model = tried.model AND split = 'tried' AND metric LIKE '%\_loss' $$;

SELECT is((pg_temp.choose('plane', 'SELECT x, y, 2 * x - y AS z FROM point ORDER BY id')).rows, 300::bigint, 'all rows are learned from');
SELECT is(pg_temp.chosen('plane'), 'linear', 'a plane is linear');
SELECT is(pg_temp.tried('plane'), 'gradient_boosting linear neural_network random_forest', 'all were tried');
SELECT is((SELECT bool_and((r.metrics->>k)::float8 IS NOT NULL) FROM (SELECT metrics FROM pg_temp.choose('again', 'SELECT x, y, 2 * x - y AS z FROM point ORDER BY id')) r,
           unnest('{loss,tried_linear_loss,tried_random_forest_loss}'::text[]) k), true, 'and are told of');
SELECT pg_temp.choose('box', 'SELECT x, y, CASE WHEN x > 30 AND x < 70 AND y > 50 THEN 10 ELSE 1 END::real AS z FROM point ORDER BY id') \g /dev/null
SELECT ok(pg_temp.chosen('box') IN ('gradient_boosting', 'random_forest'), 'a box is not');
SELECT pg_temp.choose('class', 'SELECT x, c, c IS NULL OR c = ''b'' AS z FROM point ORDER BY id') \g /dev/null
SELECT is(pg_temp.tried('class'), 'gradient_boosting logistic neural_network random_forest', 'classes');
SELECT is((SELECT avg((aiaas_predict_label('class', p)::boolean = (c IS NULL OR c = 'b'))::int) FROM point p), 1::numeric, 'are learned');
SELECT is(aiaas_train('chosen', 'SELECT x, y, 2 * x - y AS z FROM point ORDER BY id', options => '{"folds": 3, "deploy": "always"}') IS NOT NULL, true, 'the last column is the target');
SELECT is((SELECT count(*) FROM aiaas.metrics WHERE model = 'chosen' AND split = 'folds' AND epoch = 0), 4::bigint, 'folds go with it');
SELECT pg_temp.choose('quick', 'SELECT x, y, x > y AS z FROM point ORDER BY id', '{"max_seconds": 0.000001}') \g /dev/null
SELECT is(pg_temp.tried('quick'), 'logistic', 'without time the first is taken');
SELECT pg_temp.choose('infinite', 'SELECT CASE WHEN id % 9 = 0 THEN ''infinity'' ELSE x END AS x, x > y AS z FROM point ORDER BY id') \g /dev/null
SELECT is(pg_temp.tried('infinite'), 'gradient_boosting random_forest', 'what cannot do with the data is passed over');
SELECT pg_temp.choose('vector', 'SELECT x, y, ARRAY[x, y, x + y] AS z FROM point ORDER BY id') \g /dev/null
SELECT is(pg_temp.chosen('vector'), 'neural_network', 'several numbers are for a network');
SELECT is((SELECT jsonb_array_length(layers) FROM aiaas.versions WHERE model = 'vector'), 3, 'whose layers are kept');
SELECT is((SELECT options->>'epochs' FROM aiaas.versions WHERE model = 'vector'), '30', 'and its options');
SELECT is(array_length(aiaas_predict_vector('vector', 1, 2), 1), 3, 'it predicts');
SELECT throws_ok($$SELECT pg_temp.choose('x', 'SELECT x, y > x AS z FROM point', '{"n_estimators": 3}')$$, '22023', NULL, 'options have to mean the same to all');
SELECT throws_ok($$SELECT pg_temp.choose('x', 'SELECT x, y > x AS z FROM point LIMIT 3')$$, '22023', NULL, 'too few rows');
SELECT throws_ok($$SELECT pg_temp.choose('x', 'SELECT x / 0 AS x, y > x AS z FROM point')$$, '22012', NULL, 'an error of the query');

SELECT * FROM finish();
ROLLBACK;
