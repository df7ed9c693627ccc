-- Bad input to aiaas_train: each is a clear error with its SQLSTATE, and leaves nothing.
BEGIN;
SET LOCAL client_min_messages = warning;
SELECT plan(82);

CREATE TEMP TABLE t AS SELECT i AS id, i / 10.0 AS a, i % 7 AS b, CASE WHEN i % 2 = 0 THEN 'even' ELSE 'odd' END AS c FROM generate_series(1, 50) i;

-- What a training says: SQLSTATE, message, hint.
CREATE FUNCTION pg_temp.say(query text, target text, layers text, options text, model text, OUT state text, OUT message text, OUT detail text, OUT hint text, OUT context text)
LANGUAGE plpgsql AS $$
BEGIN
    state := '00000';
    PERFORM aiaas_train(model, query, target, layers::jsonb, NULL, options::jsonb);
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT,
        context = PG_EXCEPTION_CONTEXT;
END
$$;
\set good '''[{"Dense": {"units": 2, "activation": "softmax"}}]'''
CREATE FUNCTION pg_temp.refuses(query text, state text, message text, what text, target text DEFAULT 'c',
                                layers text DEFAULT '[{"Dense": {"units": 2, "activation": "softmax"}}]', options text DEFAULT '{"epochs": 1}', model text DEFAULT 'm')
RETURNS text LANGUAGE sql AS $$
    SELECT CASE WHEN s.state = refuses.state AND s.message LIKE refuses.message THEN ok(true, what)
                ELSE ok(false, what) || E'\n' || diag(s.state || ': ' || coalesce(s.message, 'no error')) END
    FROM pg_temp.say(query, target, layers, options, model) s
$$;

-- Values.
SELECT pg_temp.refuses('SELECT CASE WHEN id > 3 THEN a END AS a, c FROM t', '22004', 'column "a" is NULL in 3 of 50 rows', 'NULL in a feature',
    options => '{"epochs": 1, "prepare": false}');
SELECT pg_temp.refuses('SELECT a, CASE WHEN id <> 3 THEN c END AS c FROM t', '22004', 'column "c" is NULL in 1 of 50 rows', 'NULL in the target');
SELECT pg_temp.refuses('SELECT CASE WHEN id % 2 = 0 THEN ARRAY[a, a] ELSE ARRAY[a, NULL] END AS a, c FROM t', '22004', 'column "a" is NULL in 25 of 50 rows', 'NULL in an array');
SELECT is((pg_temp.say('SELECT nullif(a, 1) AS a, nullif(b, 1) AS b, c FROM t', 'c', :good, '{"prepare": false}', 'm')).detail, 'NULLs by column: "a" in 1, "b" in 8.', 'every column with NULLs is named');
SELECT pg_temp.refuses('SELECT NULL::int AS a, c FROM t', '22023', 'no column is of use to learn from', 'NULL everywhere');
SELECT pg_temp.refuses('SELECT CASE WHEN id = 9 THEN ''NaN'' ELSE a END AS a, c FROM t', '22003', 'column "a" is NaN, infinite % in 1 of 50 rows', 'NaN in a numeric',
    options => '{"epochs": 1, "prepare": false}');
SELECT pg_temp.refuses('SELECT CASE WHEN id < 3 THEN ''infinity''::float8 ELSE a END AS a, c FROM t', '22003', 'column "a" is NaN, infinite % in 2 of 50 rows', 'infinity in a float');
SELECT pg_temp.refuses('SELECT 1e300 * id AS a, c FROM t', '22003', 'column "a" is NaN, infinite % in 50 of 50 rows', 'numbers that no real holds');
SELECT pg_temp.refuses('SELECT ARRAY[1, ''-infinity''::real] AS a, c FROM t', '22003', 'column "a" is NaN%', 'infinity in an array');
SELECT pg_temp.refuses('SELECT b, CASE WHEN id = 9 THEN ''NaN'' ELSE a END AS a FROM t', '22003', 'column "a" is NaN, infinite % in 1 of 50 rows', 'NaN in a target', 'a',
    '[{"Dense": {"units": 1}}]');
SELECT pg_temp.refuses('SELECT a, c FROM t WHERE false', '22023', 'argument "query" returns no rows', 'an empty result');
SELECT pg_temp.refuses('SELECT a, c FROM t WHERE c = ''odd''', '22023', 'target column "c" holds only one class, "odd"', 'one class only');
SELECT pg_temp.refuses('SELECT array_fill(1, ARRAY[1 + id / 10]) AS a, c FROM t ORDER BY id', '2202E', 'column "a" holds 2 elements in row 10, not 1', 'ragged arrays');
SELECT pg_temp.refuses('SELECT ''{}''::int[] AS a, c FROM t', '22023', 'column "a" is empty in the first row', 'empty arrays');
SELECT pg_temp.refuses('SELECT a, array_fill(1, ARRAY[1 + id / 10]) AS v FROM t ORDER BY id', '2202E', 'target column "v" has 2 elements in row 10 and 1 in the rows before it', 'ragged targets',
    'v', '[{"Dense": {"units": 1}}]');
SELECT pg_temp.refuses('SELECT decode(repeat(''00'', 4 + id / 10), ''hex'') AS a, c FROM t ORDER BY id', '22023', 'column "a" holds 5 bytes in row 10, but input_shape [2, 2] is 4', 'bytea of the wrong length',
    options => '{"input_shape": [2, 2]}');
SELECT pg_temp.refuses('SELECT ''\x00''::bytea AS a, c FROM t', '22023', 'column "a" holds 1 bytes in row 1, but input_shape [2, 2] is 4', 'also in the first row', options => '{"input_shape": [2, 2]}');
SELECT pg_temp.refuses('SELECT a, b, c FROM t', '22023', 'input_shape [2, 2] needs 4 numbers a row, the features have 2', 'a shape that does not fit', options => '{"input_shape": [2, 2]}');
SELECT pg_temp.refuses('SELECT a, -b AS w, c FROM t ORDER BY id', '22023', 'weight column "w" is negative in row 1', 'negative weights', options => '{"weight": "w"}');
SELECT pg_temp.refuses('SELECT a, nullif(b, 0) AS w, c FROM t', '22004', 'column "w" is NULL in 7 of 50 rows', 'NULL weights', options => '{"weight": "w"}');

-- Types.
SELECT pg_temp.refuses('SELECT a, c AS name, b FROM t', '0A000', 'feature column "name" has type text, which is not a number', 'text as a feature', 'b', '[{"Dense": {"units": 1}}]',
    '{"epochs": 1, "prepare": false}');
SELECT pg_temp.refuses('SELECT now() AS at, c FROM t', '0A000', 'feature column "at" has type timestamp with time zone%', 'a timestamp', options => '{"epochs": 1, "prepare": false}');
SELECT pg_temp.refuses('SELECT ''{}''::jsonb AS j, c FROM t', '0A000', 'feature column "j" has type jsonb%', 'jsonb');
SELECT pg_temp.refuses('SELECT ARRAY[c] AS names, c FROM t', '0A000', 'feature column "names" has type text[]%', 'an array of text');
SELECT pg_temp.refuses('SELECT t, c FROM t', '0A000', 'feature column "t" has type t%', 'a row');
SELECT pg_temp.refuses('SELECT ''\x00''::bytea AS p, a, c FROM t', '0A000', 'a bytea feature cannot be combined with other features', 'bytea and a number');
SELECT pg_temp.refuses('SELECT a, now() AS at FROM t', '0A000', 'target column "at" has type timestamp with time zone, which cannot be learned', 'a target of a strange type', 'at');
SELECT pg_temp.refuses('SELECT a, ''\x00''::bytea AS p FROM t', '0A000', 'target column "p" has type bytea, which cannot be learned', 'a target of bytes', 'p');
SELECT pg_temp.refuses('SELECT a, c FROM t', '22023', 'target column "c" has type text, but this network predicts numbers', 'text for a loss on numbers', options => '{"loss": "mse"}',
    layers => '[{"Dense": {"units": 1}}]');
SELECT pg_temp.refuses('SELECT a, ARRAY[1, 0] AS v FROM t', '0A000', 'target column "v" has type integer[], but this network predicts classes', 'one-hot targets', 'v');
SELECT pg_temp.refuses('SELECT a, c AS w, c FROM t', '0A000', 'feature column "w" has type text%', 'a weight that is text', options => '{"weight": "w"}');
SELECT pg_temp.refuses('SELECT a, ARRAY[b] AS w, c FROM t', '42804', 'weight column "w" has type integer[], but a weight is a number', 'a weight that is an array', options => '{"weight": "w"}');

-- Columns.
SELECT pg_temp.refuses('SELECT a, b, c FROM t', '42703', 'the query has no target column "C"', 'names are case-exact', 'C');
SELECT is((pg_temp.say('SELECT a, b, c FROM t', 'C', :good, '{}', 'm')).hint, 'Perhaps you meant "c".', 'the hint knows the nearest');
SELECT is((pg_temp.say('SELECT a, b, c FROM t', 'zzz', :good, '{}', 'm')).detail, 'Its columns are "a", "b", "c".', 'the detail all of them');
SELECT pg_temp.refuses('SELECT a, a, c FROM t', '42701', 'the query returns two columns named "a"', 'duplicate names');
SELECT pg_temp.refuses('SELECT 1, 2, c FROM t', '42701', 'the query returns two columns named "?column?"', 'no names at all');
SELECT pg_temp.refuses('SELECT c FROM t', '22023', 'the query has no feature column', 'no features');
SELECT pg_temp.refuses('SELECT a, c FROM t', '42703', 'the query has no weight column "w"', 'no weights', options => '{"weight": "w"}');
SELECT pg_temp.refuses('SELECT a, b FROM t', '22023', 'column "b" cannot be both target and weight', 'one column for both', 'b', options => '{"weight": "b"}');

-- Queries.
SELECT pg_temp.refuses('', '22023', 'argument "query" is empty', 'an empty query');
SELECT pg_temp.refuses(' ; ', '22023', 'argument "query" is empty', 'nothing but a semicolon');
SELECT pg_temp.refuses('SELECT a, c FROM t; SELECT 1', '22023', 'argument "query" holds more than one statement', 'two statements');
SELECT pg_temp.refuses('SELECT a, c FROM t; DROP TABLE t', '22023', 'argument "query" holds more than one statement', 'a second one that does harm');
SELECT pg_temp.refuses('DELETE FROM t RETURNING a, c', '22023', 'argument "query" is not a SELECT', 'DELETE');
SELECT pg_temp.refuses('INSERT INTO t VALUES (1) RETURNING a, c', '22023', 'argument "query" is not a SELECT', 'INSERT');
SELECT pg_temp.refuses('WITH d AS (DELETE FROM t RETURNING a, c) SELECT * FROM d', '22023', 'argument "query" writes to a table', 'DELETE in WITH');
SELECT pg_temp.refuses('SELECT a, c INTO u FROM t', '22023', 'argument "query" is not a SELECT', 'SELECT INTO');
SELECT pg_temp.refuses('CREATE TABLE u AS SELECT a, c FROM t', '22023', 'argument "query" is not a SELECT', 'CREATE TABLE AS');
SELECT pg_temp.refuses('EXPLAIN SELECT a, c FROM t', '22023', 'argument "query" is not a SELECT', 'EXPLAIN');
SELECT pg_temp.refuses('SELECT a, c FROM t FOR UPDATE', '22023', 'argument "query" locks rows', 'FOR UPDATE');
SELECT pg_temp.refuses('SELEC a, c FROM t', '42601', 'syntax error at or near "SELEC"', 'a syntax error');
SELECT matches((pg_temp.say('SELEC a, c FROM t', 'c', :good, '{}', 'm')).context, 'argument "query"', 'says in which argument');
SELECT pg_temp.refuses('SELECT a, c FROM nowhere', '42P01', 'relation "nowhere" does not exist', 'an unknown table');
SELECT pg_temp.refuses('SELECT 1 / (30 - id) AS a, c FROM t', '22012', 'division by zero', 'a query that fails half way');
SELECT pg_temp.refuses($$SELECT (r).version AS a, c FROM t, aiaas_train('n', 'SELECT a, c FROM t', 'c', '[{"Dense": {"units": 2, "activation": "softmax"}}]') r$$,
    '0A000', 'a training cannot run inside another training', 'a training in the query');
SELECT pg_temp.refuses('SELECT a, c FROM t WHERE $1', '42P02', '%', 'a parameter');

-- Options and layers.
SELECT pg_temp.refuses('SELECT a, c FROM t', '22023', '%epoch"%', 'an unknown option', options => '{"epoch": 3}');
SELECT matches((pg_temp.say('SELECT a, c FROM t', 'c', :good, '{"epoch": 3}', 'm')).hint, 'epochs', 'the hint knows the nearest');
SELECT pg_temp.refuses('SELECT a, c FROM t', '22023', '%epochs%', 'negative epochs', options => '{"epochs": -3}');
SELECT pg_temp.refuses('SELECT a, c FROM t', '22023', '%epochs%', 'epochs that are text', options => '{"epochs": "three"}');
SELECT pg_temp.refuses('SELECT a, c FROM t', '22023', '%deploy%', 'an unknown way to deploy', options => '{"deploy": "perhaps"}');
SELECT pg_temp.refuses('SELECT a, c FROM t', '22023', '%input_shape%', 'a shape of zero', options => '{"input_shape": [0]}');
SELECT pg_temp.refuses('SELECT a, c FROM t', '22023', '%', 'options that are a list', options => '[1]');
SELECT pg_temp.refuses('SELECT a, c FROM t', '22023', '%Dens"%', 'an unknown layer', layers => '[{"Dens": {"units": 2}}]');
SELECT pg_temp.refuses('SELECT a, c FROM t', '22023', '%unit"%', 'an unknown key of a layer', layers => '[{"Dense": {"unit": 2}}]');
SELECT pg_temp.refuses('SELECT a, c FROM t', '22023', '%', 'layers that are no list', layers => '3');
SELECT ok((pg_temp.say('SELECT a, c FROM t', 'c', '[{"Dense": {"units": 1000000000}}, {"Dense": {"units": 2, "activation": "softmax"}}]', '{}', 'm')).state IN ('54000', '53200', '22023'),
          'a thousand million units');
SELECT pg_temp.refuses('SELECT a, c FROM t', '22023', '%', 'a layer list that cannot connect', layers => '[{"Conv2D": {"filters": 2, "kernel_size": 3}}, {"Dense": {"units": 2, "activation": "softmax"}}]');
SELECT pg_temp.refuses('SELECT a, c FROM t', '22023', '%', 'a head that does not fit the classes', layers => '[{"Dense": {"units": 5, "activation": "softmax"}}]');
SELECT pg_temp.refuses('SELECT a, b FROM t', '22003', '%', 'a loss that explodes', 'b', '[{"Dense": {"units": 1}}]', '{"loss": "mse", "optimizer": "sgd", "learning_rate": 1e30, "epochs": 20}');

-- Arguments.
SELECT throws_ok($$SELECT aiaas_train(NULL, 'SELECT a, c FROM t', 'c', '[]')$$, '22004', 'argument "model" must not be null', 'a NULL model');
SELECT throws_ok($$SELECT aiaas_train('m', NULL, 'c', '[]')$$, '22004', 'argument "query" must not be null', 'a NULL query');
SELECT throws_ok($$SELECT aiaas_train('m', 'SELECT ''\x00''::bytea AS raw, c FROM t', 'c')$$, '0A000', 'argument "layers" is missing', 'no layers');
SELECT throws_ok($$SELECT aiaas_train('m', 'SELECT a, c FROM t', 'c', NULL, 'random_wood')$$, '22023', 'unknown algorithm "random_wood"', 'an unknown algorithm');
SELECT pg_temp.refuses('SELECT a, c FROM t', '22023', 'invalid model name%', 'a model without a name', model => '');
SELECT pg_temp.refuses('SELECT a, c FROM t', '22023', 'invalid model name%', 'a very long name', model => repeat('x', 100000));
SELECT pg_temp.refuses('SELECT a, c FROM t', '22023', 'a model''s name without a version%', 'a version', model => 'm@3');
CREATE FUNCTION pg_temp.read_only() RETURNS text LANGUAGE plpgsql AS $$
DECLARE state text;
BEGIN
    PERFORM set_config('transaction_read_only', 'on', true);
    state := (SELECT s.state FROM pg_temp.say('SELECT a, c FROM t', 'c', '[{"Dense": {"units": 2, "activation": "softmax"}}]', '{}', 'm') s);
    RAISE EXCEPTION 'back to read-write';
EXCEPTION WHEN raise_exception THEN RETURN state;
END $$;
SELECT is(pg_temp.read_only(), '25006', 'a read-only transaction');

-- And nothing is left.
SELECT is((SELECT count(*) FROM aiaas.model), 0::bigint, 'no model');
SELECT is((SELECT count(*) FROM t), 50::bigint, 'and the data as it was');
SELECT is((pg_temp.say('SELECT a, c FROM t', 'c', :good, '{"epochs": 1}', 'm')).state, '00000', 'the session trains as before');

SELECT * FROM finish();
ROLLBACK;
