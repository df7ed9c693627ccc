-- Tables that nobody hopes for: clear errors or right answers.
BEGIN;
SET LOCAL client_min_messages = warning;
SELECT plan(38);

CREATE FUNCTION pg_temp.try(query text, algorithm text, options text DEFAULT '{}', target text DEFAULT 'y', model text DEFAULT 'm') RETURNS text LANGUAGE plpgsql AS $$
DECLARE state text; message text;
BEGIN
    PERFORM aiaas_train(model, query, target, CASE WHEN algorithm IS NULL THEN '[{"Dense": {"units": 2, "activation": "softmax"}}]'::jsonb END, algorithm,
                        '{"deploy": "always"}'::jsonb || CASE WHEN algorithm IS NULL THEN '{"epochs": 1}' ELSE '{}' END::jsonb || options::jsonb);
    RETURN 'trained';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT;
    RETURN state || ' ' || message;
END $$;
CREATE TEMP TABLE t AS SELECT i AS id, i % 10 AS a, i % 7 / 2.0 AS b, (ARRAY['x', 'y', 'z'])[i % 3 + 1] AS c, (i % 2 = 0) AS y FROM generate_series(1, 100) i;

-- Categories.
SELECT is(pg_temp.try('SELECT (i % 50000)::text AS c, i % 3 AS a, i % 2 = 0 AS y FROM generate_series(1, 100000) i', alg), 'trained', 'fifty thousand categories: ' || coalesce(alg, 'network'))
FROM unnest(ARRAY['decision_tree', NULL]) alg;
SELECT is(pg_temp.try('SELECT (i % 100001)::text AS c, i % 3 AS a, i % 2 = 0 AS y FROM generate_series(1, 100003) i', 'decision_tree'), 'trained', 'more categories than there can be');
SELECT is((SELECT left_out FROM aiaas.features WHERE model = 'm' AND version = 3 AND column_name = 'c'), 'has more than 100000 different texts', 'are left out');
SELECT isnt(aiaas_predict('m@3', 1), NULL, 'and not asked for');
SELECT is(pg_temp.try('SELECT repeat(''long'', 1000 + a) AS c, b, y FROM t', 'decision_tree'), 'trained', 'long texts');
SELECT is(pg_temp.try($$SELECT E'tab\t "quote" \\ \u00e4\n' || a AS c, b, y FROM t$$, 'decision_tree'), 'trained', 'texts with all sorts of characters');
SELECT isnt(aiaas_predict('m', E'tab\t "quote" \\ \u00e4\n1', 1.0), NULL, 'are asked for');

-- Values.
SELECT matches(pg_temp.try('SELECT NULL::int AS a, NULL::text AS c, y FROM t', alg), '^22023 no column is of use', 'all NULL: ' || coalesce(alg, 'network')) FROM unnest(ARRAY['random_forest', 'logistic', NULL]) alg;
SELECT is(pg_temp.try('SELECT NULL::int AS a, b, y FROM t', 'random_forest'), 'trained', 'one column all NULL');
SELECT is(pg_temp.try('SELECT CASE WHEN id % 9 = 0 THEN ''infinity'' WHEN id % 9 = 1 THEN ''-infinity'' ELSE b END::float8 AS b, a, y FROM t', 'random_forest'), 'trained', 'trees take infinities');
SELECT isnt(aiaas_predict('m', '-infinity'::float8, 1), NULL, 'and are asked for them');
SELECT matches(pg_temp.try('SELECT CASE WHEN id % 9 = 0 THEN ''infinity'' ELSE b END::float8 AS b, c, y FROM t', alg), '^22003 column "b"', 'others do not: ' || coalesce(alg, 'network')) FROM unnest(ARRAY['logistic', NULL]) alg;
SELECT is(pg_temp.try('SELECT ''infinity''::date AS d, a, y FROM t', 'random_forest'), 'trained', 'infinite dates are missing');
SELECT is(pg_temp.try('SELECT date ''4713-01-01 BC'' AS d, date ''5000000-01-01'' AS e, a, y FROM t', 'random_forest'), 'trained', 'so are dates that no timestamp holds');
SELECT matches(pg_temp.try('SELECT a, b, 1.5::real AS y FROM t', 'random_forest'), '^(trained|22023)', 'a constant number as target');
SELECT is(pg_temp.try('SELECT a, b, true AS y FROM t', 'random_forest'), '22023 target column "y" holds only one class, "true"', 'a constant class');
SELECT is(pg_temp.try('SELECT a, b, NULL::bool AS y FROM t', 'random_forest'), '22004 column "y" is NULL in 100 of 100 rows', 'a target of NULLs');
SELECT matches(pg_temp.try('SELECT a, b, 1.5::real AS y FROM t LIMIT 1', alg), '^(trained|22023)', 'one row: ' || alg) FROM unnest('{linear,decision_tree,random_forest}'::text[]) alg;
SELECT is(pg_temp.try('SELECT a, b, y FROM t WHERE false', 'random_forest'), '22023 argument "query" returns no rows', 'no row');

-- Columns.
SELECT is(pg_temp.try((SELECT 'SELECT ' || string_agg(format('(i * %s %% 17)::real AS "c %s"', j, j), ', ') || ', i % 2 = 0 AS y FROM generate_series(1, 60) i' FROM generate_series(1, 1600) j), 'decision_tree'),
          'trained', 'sixteen hundred columns');
SELECT is(pg_temp.try('SELECT a AS "A", b AS "a", c AS "say ""hi"" \ {c}", y FROM t', alg, model => 'names'), 'trained', 'names with quotes and capitals: ' || alg) FROM unnest('{random_forest}'::text[]) alg;
SELECT isnt(aiaas_predict('names', r), NULL, 'are found') FROM (SELECT 'x' AS "say ""hi"" \ {c}", 1.5 AS a, 3 AS "A") r;
SELECT ok((SELECT bool_or(column_name = 'say "hi" \ {c}') FROM aiaas.features WHERE model = 'names'), 'and shown');
SELECT matches(pg_temp.try('SELECT a, b, y FROM t', 'random_forest', '{"exclude": ["A"]}'), '^22023 option "exclude" names a column "A" that is not there', 'an unknown column');
SELECT matches(pg_temp.try('SELECT a, b, y FROM t', 'random_forest', '{"columns": {"a": {"imput": "mean"}}}'), '^22023 ', 'an unknown setting');
SELECT matches(pg_temp.try('SELECT a, ''{}''::jsonb AS j, y FROM t', 'random_forest'), '^0A000 feature column "j" has type jsonb', 'jsonb');
SELECT is(pg_temp.try('SELECT a, ''{}''::jsonb AS j, ''\x00''::bytea AS raw, y FROM t', 'random_forest', '{"exclude": ["j", "raw"]}'), 'trained', 'jsonb and bytea that are excluded');
SELECT matches(pg_temp.try('SELECT ''\x0001''::bytea AS raw, y FROM t', 'random_forest'), '^0A000 a bytea feature cannot be prepared', 'bytea for a forest');
SELECT matches(pg_temp.try('SELECT a, y FROM t', 'random_forest', '{"epochs": 3}'), '^22023 ', 'an option of networks');

-- The table changes after the training.
SELECT is(pg_temp.try('SELECT a, b, c, y FROM t ORDER BY id', 'random_forest', model => 'later'), 'trained', 'a table');
ALTER TABLE t RENAME b TO bb;
SELECT throws_ok($$SELECT aiaas_predict('later', t) FROM t$$, '42703', 'the row has no "b", which model "later" needs', 'a column was renamed');
ALTER TABLE t RENAME bb TO b;
ALTER TABLE t ALTER a TYPE text;
SELECT throws_ok($$SELECT aiaas_predict('later', t) FROM t$$, '42804', 'feature "a" of model "later" is integer, not text', 'integers became text');

SELECT * FROM finish();
ROLLBACK;
