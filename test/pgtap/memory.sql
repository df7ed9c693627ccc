-- Memory: rows are kept once and in their own width, and nothing grows.
BEGIN;
-- The compiler for queries is a library of 47 MB, which would count as growth.
SET LOCAL jit = off;
SET LOCAL client_min_messages = warning;
SELECT plan(10);

CREATE FUNCTION pg_temp.status(field text) RETURNS int LANGUAGE sql VOLATILE AS $$
    SELECT substring(pg_read_file('/proc/' || pg_backend_pid() || '/status') FROM field || ':\s*(\d+)')::int $$;
CREATE FUNCTION pg_temp.contexts() RETURNS numeric LANGUAGE sql VOLATILE AS $$
    SELECT sum(total_bytes) FROM pg_backend_memory_contexts WHERE name LIKE 'aiaas%' AND name NOT LIKE 'aiaas model%' $$;
CREATE TEMP TABLE t AS SELECT sin(i)::real AS x, cos(i)::real AS y, i % 2 = 0 AS c FROM generate_series(1, 200) i;

-- 20,000 images of 3,072 bytes are 59 MB. They are made by the query as it runs.
CREATE TEMP TABLE high AS SELECT pg_temp.status('VmHWM') AS kb;
SELECT aiaas_train('image', $$SELECT decode(repeat(md5(i::text), 192), 'hex') AS pixels, i % 10 AS digit FROM generate_series(1, 20000) i$$, 'digit',
                   '[{"Rescaling": {"scale": 0.004}}, {"MaxPooling2D": {"pool_size": 8}}, {"Flatten": {}}, {"Dense": {"units": 10, "activation": "softmax"}}]', NULL,
                   '{"input_shape": [32, 32, 3], "epochs": 1, "batch_size": 256}') \g /dev/null
SELECT cmp_ok((pg_temp.status('VmHWM') - (SELECT kb FROM high)) / 1024, '<', 110, '59 MB of images are trained in less than 110 MB');
SELECT is(pg_temp.contexts(), NULL, 'and none of it is left');

-- Trainings, good and bad, in one transaction after the other.
CREATE FUNCTION pg_temp.work(n int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1..n LOOP
        BEGIN
            PERFORM aiaas_train('m', 'SELECT x, y, c FROM t', 'c', '[{"Dense": {"units": 64, "activation": "relu"}}, {"Dense": {"units": 1, "activation": "sigmoid"}}]',
                                NULL, '{"epochs": 2}');
            PERFORM aiaas_predict('m', x, y) FROM t;
            PERFORM aiaas_evaluate('m', 'SELECT x, y, c FROM t');
            RAISE EXCEPTION USING ERRCODE = 'UNDO1';
        EXCEPTION WHEN SQLSTATE 'UNDO1' THEN NULL;
        END;
        BEGIN
            PERFORM aiaas_train('m', 'SELECT x / 0 AS x, y, c FROM t', 'c', '[{"Dense": {"units": 1, "activation": "sigmoid"}}]', NULL, '{"epochs": 2}');
        EXCEPTION WHEN division_by_zero THEN NULL;
        END;
        BEGIN
            PERFORM aiaas_train('m', 'SELECT x, y, c FROM t', 'c', '[{"Dense": {"units": 5, "activation": "softmax"}}]', NULL, '{"epochs": 2}');
        EXCEPTION WHEN invalid_parameter_value THEN NULL;
        END;
    END LOOP;
END $$;
SET LOCAL aiaas.cache_size = '1MB';
SELECT pg_temp.work(10) \g /dev/null
CREATE TEMP TABLE low AS SELECT pg_temp.status('VmRSS') AS kb, pg_temp.status('Threads') AS threads;
SELECT pg_temp.work(40) \g /dev/null
SELECT cmp_ok(pg_temp.status('VmRSS') - (SELECT kb FROM low), '<', 6144, 'forty rounds of training, predicting, evaluating and failing grow by less than 6 MB');
SELECT is(pg_temp.status('Threads'), (SELECT threads FROM low), 'and by no thread');
SELECT is(pg_temp.contexts(), NULL, 'nothing is left of them either');

-- A long query that predicts.
SELECT aiaas_train('m', 'SELECT x, y, c FROM t', 'c', '[{"Dense": {"units": 1, "activation": "sigmoid"}}]', NULL, '{"epochs": 1}') \g /dev/null
SELECT count(aiaas_predict_proba('m', ARRAY[x, y])), count(aiaas_predict('m', t)), count(aiaas_predict('m', jsonb_build_array(x, y))) FROM t \g /dev/null
CREATE TEMP TABLE low2 AS SELECT pg_temp.status('VmRSS') AS kb;
SELECT count(aiaas_predict_proba('m', ARRAY[x, y])), count(aiaas_predict('m', t)), count(aiaas_predict('m', jsonb_build_array(x, y))), count(aiaas_predict_label('m', '{0.1,0.2}'))
FROM t, generate_series(1, 250) \g /dev/null
SELECT cmp_ok(pg_temp.status('VmRSS') - (SELECT kb FROM low2), '<', 2048, '200,000 predictions grow by less than 2 MB');
SELECT is((SELECT count(*) FROM t WHERE aiaas_predict_label('m', x, y) IS NULL), 0::bigint, 'and still answer');

-- Values as tables hold them (short, out of line, compressed), and one call site that meets many row types and models.
CREATE TEMP TABLE kept AS SELECT ARRAY[x, y] AS short, ARRAY[x, y]::numeric[] AS numerics, array_fill(x, '{3000}') AS long, t FROM t;
SELECT aiaas_train('long', 'SELECT long AS x, (t).c FROM kept', 'c', '[{"Dense": {"units": 1, "activation": "sigmoid"}}]', NULL, '{"epochs": 1}') \g /dev/null
CREATE FUNCTION pg_temp.turns(n int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE r record; p float8;
BEGIN
    FOR i IN 1..n LOOP
        IF i % 2 = 0 THEN SELECT 0.1 AS x, 0.2 AS y INTO r; ELSE SELECT 0.2::real AS y, 0.1::real AS x INTO r; END IF;
        p := aiaas_predict('m', r);
    END LOOP;
END $$;
SELECT count(aiaas_predict('m', short)), count(aiaas_predict('m', numerics)), count(aiaas_predict('long', long)) FROM kept \g /dev/null
SELECT pg_temp.turns(1000) \g /dev/null
CREATE TEMP TABLE low3 AS SELECT pg_temp.status('VmRSS') AS kb;
SELECT count(aiaas_predict('m', short)), count(aiaas_predict('m', numerics)), count(aiaas_predict('m', t)) FROM kept, generate_series(1, 500) \g /dev/null
SELECT count(aiaas_predict('long', long)) FROM kept, generate_series(1, 50) \g /dev/null
SELECT cmp_ok(pg_temp.status('VmRSS') - (SELECT kb FROM low3), '<', 2048, '300,000 predictions from a table grow by less than 2 MB');
UPDATE low3 SET kb = pg_temp.status('VmRSS');
SELECT pg_temp.turns(20000) \g /dev/null
SELECT cmp_ok(pg_temp.status('VmRSS') - (SELECT kb FROM low3), '<', 2048, 'so do 20,000 rows whose type is another one each time');

-- Two models that throw each other out: all that belongs to one goes with it.
SELECT aiaas_train('wide' || i, 'SELECT x, y, c FROM t', 'c', '[{"Dense": {"units": 450, "activation": "relu"}}, {"Dense": {"units": 450, "activation": "relu"}}, {"Dense": {"units": 1, "activation": "sigmoid"}}]',
                   NULL, '{"epochs": 1}') FROM generate_series(1, 2) i \g /dev/null
SELECT count(aiaas_predict('wide1', x, y) + aiaas_predict('wide2', x, y)) FROM t \g /dev/null
UPDATE low3 SET kb = pg_temp.status('VmRSS');
SELECT count(aiaas_predict('wide1', x, y) + aiaas_predict('wide2', x, y)) FROM t \g /dev/null
SELECT cmp_ok(pg_temp.status('VmRSS') - (SELECT kb FROM low3), '<', 4096, 'and 400 times that a model is loaded because another had its place');

SELECT * FROM finish();
ROLLBACK;
