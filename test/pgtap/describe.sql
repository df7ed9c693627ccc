-- aiaas_describe and the view aiaas.features: what is known of columns.
BEGIN;
SET LOCAL client_min_messages = warning;
SELECT plan(35);

CREATE TYPE pg_temp.mood AS ENUM ('sad', 'happy');
CREATE TEMP TABLE person AS
SELECT i AS id, CASE WHEN i % 7 <> 0 THEN 20 + i % 50 END AS age, (ARRAY['teacher', 'cook', '', 'nurse'])[i % 4 + 1] AS job,
       (ARRAY['sad', 'happy'])[i % 2 + 1]::pg_temp.mood AS mood, md5(i::text)::uuid AS u, date '2020-01-01' + i AS born,
       i * interval '1 hour' AS lasted, ARRAY[i, NULL, 3]::real[] AS v, '{}'::jsonb AS j, '\x00'::bytea AS raw, i % 3 = 0 AS ok,
       i / 3.0 AS n, NULL::int AS nothing, i % 2 = 0 AS y
FROM generate_series(1, 200) i;
CREATE TEMP TABLE said AS SELECT * FROM aiaas_describe('SELECT * FROM person ORDER BY id');

SELECT is((SELECT array_agg(split_part(column_name, '.', 1)) FROM said WHERE column_name !~ '\.' OR column_name ~ '\.(year|1)$'),
          (SELECT array_agg(attname::text ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'person'::regclass AND attnum > 0), 'every column, in its order');
SELECT results_eq('SELECT type FROM said WHERE column_name IN (''id'', ''job'', ''u'', ''born.age'', ''v.1'', ''j'')',
                  ARRAY['integer', 'text', 'uuid', 'date', 'real[]', 'jsonb'], 'with its type');
SELECT results_eq($$SELECT count, nulls FROM said WHERE column_name = 'age'$$, $$SELECT count(age), count(*) - count(age) FROM person$$, 'values and NULLs');
SELECT ok((SELECT abs(d.mean - p.mean) < 1e-9 AND abs(d.sd - p.sd) < 1e-9 AND d.min = p.min AND d.max = p.max AND d.q25 = p.q[1] AND d.median = p.q[2] AND d.q75 = p.q[3]
           FROM said d, (SELECT avg(age)::float8 AS mean, stddev_samp(age)::float8 AS sd, min(age), max(age),
                                percentile_cont(ARRAY[0.25, 0.5, 0.75]) WITHIN GROUP (ORDER BY age) AS q FROM person) p
           WHERE column_name = 'age'), 'mean, deviation and quantiles are those of SQL');
SELECT results_eq($$SELECT count, nulls, distinct_values FROM said WHERE column_name = 'job'$$, 'VALUES (150::bigint, 50::bigint, 3::bigint)', 'the empty text is no value');
SELECT is((SELECT top FROM said WHERE column_name = 'mood'), '[{"value": "happy", "count": 100}, {"value": "sad", "count": 100}]', 'the most frequent texts');
SELECT is((SELECT jsonb_array_length(top) FROM said WHERE column_name = 'u'), 10, 'at most ten');
SELECT is((SELECT top->0->>'value' FROM said WHERE column_name = 'u'), (SELECT u::text FROM person WHERE id = 1), 'a uuid is its text');
SELECT is((SELECT mean FROM said WHERE column_name = 'job'), NULL, 'a text has no mean');
SELECT is((SELECT top FROM said WHERE column_name = 'age'), NULL, 'a number no most frequent text');
SELECT is((SELECT round(mean::numeric, 9) FROM said WHERE column_name = 'ok'), 0.33, 'a boolean is 0 or 1');
SELECT is((SELECT max FROM said WHERE column_name = 'lasted'), 720000::float8, 'an interval is in seconds');
SELECT results_eq($$SELECT column_name FROM said WHERE type = 'date'$$,
                  ARRAY['born.year', 'born.month_sin', 'born.month_cos', 'born.day', 'born.weekday_sin', 'born.weekday_cos', 'born.age'], 'a date has parts');
SELECT results_eq($$SELECT count, nulls FROM said WHERE type = 'real[]'$$, 'VALUES (200::bigint, 0::bigint), (0, 200), (200, 0)', 'an array has elements');
SELECT results_eq($$SELECT count, nulls, mean, distinct_values FROM said WHERE column_name IN ('j', 'raw')$$,
                  'VALUES (200::bigint, 0::bigint, NULL::float8, NULL::bigint), (200, 0, NULL, NULL)', 'what cannot be learned is counted');
SELECT results_eq($$SELECT count, nulls, mean FROM said WHERE column_name = 'nothing'$$, 'VALUES (0::bigint, 200::bigint, NULL::float8)', 'NULL everywhere');

SELECT results_eq($$SELECT column_name, type, count, mean FROM aiaas_describe('SELECT id, job, born, v, j FROM person WHERE false')$$,
                  $$VALUES ('id', 'integer', 0::bigint, NULL::float8), ('job', 'text', 0, NULL), ('born', 'date', 0, NULL), ('v', 'real[]', 0, NULL), ('j', 'jsonb', 0, NULL)$$,
                  'a query without rows');
SELECT results_eq($$SELECT column_name, count, nulls FROM aiaas_describe('VALUES (ARRAY[1, 2]), (ARRAY[1]), (NULL)')$$, $$VALUES ('column1', 2::bigint, 1::bigint)$$, 'arrays of several lengths');
SELECT results_eq($$SELECT column_name, count FROM aiaas_describe('VALUES (NULL::int[]), (ARRAY[1])')$$, $$VALUES ('column1', 1::bigint)$$, 'a NULL array first');
SELECT is((SELECT mean FROM aiaas_describe('SELECT ''NaN''::real AS "A b" UNION ALL SELECT 2') WHERE column_name = 'A b'), 2::float8, 'NaN is no value, and names are kept');
SELECT results_eq($$SELECT count, nulls, distinct_values, top FROM aiaas_describe('SELECT i::text AS t FROM generate_series(1, 100001) i')$$,
                  'VALUES (100001::bigint, 0::bigint, NULL::bigint, NULL::jsonb)', 'more texts than are counted');
SELECT is((SELECT distinct_values FROM aiaas_describe('SELECT i::text AS t FROM generate_series(1, 100000) i')), 100000::bigint, 'and as many as can be');
SELECT throws_ok($$SELECT * FROM aiaas_describe('DELETE FROM person')$$, '22023', 'argument "query" is not a SELECT', 'nothing is changed');
SELECT throws_ok($$SELECT * FROM aiaas_describe(NULL)$$, '22004', 'argument "query" must not be null', 'no query');
SELECT throws_ok($$SELECT * FROM aiaas_describe('SELECT nope')$$, '42703', NULL, 'an error of the query');

-- A version keeps the same.
SELECT aiaas_train('kept', 'SELECT id, age, job, u, born, v, nothing, y FROM person ORDER BY id', 'y',
                   '[{"Dense": {"units": 1, "activation": "sigmoid"}}]', NULL, '{"epochs": 1, "exclude": ["id"]}') \g /dev/null
SELECT results_eq($$SELECT column_name COLLATE "default", type FROM aiaas.features WHERE model = 'kept'$$,
                  $$SELECT column_name, type FROM said WHERE split_part(column_name, '.', 1) IN ('id', 'age', 'job', 'u', 'born', 'v', 'nothing')$$, 'of the same columns');
SELECT is((SELECT statistics - 'count' - 'nulls' - 'distinct' - 'top' FROM aiaas.features WHERE model = 'kept' AND column_name = 'age'),
          (SELECT jsonb_build_object('mean', mean, 'sd', sd, 'min', min, 'q25', q25, 'median', median, 'q75', q75, 'max', max) FROM said WHERE column_name = 'age'), 'the same numbers');
SELECT is((SELECT statistics->'top' FROM aiaas.features WHERE model = 'kept' AND column_name = 'job'), (SELECT top FROM said WHERE column_name = 'job'), 'the same texts');
SELECT is((SELECT jsonb_object_agg(column_name, left_out) FROM aiaas.features WHERE model = 'kept' AND left_out IS NOT NULL AND column_name !~ 'born'),
          '{"id": "is excluded", "u": "has a different text in nearly every row", "nothing": "is always NULL", "v.2": "is always NULL", "v.3": "has one value only"}', 'and why columns are left out');
SELECT is((SELECT encoding FROM aiaas.features WHERE model = 'kept' AND column_name = 'job'), 'one_hot', 'how a text is encoded');
SELECT is((SELECT encoding FROM aiaas.features WHERE model = 'kept' AND column_name = 'age'), 'standardize', 'and a number');
SELECT aiaas_train('plain', 'SELECT id, y FROM person', 'y', '[{"Dense": {"units": 1, "activation": "sigmoid"}}]', NULL, '{"epochs": 1}') \g /dev/null
SELECT is((SELECT encoding || ' ' || (statistics->>'mean') FROM aiaas.features WHERE model = 'plain'), 'none 100.5', 'numbers that go in as they are');
CREATE ROLE describe_nobody;
SET ROLE describe_nobody;
SELECT is((SELECT count(*) FROM aiaas.features), 0::bigint, 'others see nothing of it');
RESET ROLE;
SELECT aiaas_drop('kept') \g /dev/null
SELECT is((SELECT count(*) FROM aiaas.features WHERE model = 'kept'), 0::bigint, 'it goes with the model');
SELECT is((SELECT count(*) FROM aiaas.feature f WHERE NOT EXISTS (SELECT FROM aiaas.version v WHERE v.id = f.version)), 0::bigint, 'and leaves nothing');

SELECT * FROM finish();
ROLLBACK;
