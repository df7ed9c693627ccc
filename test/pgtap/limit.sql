-- aiaas.max_memory: a training that would take more is refused before it starts, and leaves what was there.
BEGIN;
SET LOCAL client_min_messages = warning;
SET LOCAL aiaas.progress = off;
SELECT plan(30);

CREATE FUNCTION pg_temp.contexts() RETURNS numeric LANGUAGE sql VOLATILE AS $$
    SELECT sum(total_bytes) FROM pg_backend_memory_contexts WHERE name LIKE 'aiaas%' AND name NOT LIKE 'aiaas model%' $$;
CREATE FUNCTION pg_temp.threads() RETURNS int LANGUAGE sql VOLATILE AS $$
    SELECT substring(pg_read_file('/proc/' || pg_backend_pid() || '/status') FROM 'Threads:\s*(\d+)')::int $$;

-- Images whose convolutions take some 20 MB at a batch of 64.
CREATE TEMP TABLE image AS
SELECT i, decode(repeat(md5(i::text), 192), 'hex') AS pixels, (i % 2)::bool AS odd FROM generate_series(1, 128) i;

-- Runs a training; what came of it.
CREATE TEMP TABLE outcome (state text, message text, detail text, hint text);
CREATE FUNCTION pg_temp.try(model text, query text, layers text, options text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE state text := '00000'; message text; detail text; hint text;
BEGIN
    DELETE FROM outcome;
    BEGIN
        PERFORM aiaas_train(model, query, NULL, layers::jsonb, NULL, '{"epochs": 1}'::jsonb || options::jsonb);
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    END;
    INSERT INTO outcome VALUES (state, message, detail, hint);
    RETURN state;
END $$;
CREATE FUNCTION pg_temp.images(model text, batch int, filters int DEFAULT 40) RETURNS text LANGUAGE sql AS $$
    SELECT pg_temp.try(model, 'SELECT pixels, odd FROM image ORDER BY i',
                       format('[{"Rescaling": {"scale": 0.004}}, {"Conv2D": {"filters": %s, "kernel_size": 3, "activation": "relu"}}, {"GlobalAveragePooling2D": {}}, {"Dense": {"units": 2, "activation": "softmax"}}]', filters),
                       format('{"input_shape": [32, 32, 3], "deploy": "always", "batch_size": %s}', batch)) $$;

-- The setting. It is there once the library is.
LOAD 'aiaas';
SELECT is(current_setting('aiaas.max_memory'), '-1', 'by default there is no limit');
SELECT is(context, 'superuser', 'only a superuser sets one') FROM pg_settings WHERE name = 'aiaas.max_memory';
CREATE ROLE limited;
SET LOCAL ROLE limited;
SELECT throws_ok('SET aiaas.max_memory = -1', '42501', NULL, 'whoever it limits cannot lift it');
RESET ROLE;
SET LOCAL aiaas.max_memory = '8MB';
SELECT is(current_setting('aiaas.max_memory'), '8MB', 'it is given as memory is');
RESET aiaas.max_memory;

-- A training that may run, and the same under a limit.
SELECT is(pg_temp.images('image', 64), '00000', 'without a limit it is trained');
CREATE TEMP TABLE before AS SELECT pg_temp.threads() AS threads;
SET LOCAL aiaas.max_memory = '8MB';
SELECT is(pg_temp.images('image', 64), '53400', 'with one that is too low it is refused');
SELECT matches(message, '^training model "image" needs \d+ MB of memory, but aiaas.max_memory is 8MB$', 'the message names the model, what it needs, and what it may have') FROM outcome;
SELECT matches(detail, '^A batch of 64 takes \d+ MB, the rows take \d+ kB, the weights and what the optimizer keeps of them \d+ kB\.$', 'the detail says what takes it') FROM outcome;
SELECT is(hint, 'Use a smaller batch_size, or have aiaas.max_memory raised.', 'the hint says what to do') FROM outcome;
SELECT is((SELECT array_agg(version) FROM aiaas.versions v WHERE model = 'image'), '{1}', 'nothing is stored');
SELECT is((SELECT count(aiaas_predict_label('image', pixels)) FROM image), 128::bigint, 'the version that was live answers');
SELECT is(pg_temp.contexts(), NULL, 'no memory is left of it');
SELECT is(pg_temp.threads(), threads, 'nor a thread') FROM before;
SELECT is(pg_temp.images('other', 64), '53400', 'a model that was not there');
SELECT is((SELECT count(*) FROM aiaas.model WHERE name = 'other'), 0::bigint, 'is still not there');

-- What it says it needs is what it needs.
CREATE TEMP TABLE need AS SELECT substring(message FROM 'needs (\d+) MB')::int AS mb FROM outcome;
SELECT is(pg_temp.images('image', 4), '00000', 'a smaller batch fits');
SELECT set_config('aiaas.max_memory', mb || 'MB', true) FROM need \g /dev/null
SELECT is(pg_temp.images('image', 64), '00000', 'what was said to be needed is enough');
SELECT set_config('aiaas.max_memory', mb - 1 || 'MB', true) FROM need \g /dev/null
SELECT is(pg_temp.images('image', 64), '53400', 'a megabyte less is not');
SELECT is(substring(message FROM 'needs (\d+) MB')::int, mb, 'and it says the same') FROM outcome, need;

-- The operating system agrees, with what the rest of the process does meanwhile on top: buffers of the BLAS, stacks.
CREATE FUNCTION pg_temp.status(field text) RETURNS int LANGUAGE sql VOLATILE AS $$
    SELECT substring(pg_read_file('/proc/' || pg_backend_pid() || '/status') FROM field || ':\s*(\d+)')::int $$;
SELECT is(pg_temp.images('image', 128, 400), '53400', 'a training of many filters is refused');
UPDATE need SET mb = (SELECT substring(message FROM 'needs (\d+) MB')::int FROM outcome);
RESET aiaas.max_memory;
CREATE TEMP TABLE high AS SELECT pg_temp.status('VmRSS') AS kb;
SELECT pg_temp.images('image', 128, 400) \g /dev/null
SELECT cmp_ok(abs((pg_temp.status('VmHWM') - kb) / 1024.0 / mb - 1), '<', 0.1, format('the process grows by what was planned, to a tenth: %s MB, planned %s', (pg_temp.status('VmHWM') - kb) / 1024, mb)) FROM high, need;

-- Rows: the query is left before it has given them all.
SET LOCAL aiaas.max_memory = '4MB';
CREATE TEMP SEQUENCE given;
SELECT is(pg_temp.try('wide', 'SELECT array_fill(i::real + nextval(''given''), ''{1000}'') AS x, i % 2 AS y FROM generate_series(1, 100000) i', '[{"Dense": {"units": 2, "activation": "softmax"}}]', '{}'),
          '53400', 'rows that are too many are refused');
SELECT is(message, 'the rows to train model "wide" need more than the 4MB of aiaas.max_memory', 'for what they are') FROM outcome;
SELECT is(hint, 'Train on fewer rows or fewer features, or have aiaas.max_memory raised.', 'with what helps') FROM outcome;
SELECT ok(currval('given') < 2000, 'after the thousand that fit, not after all of them');
SELECT is(pg_temp.try('wide', 'SELECT i::real AS x, i % 2 AS y FROM generate_series(1, 100) i', '[{"Dense": {"units": 2, "activation": "softmax"}}]',
                      '{"validation_query": "SELECT i::real AS x, i % 2 AS y FROM generate_series(1, 1000000) i"}'), '53400', 'the rows of a validation_query count');

-- Weights.
SELECT is(pg_temp.try('deep', 'SELECT i::real AS x, i % 2 AS y FROM generate_series(1, 100) i', '[{"Dense": {"units": 2000}}, {"Dense": {"units": 20000}}, {"Dense": {"units": 2, "activation": "softmax"}}]', '{}'),
          '53400', 'a network of 160 MB is refused');
SELECT is(message, 'the rows and the weights of model "deep" need more than the 4MB of aiaas.max_memory', 'for its weights') FROM outcome;
SELECT is(pg_temp.contexts(), NULL, 'no memory is left of all that');
SELECT is(pg_temp.threads(), threads, 'nor a thread') FROM before;

SELECT * FROM finish();
ROLLBACK;
