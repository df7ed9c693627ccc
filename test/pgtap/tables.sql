-- Tables of mixed columns: what is learned of them, and every form in which a model of them is asked.
BEGIN;
SET LOCAL client_min_messages = warning;
SELECT plan(73);

CREATE TYPE pg_temp.mood AS ENUM ('sad', 'happy');
CREATE TEMP TABLE person AS
SELECT i AS id, CASE WHEN i % 7 <> 0 THEN 20 + i % 50 END AS age, (ARRAY['teacher', 'cook', NULL, 'nurse'])[i % 4 + 1] AS job,
       (ARRAY['sad', 'happy'])[i / 3 % 2 + 1]::pg_temp.mood AS mood, timestamptz '2020-01-01 00:00Z' + i * interval '7 hours' AS at,
       i % 3 = 0 AS ok, (i % 3)::smallint AS floor, (i * 37 % 100) / 10.0 AS n, i % 4 IN (0, 1) AS y
FROM generate_series(1, 400) i;
CREATE FUNCTION pg_temp.train(model text, query text, target text, algorithm text, options text DEFAULT '{}') RETURNS aiaas.train_result LANGUAGE sql AS $$
    SELECT aiaas_train(model, query, target, NULL, algorithm, '{"deploy": "always"}'::jsonb || options::jsonb) $$;
\set net '[{"Dense": {"units": 8, "activation": "relu"}}, {"Dense": {"units": 1, "activation": "sigmoid"}}]'

-- Every algorithm learns from all of it.
CREATE TEMP TABLE trained AS
SELECT a AS algorithm, r.*
FROM unnest('{logistic,decision_tree,random_forest,extra_trees,gradient_boosting}'::text[]) a,
     LATERAL pg_temp.train(a, 'SELECT * FROM person ORDER BY id', 'y', a, '{"validation_split": 0.2}') r;
SELECT cmp_ok((metrics->>'val_accuracy')::float8, '>', 0.9::float8, algorithm || ' learns what the jobs say') FROM trained;
SELECT is(task || ' ' || rows, 'classification 400', 'the task and the rows are told') FROM trained WHERE algorithm = 'random_forest';
SELECT is(bool_and(live AND parameters > 0 AND epochs > 0), true, 'and all the rest') FROM trained;
SELECT is(v.algorithm, v.model, 'the version names ' || v.algorithm) FROM aiaas.versions v WHERE model IN (SELECT algorithm FROM trained);
SELECT is((SELECT value FROM aiaas.metrics WHERE model = 'random_forest' AND split = 'final' AND metric = 'accuracy'),
          (SELECT (metrics->>'val_accuracy')::float8 FROM trained WHERE algorithm = 'random_forest'), 'the final figures are those of the validation rows');
SELECT is((SELECT value FROM aiaas_evaluate(m, 'SELECT * FROM person') WHERE metric = 'accuracy'),
          (SELECT avg((aiaas_predict(m, p) = y::int)::int)::float8 FROM person p), m || ' is evaluated as it predicts')
FROM unnest('{logistic,random_forest}'::text[]) m;
SELECT cmp_ok((pg_temp.train('line', 'SELECT n, floor, job, 3 * n + floor + (job = ''cook'')::int AS z FROM person WHERE job IS NOT NULL ORDER BY id', 'z', 'linear')).seconds,
              '<', 10::float8, 'linear learns numbers');
SELECT cmp_ok(abs(aiaas_predict('line', 2.5, 1, 'cook') - 9.5), '<', 1e-3::float8, 'exactly');
SELECT ok(bool_and(abs(coefficient - want) < 1e-3), 'as its coefficients say')
FROM aiaas_coefficients('line') JOIN (VALUES ('n', 3), ('floor', 1)) v (feature, want) USING (feature);
SELECT is((SELECT count(*) FROM aiaas_coefficients('logistic') WHERE feature = '(intercept)'), 1::bigint, 'logistic has an intercept');
SELECT cmp_ok((SELECT sum(gain) FROM aiaas_importance(m)), '>', 0.99::float8, 'the importances of ' || m || ' are shares') FROM unnest('{random_forest,gradient_boosting}'::text[]) m;
SELECT is((SELECT feature FROM aiaas_importance('random_forest') ORDER BY gain DESC LIMIT 1), 'job', 'the job counts most');
SELECT ok((SELECT bool_or(t LIKE '%job%cook%') OR bool_or(t LIKE '%job%nurse%') FROM aiaas_tree('decision_tree') t), 'a tree is printed with its categories');
SELECT ok((SELECT count(*) FROM aiaas_tree('random_forest', 100)) > 1, 'the last tree of a forest');
SELECT throws_ok($$SELECT * FROM aiaas_tree('random_forest', 101)$$, '22023', 'model "random_forest" has no tree 101', 'and no further');
SELECT throws_ok($$SELECT * FROM aiaas_tree('logistic')$$, '0A000', 'model "logistic" has no trees', 'a linear model has none');
SELECT throws_ok($$SELECT * FROM aiaas_coefficients('random_forest')$$, '0A000', 'model "random_forest" has no coefficients', 'a forest no coefficients');
SELECT throws_ok($$SELECT * FROM aiaas_importance('line')$$, '0A000', 'model "line" has no importances', 'a line no importances');

-- Without a target.
SELECT is((pg_temp.train('groups', 'SELECT age, job FROM person ORDER BY id', NULL, 'kmeans', '{"n_clusters": 3}')).rows, 400::bigint, 'kmeans has no target');
SELECT ok((SELECT bool_and(aiaas_predict('groups', p) IN (0, 1, 2)) AND count(DISTINCT aiaas_predict('groups', p)) = 3 FROM person p), 'and predicts groups');
SELECT is((pg_temp.train('flat', 'SELECT age, n, floor FROM person ORDER BY id', NULL, 'pca', '{"n_components": 2}')).rows, 400::bigint, 'pca');
SELECT is((SELECT array_length(aiaas_predict_vector('flat', p), 1) FROM person p LIMIT 1), 2, 'predicts components');
SELECT is((pg_temp.train('rare', 'SELECT age, job, n FROM person ORDER BY id', NULL, 'isolation_forest')).rows, 400::bigint, 'isolation_forest');
SELECT is((SELECT string_agg(task, ', ' ORDER BY model) FROM aiaas.versions WHERE model IN ('groups', 'rare')), 'clustering, anomaly detection', 'their tasks have names');
SELECT ok(aiaas_predict('rare', 30, 'cook', 5) IS DISTINCT FROM aiaas_predict('rare', 3000, 'pilot', 500), 'tells the rare from the usual');
SELECT throws_ok($$SELECT aiaas_train('x', 'SELECT age, n FROM person', 'n', NULL, 'kmeans')$$, '22023', 'algorithm "kmeans" learns no target', 'a target for kmeans');
SELECT throws_ok($$SELECT * FROM aiaas_evaluate('groups', 'SELECT * FROM person')$$, '22023', 'model "groups" learned no target to compare its answers with', 'nothing to evaluate');
SELECT throws_ok($$SELECT aiaas_train('x', 'SELECT age, y FROM person', 'y', '[{"Dense": {"units": 1}}]', 'logistic')$$, '22023', 'algorithm "logistic" takes no layers', 'layers and an algorithm');

-- Networks.
SELECT aiaas_train('net', 'SELECT age, job, mood, at, ok, floor, n, y FROM person ORDER BY id', 'y', :'net', NULL,
                   '{"epochs": 30, "learning_rate": 0.01, "columns": {"floor": {"type": "category"}}}') \g /dev/null
SELECT cmp_ok((SELECT avg((aiaas_predict('net', p) = y::int)::int) FROM person p), '>', 0.9, 'a network learns from it too');
SELECT is((SELECT encoding FROM aiaas.features WHERE model = 'net' AND column_name = 'floor'), 'one_hot', 'an integer is a category on request');
SELECT aiaas_train('holes', 'SELECT age, n, y FROM person ORDER BY id', 'y', :'net', NULL, '{"epochs": 1}') \g /dev/null
SELECT is((SELECT encoding FROM aiaas.features WHERE model = 'holes' AND column_name = 'n'), 'standardize', 'a missing value calls for a preparation');
SELECT aiaas_train('whole', 'SELECT n, y FROM person ORDER BY id', 'y', :'net', NULL, '{"epochs": 1}') \g /dev/null
SELECT is((SELECT encoding FROM aiaas.features WHERE model = 'whole'), 'none', 'whole numbers go in as they are');
SELECT is(aiaas_predict('whole', NULL::real), NULL, 'and NULL gives NULL');
SELECT isnt(aiaas_predict('holes', NULL::real, 1), NULL, 'where a value may be missing it gives an answer');
SELECT throws_ok($$SELECT aiaas_train('x', 'SELECT age, n, y FROM person', 'y', '[{"Dense": {"units": 1}}]', NULL, '{"prepare": false}')$$, '22004', NULL, 'unless nothing is to be prepared');

-- A row in all its forms.
CREATE TEMP TABLE form AS SELECT p.*, m, aiaas_predict_proba(m, p) AS want FROM person p, unnest('{net,random_forest,logistic}'::text[]) m WHERE p.id IN (5, 6, 7, 12);
SELECT is((SELECT count(DISTINCT want) > 4 FROM form), true, 'rows differ in their answers');
SELECT is((SELECT count(*) FROM form WHERE aiaas_predict_proba(m, to_jsonb(form)) IS DISTINCT FROM want), 0::bigint, 'a JSON object');
SELECT is((SELECT count(*) FROM form WHERE m <> 'net' AND aiaas_predict_proba(m, id, age, job, mood, at, ok, floor, n) IS DISTINCT FROM want), 0::bigint, 'one by one');
SELECT is((SELECT count(*) FROM form WHERE m <> 'net' AND aiaas_predict_proba(m, jsonb_build_array(id, age, job, mood, at, ok, floor, n)) IS DISTINCT FROM want), 0::bigint, 'a JSON array');
SELECT is((SELECT count(*) FROM form WHERE m <> 'net' AND aiaas_predict_proba(m, ARRAY[id::text, age::text, job, mood::text, at::text, ok::text, floor::text, n::text]) IS DISTINCT FROM want), 0::bigint, 'an array of text');
SELECT is((SELECT count(*) FROM form f, LATERAL (SELECT 'x' AS extra, n::float8 AS n, floor::bigint AS floor, ok, at, mood::text AS mood, job::varchar AS job, age::numeric AS age, id::real AS id) r
           WHERE aiaas_predict_proba(m, r) IS DISTINCT FROM want), 0::bigint, 'other types and another order');
SELECT is(aiaas_predict_proba('random_forest', '5', '25', 'cook', 'happy', '2020-02-01 00:00Z', 'true', '1', '2.5'),
          aiaas_predict_proba('random_forest', 5, 25, 'cook'::text, 'happy'::pg_temp.mood, timestamptz '2020-02-01 00:00Z', true, 1, 2.5), 'literals without a type');
SET LOCAL timezone = 'Asia/Tokyo';
SELECT is((SELECT count(*) FROM form f WHERE aiaas_predict_proba(m, (SELECT p FROM person p WHERE p.id = f.id)) IS DISTINCT FROM want), 0::bigint, 'whatever the time zone');
RESET timezone;

-- Missing and new.
SELECT is(aiaas_predict_proba(m, 5, NULL::int, 'cook', 'sad', NULL::timestamptz, true, 1, 1), aiaas_predict_proba(m, 5, 'NaN'::real, 'cook', 'sad', 'infinity'::timestamptz, true, 1, 1), m || ': NaN is missing as NULL is')
FROM unnest('{random_forest,logistic}'::text[]) m;
SELECT is(aiaas_predict_proba(m, 5, 1, '', 'sad', timestamptz '2020-01-01', true, 1, 1), aiaas_predict_proba(m, 5, 1, NULL::text, 'sad', timestamptz '2020-01-01', true, 1, 1), m || ': the empty text is missing')
FROM unnest('{random_forest,logistic}'::text[]) m;
SELECT isnt(aiaas_predict_label(m, 5, 1, 'astronaut', 'furious', timestamptz '2030-01-01', true, 1, 1), NULL, m || ': new texts are no error') FROM unnest('{random_forest,logistic}'::text[]) m;
SELECT isnt(aiaas_predict('net', '{"age": null, "job": null, "mood": null, "at": null, "ok": null, "floor": null, "n": null}'::jsonb), NULL, 'all of it missing');
SELECT is(aiaas_predict('net', NULL::person), NULL, 'no row, no answer');
SELECT throws_ok($$SELECT aiaas_predict('net', '{"age": 1}'::jsonb)$$, '42703', 'the JSON object has no "job", which model "net" needs', 'an absent key is an error');
SELECT throws_ok($$SELECT aiaas_predict('net', r) FROM (SELECT 1 AS age) r$$, '42703', 'the row has no "job", which model "net" needs', 'a missing column too');
SELECT throws_ok($$SELECT aiaas_predict('holes', r) FROM (SELECT 'x'::text AS age, 1 AS n) r$$, '42804', 'feature "age" of model "holes" is integer, not text', 'text where a number was learned');
SELECT throws_ok($$SELECT aiaas_predict('net', 1, 'cook', 'sad', 17, true, 1, 1)$$, '42804', 'feature "at" of model "net" is timestamp with time zone, not integer', 'a number where a time was learned');
SELECT throws_ok($$SELECT * FROM aiaas_evaluate('net', 'SELECT age, job, mood, n AS at, ok, floor, n, y FROM person')$$, '42804',
                 'feature column "at" has type numeric, but the model was trained with timestamp with time zone', 'also in an evaluation');

-- Columns that are left out need not be there.
SELECT pg_temp.train('left', 'SELECT id, age, job, n, y FROM person ORDER BY id', 'y', 'random_forest', '{"exclude": ["id"]}') \g /dev/null
SELECT is(aiaas_predict_proba('left', r), aiaas_predict_proba('left', 5, 30, 'cook', 1.5), 'a row without it') FROM (SELECT 30 AS age, 'cook' AS job, 1.5 AS n) r;
SELECT is(aiaas_predict_proba('left', 30, 'cook', 1.5), aiaas_predict_proba('left', 5, 30, 'cook', 1.5), 'arguments without it');
SELECT is(aiaas_predict_proba('left', '{"age": 30, "job": "cook", "n": 1.5}'::jsonb), aiaas_predict_proba('left', 5, 30, 'cook', 1.5), 'JSON without it');
SELECT is((SELECT count(*) FROM aiaas_evaluate('left', 'SELECT age, job, n, y FROM person') WHERE metric = 'accuracy'), 1::bigint, 'an evaluation without it');

-- The same bits, whatever the threads.
CREATE TEMP TABLE bits (model text, threads int, md5 text);
DO $$
DECLARE a text;
BEGIN
    FOREACH a IN ARRAY '{logistic,random_forest,gradient_boosting}'::text[] LOOP
        FOR i IN 1..3 LOOP
            PERFORM set_config('aiaas.threads', i::text, true);
            PERFORM pg_temp.train('bits', 'SELECT * FROM person ORDER BY id', 'y', a);
            INSERT INTO bits SELECT a, i, md5(aiaas_export('bits'));
        END LOOP;
    END LOOP;
END $$;
SELECT is(count(DISTINCT md5), 1::bigint, model || ': the same bits for any number of threads') FROM bits GROUP BY model ORDER BY model;

SELECT * FROM finish();
ROLLBACK;
