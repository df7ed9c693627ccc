-- The predict functions: every form of argument, every kind of answer, and when a promotion is seen.
BEGIN;
SET LOCAL client_min_messages = warning;
SELECT plan(82);

CREATE TEMP TABLE line AS SELECT i AS id, i / 100.0 AS a, (100 - i) / 50.0 AS b FROM generate_series(1, 100) i;
CREATE TEMP TABLE digit AS SELECT i AS id, sin(i)::real AS x, cos(i)::real AS y, i % 3 AS c,
    (ARRAY['red', 'green', 'blue'])[i % 3 + 1] AS t, i % 2 = 0 AS even FROM generate_series(1, 60) i;

CREATE FUNCTION pg_temp.train(model text, query text, units int, activation text DEFAULT 'softmax', options text DEFAULT '{}')
RETURNS int LANGUAGE sql AS $$
    SELECT (aiaas_train(model, query, NULL, jsonb_build_array(jsonb_build_object('Dense',
            jsonb_build_object('units', units, 'activation', activation))), NULL,
            '{"epochs": 2, "deploy": "always"}'::jsonb || options::jsonb)).version
$$;
SELECT pg_temp.train('sum', 'SELECT a, b, a + 2 * b AS sum FROM line ORDER BY id', 1, 'linear', '{"epochs": 60, "learning_rate": 0.05}'),
       pg_temp.train('colour', 'SELECT x, y, t FROM digit ORDER BY id', 3),
       pg_temp.train('number', 'SELECT x, y, c FROM digit ORDER BY id', 3),
       pg_temp.train('even', 'SELECT x, y, even FROM digit ORDER BY id', 1, 'sigmoid'),
       pg_temp.train('vector', 'SELECT x, y, ARRAY[x, y, x + y] AS v FROM digit ORDER BY id', 3, 'linear'),
       pg_temp.train('array', 'SELECT ARRAY[x, y, x * y] AS p, t FROM digit ORDER BY id', 3),
       pg_temp.train('mixed', 'SELECT x, ARRAY[y, x * y] AS p, t FROM digit ORDER BY id', 3),
       pg_temp.train('bytes', $$SELECT decode(lpad(to_hex(id), 4, '0') || '00ff', 'hex') AS raw, t FROM digit ORDER BY id$$, 3) \g /dev/null

-- Numbers and the forms of arguments.
SELECT ok(abs(aiaas_predict('sum', 0.5, 1.0) - 2.5) < 0.2, 'a regression learns a plane');
SELECT is(aiaas_predict('sum', 0.5::real, 1::smallint), aiaas_predict('sum', 0.5, 1.0), 'any numeric type will do');
SELECT is(aiaas_predict('sum', '0.5', '1'), aiaas_predict('sum', 0.5, 1.0), 'literals without a type are read as the feature is');
SELECT is(aiaas_predict('sum', ARRAY[0.5, 1]), aiaas_predict('sum', 0.5, 1.0), 'an array holds the features by position');
SELECT is(aiaas_predict('sum', VARIADIC ARRAY[0.5, 1]), aiaas_predict('sum', 0.5, 1.0), 'so does a VARIADIC array');
SELECT is(aiaas_predict('sum', '{0.5, 1}'), aiaas_predict('sum', 0.5, 1.0), 'and the literal of an array');
SELECT is(aiaas_predict('sum', '{"b": 1, "a": 0.5, "c": "x"}'::jsonb), aiaas_predict('sum', 0.5, 1.0), 'a JSON object holds them by name');
SELECT is(aiaas_predict('sum', '{"b": 1, "a": 0.5}'), aiaas_predict('sum', 0.5, 1.0), 'also without a type');
SELECT is(aiaas_predict('sum', '[0.5, 1]'::json), aiaas_predict('sum', 0.5, 1.0), 'a JSON array by position');
SELECT is(aiaas_predict('sum', r), aiaas_predict('sum', 0.5, 1.0), 'a row by column name')
FROM (SELECT 'x'::text AS other, 1.0 AS b, NULL::text AS more, 0.5 AS a) r;
SELECT is((SELECT count(*) FROM line l WHERE aiaas_predict('sum', l) IS DISTINCT FROM aiaas_predict('sum', l.a, l.b)), 0::bigint, 'a row of a table');
SELECT is(aiaas_predict('sum@1', 0.5, 1.0), aiaas_predict('sum', 0.5, 1.0), 'name@version');
ALTER TABLE line ADD COLUMN extra text, DROP COLUMN id;
SELECT is((SELECT count(*) FROM line l WHERE aiaas_predict('sum', l) IS DISTINCT FROM aiaas_predict('sum', l.a, l.b)), 0::bigint,
          'a row of a table with a dropped column');
SELECT is(aiaas_predict_label('array', 0.1, 0.2, 0.3), aiaas_predict_label('array', ARRAY[0.1, 0.2, 0.3]::real[]), 'an array column takes its elements one by one');
SELECT is(aiaas_predict_proba('array', '{0.1,0.2,0.3}'), aiaas_predict_proba('array', ARRAY[0.1, 0.2, 0.3]::float8[]), 'or as a literal');
SELECT is(aiaas_predict_proba('array', '{"p": [0.1, 0.2, 0.3]}'::jsonb), aiaas_predict_proba('array', '[0.1, 0.2, 0.3]'), 'or in JSON');
SELECT is(aiaas_predict_proba('array', r), aiaas_predict_proba('array', ARRAY[0.1, 0.2, 0.3]), 'or in a row') FROM (SELECT ARRAY[0.1, 0.2, 0.3] AS p) r;
SELECT is(aiaas_predict_proba('array', VARIADIC ARRAY[0.1, 0.2, 0.3]), aiaas_predict_proba('array', ARRAY[0.1, 0.2, 0.3]), 'or VARIADIC');
SELECT is(aiaas_predict_proba('mixed', 0.1, ARRAY[0.2, 0.3]), aiaas_predict_proba('mixed', ARRAY[0.1, 0.2, 0.3]), 'columns of several kinds');
SELECT is(aiaas_predict_proba('mixed', 0.1, '{0.2,0.3}'), aiaas_predict_proba('mixed', '{"x": 0.1, "p": [0.2, 0.3]}'), 'in all forms');
SELECT is(aiaas_predict_proba('bytes', '\x000100ff'::bytea), aiaas_predict_proba('bytes', '\x000100ff'), 'bytea, with and without its type');
SELECT is(aiaas_predict_proba('bytes', r), aiaas_predict_proba('bytes', '\x000100ff'), 'and in a row') FROM (SELECT '\x000100ff'::bytea AS raw) r;
SELECT isnt(aiaas_predict_proba('bytes', '\x000100ff'), aiaas_predict_proba('bytes', '\xff0100ff'), 'its bytes count');

-- Answers.
SELECT ok(aiaas_predict_label('colour', 0.1, 0.2) IN ('red', 'green', 'blue'), 'the label of a class');
SELECT ok(aiaas_predict('number', 0.1, 0.2) IN (0, 1, 2), 'labels that are numbers are numbers');
SELECT is(aiaas_predict('number', 0.1, 0.2)::text, aiaas_predict_label('number', 0.1, 0.2), 'the same as the label says');
SELECT is(aiaas_predict('even', 0.1, 0.2), (aiaas_predict_label('even', 0.1, 0.2)::boolean)::int::float8, 'booleans are 0 and 1');
SELECT is(array_length(aiaas_predict_proba('colour', 0.1, 0.2), 1), 3, 'a probability for every class');
SELECT ok(abs((SELECT sum(p) FROM unnest(aiaas_predict_proba('colour', 0.1, 0.2)) p) - 1) < 1e-5, 'that add up to one');
SELECT is((aiaas_classes('colour'))[(SELECT n FROM unnest(aiaas_predict_proba('colour', 0.1, 0.2)) WITH ORDINALITY u(p, n) ORDER BY p DESC LIMIT 1)],
          aiaas_predict_label('colour', 0.1, 0.2), 'the largest is the label');
SELECT is(array_length(aiaas_predict_proba('even', 0.1, 0.2), 1), 2, 'two for a sigmoid');
SELECT is(array_length(aiaas_predict_vector('vector', 0.1, 0.2), 1), 3, 'every output of a vector');
SELECT is(array_length(aiaas_predict_vector('even', 0.1, 0.2), 1), 1, 'and of a sigmoid');
SELECT is((aiaas_predict_vector('sum', 0.5, 1))[1]::float8, aiaas_predict('sum', 0.5, 1), 'and of a number');
SELECT throws_ok($$SELECT aiaas_predict('colour', 1, 2)$$, '22023', 'the classes of model "colour" are not numbers', 'text is no number');
SELECT throws_ok($$SELECT aiaas_predict('vector', 1, 2)$$, '22023', 'model "vector" predicts 3 numbers, not one', 'three numbers are not one');
SELECT throws_ok($$SELECT aiaas_predict_label('sum', 1, 2)$$, '22023', 'model "sum" predicts numbers and has no classes', 'a number is no class');
SELECT throws_ok($$SELECT aiaas_predict_proba('sum', 1, 2)$$, '22023', NULL, 'and has no probability');

-- NULL.
SELECT is(aiaas_predict('sum', 1, NULL), NULL, 'a NULL feature gives NULL');
SELECT is(aiaas_predict('sum', NULL), NULL, 'NULL for all of them too');
SELECT is(aiaas_predict('sum', ARRAY[1, NULL]), NULL, 'a NULL element');
SELECT is(aiaas_predict('sum', '{"a": 1, "b": null}'::jsonb), NULL, 'a JSON null');
SELECT is(aiaas_predict('sum', VARIADIC NULL::real[]), NULL, 'a NULL array');
SELECT is(aiaas_predict('sum', r), NULL, 'a NULL in a row') FROM (SELECT 1 AS a, NULL::int AS b) r;
SELECT is(aiaas_predict('sum', NULL::line), NULL, 'a NULL row');
SELECT is(aiaas_predict_label('colour', 1, NULL), NULL, 'no label');
SELECT is(aiaas_predict_proba('colour', 1, NULL), NULL, 'no probabilities');
SELECT is(aiaas_predict_vector('vector', 1, NULL), NULL, 'no vector');
SELECT throws_ok($$SELECT aiaas_predict(NULL, 1, 2)$$, '22004', 'argument "model" must not be null', 'a NULL model is an error');

-- What does not fit.
SELECT throws_ok($$SELECT aiaas_predict('summ', 1, 2)$$, '42704', 'model "summ" does not exist', 'an unknown model');
SELECT throws_ok($$SELECT aiaas_predict('sum@2', 1, 2)$$, '42704', 'version 2 of model "sum" does not exist', 'an unknown version');
SELECT throws_ok($$SELECT aiaas_predict('sum@x', 1, 2)$$, '22023', NULL, 'no version at all');
SELECT throws_ok($$SELECT aiaas_predict('sum', 1)$$, '22023', 'model "sum" takes 2 features, not 1 arguments', 'too few');
SELECT throws_ok($$SELECT aiaas_predict('sum', 1, 2, 3)$$, '22023', 'model "sum" takes 2 features, not 3 arguments', 'too many');
SELECT throws_ok($$SELECT aiaas_predict('sum', ARRAY[1, 2, 3])$$, '22023', 'model "sum" takes 2 numbers, not 3 elements', 'an array that is too long');
SELECT throws_ok($$SELECT aiaas_predict('sum', '[1]'::jsonb)$$, '22023', 'model "sum" takes 2 numbers, not 1 elements', 'JSON that is too short');
SELECT throws_ok($$SELECT aiaas_predict('sum', VARIADIC '{}'::int[])$$, '22023', 'model "sum" takes 2 numbers, not 0 elements', 'nothing at all');
SELECT throws_ok($$SELECT aiaas_predict('sum', r) FROM (SELECT 1 AS a) r$$, '42703', 'the row has no "b", which model "sum" needs', 'a row without a column');
SELECT throws_ok($$SELECT aiaas_predict('sum', '{"a": 1}'::jsonb)$$, '42703', 'the JSON object has no "b", which model "sum" needs', 'an object without a key');
SELECT throws_ok($$SELECT aiaas_predict('sum', 1, 'two'::text)$$, '42804', 'feature "b" of model "sum" is numeric, not text', 'a type that is no number');
SELECT throws_ok($$SELECT aiaas_predict('sum', 1, now())$$, '42804', NULL, 'a time');
SELECT throws_ok($$SELECT aiaas_predict('sum', 1, 'two')$$, '22P02', NULL, 'a literal that is no number');
SELECT throws_ok($$SELECT aiaas_predict('sum', r) FROM (SELECT 1 AS a, 'x'::text AS b) r$$, '42804', NULL, 'a row with a wrong type');
SELECT throws_ok($$SELECT aiaas_predict('sum', '{"a": 1, "b": "x"}'::jsonb)$$, '42804', NULL, 'JSON with a string');
SELECT throws_ok($$SELECT aiaas_predict('sum', '\x00'::bytea, 1)$$, '42804', NULL, 'bytea for a number');
SELECT throws_ok($$SELECT aiaas_predict_label('bytes', ARRAY[1, 2, 3, 4])$$, '42804', NULL, 'an array for bytea');
SELECT throws_ok($$SELECT aiaas_predict_label('bytes', '\x00'::bytea)$$, '22023', 'feature "raw" of model "bytes" is 4 bytes long, not 1', 'bytea of another length');
SELECT throws_ok($$SELECT aiaas_predict('sum', 1, 'NaN'::real)$$, '22003', NULL, 'NaN');
SELECT throws_ok($$SELECT aiaas_predict('sum', 1, 1e300)$$, '22003', NULL, 'what no real can hold');
SELECT throws_ok($$SELECT aiaas_predict('sum', ARRAY[1, 'Infinity']::float8[])$$, '22003',
    'feature "a" of model "sum" is NaN, infinite or out of range for type real', 'infinity in an array');

-- A promotion is seen by the next statement, and so is its undoing.
SELECT pg_temp.train('sum', 'SELECT a, b, 100 + a AS sum FROM line', 1, 'linear', '{"epochs": 1, "seed": 3}') \g /dev/null
PREPARE ask AS SELECT aiaas_predict('sum', 0.5, 1.0);
CREATE FUNCTION pg_temp.which() RETURNS int LANGUAGE sql AS $$
    SELECT CASE aiaas_predict('sum', 0.5, 1.0) WHEN aiaas_predict('sum@1', 0.5, 1.0) THEN 1 ELSE 2 END $$;
SELECT is(pg_temp.which(), 2, 'the second version is live');
SELECT aiaas_rollback('sum') \g /dev/null
SELECT is(pg_temp.which(), 1, 'a rollback of the model is seen at once');
SAVEPOINT s;
SELECT aiaas_deploy('sum', 2) \g /dev/null
SELECT is(pg_temp.which(), 2, 'so is a promotion');
ROLLBACK TO s;
SELECT is(pg_temp.which(), 1, 'and its rollback');
DO $$
DECLARE
    seen int[] = '{}';
    p float8;
    one float8 = aiaas_predict('sum@1', 0.5, 1.0);
BEGIN
    -- One expression of plpgsql, evaluated under changing circumstances.
    FOR i IN 1..6 LOOP
        BEGIN
            IF i % 3 = 0 THEN PERFORM aiaas_deploy('sum', 2); END IF;
            IF i = 6 THEN RAISE EXCEPTION 'undo'; END IF;
        EXCEPTION WHEN raise_exception THEN NULL;
        END;
        p := aiaas_predict('sum', 0.5, 1.0);
        seen := seen || CASE WHEN p = one THEN 1 ELSE 2 END;
        IF i = 4 THEN PERFORM aiaas_rollback('sum'); END IF;
    END LOOP;
    PERFORM set_config('test.seen', seen::text, true);
END $$;
SELECT is(current_setting('test.seen'), '{1,1,2,2,1,1}', 'in a loop of plpgsql every change is seen, and none that was undone');
SELECT aiaas_drop('number') \g /dev/null
SELECT throws_ok($$SELECT aiaas_predict('number', 1, 2)$$, '42704', NULL, 'a dropped model is gone');

-- In the middle of other SQL.
SELECT is((SELECT count(*) FROM line WHERE aiaas_predict('sum', a, b) > -1e9), 100::bigint, 'WHERE');
SELECT is((SELECT count(DISTINCT aiaas_predict(m, 0.5, 1.0)) FROM (VALUES ('sum@1'), ('sum@2'), ('sum@1')) v(m)), 2::bigint, 'a model that differs from row to row');
SELECT is((SELECT provolatile::text || proparallel::text || proisstrict::text FROM pg_proc WHERE proname = 'aiaas_predict'), 'ssfalse', 'stable, parallel safe, not strict');
SET LOCAL max_parallel_workers_per_gather = 2;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
CREATE TABLE plain AS SELECT * FROM line;
ALTER TABLE plain SET (parallel_workers = 2);
CREATE FUNCTION pg_temp.plan(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY EXECUTE 'EXPLAIN ' || query; END $$;
SELECT matches((SELECT string_agg(p, ' ') FROM pg_temp.plan($$SELECT sum(aiaas_predict('sum', a, b)) FROM plain$$) p), 'Gather', 'a parallel plan');
SELECT ok(abs((SELECT sum(aiaas_predict('sum', a, b)) FROM plain) - (SELECT sum(aiaas_predict('sum', a, b)) FROM line)) < 1e-6, 'gives the same answers');
SELECT lives_ok($$SELECT aiaas_predict('sum', plain) FROM plain$$, 'workers read rows too');

SELECT * FROM finish();
ROLLBACK;
