-- Predicting row after row: what a call site remembers from one row to the next, and every way in which numbers are
-- stored. Whatever is remembered, the answers are those of a first call.
BEGIN;
\ir include/models.psql
SELECT plan(69);

-- ---- arrays, as they are stored --------------------------------------------------------------------------------

CREATE TEMP TABLE deep AS SELECT i AS id, (SELECT array_agg(sin(i * j)::real) FROM generate_series(1, 5) j) AS x5,
    (SELECT array_agg(cos(i + j)::real) FROM generate_series(1, 60) j) AS x60,
    (SELECT array_agg((i % 9 - 4 + 0 * j)::real) FROM generate_series(1, 3000) j) AS x3000 FROM generate_series(1, 40) i;
CREATE FUNCTION pg_temp.wide(model text, query text) RETURNS int LANGUAGE sql AS $$
    SELECT (aiaas_train(model, query, 'y', '[{"Dense": {"units": 1}}]', NULL, '{"epochs": 1, "deploy": "always"}')).version $$;
SELECT pg_temp.wide('x5', 'SELECT x5 AS x, id::real AS y FROM deep'), pg_temp.wide('x60', 'SELECT x60 AS x, id::real AS y FROM deep'),
       pg_temp.wide('x3000', 'SELECT x3000 AS x, id::real AS y FROM deep'),
       pg_temp.wide('five', 'SELECT x5[1] AS a, x5[2] AS b, x5[3] AS c, x5[4] AS d, x5[5] AS e, id::real AS y FROM deep') \g /dev/null

-- The same table three times: as it comes, compressed where that pays, and out of line.
CREATE TEMP TABLE outside (LIKE deep);
ALTER TABLE outside ALTER x5 SET STORAGE EXTERNAL, ALTER x60 SET STORAGE EXTERNAL, ALTER x3000 SET STORAGE EXTERNAL;
INSERT INTO outside SELECT id, x5, x60, x3000 || '{}'::real[] FROM deep;
CREATE TEMP TABLE inline (LIKE deep);
ALTER TABLE inline ALTER x3000 SET STORAGE MAIN;
INSERT INTO inline SELECT id, x5, x60, x3000 || '{}'::real[] FROM deep;
SELECT ok((SELECT bool_and(pg_column_size(x5) = 41) FROM deep), 'a short array has a header of one byte');
SELECT ok((SELECT bool_and(pg_column_size(x60) = 264) FROM deep), 'a longer one of four');
SELECT ok((SELECT bool_and(pg_column_size(x3000) < 3000) FROM inline), 'a long one is compressed');
SELECT ok((SELECT bool_and(pg_column_size(x3000) = 12020) FROM outside), 'or stands elsewhere');

-- What no table has seen: made for the call.
CREATE TEMP TABLE answer AS SELECT id, aiaas_predict('x5', x5 || '{}'::real[]) AS p5, aiaas_predict('x60', x60 || '{}'::real[]) AS p60,
    aiaas_predict('x3000', x3000 || '{}'::real[]) AS p3000 FROM deep;
SELECT is((SELECT count(DISTINCT p5) || ' ' || count(DISTINCT p60) || ' ' || count(DISTINCT p3000) FROM answer), '40 40 9', 'rows differ in their answers');
CREATE FUNCTION pg_temp.differ(tab text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE n bigint;
BEGIN
    EXECUTE format('SELECT count(*) FROM %I t JOIN answer a USING (id) WHERE (aiaas_predict(''x5'', t.x5), aiaas_predict(''x60'', t.x60), aiaas_predict(''x3000'', t.x3000)) IS DISTINCT FROM (a.p5, a.p60, a.p3000)', tab) INTO n;
    RETURN n;
END $$;
SELECT is(pg_temp.differ('deep'), 0::bigint, 'arrays of all lengths');
SELECT is(pg_temp.differ('inline'), 0::bigint, 'compressed');
SELECT is(pg_temp.differ('outside'), 0::bigint, 'out of line');
SELECT is((SELECT count(*) FROM deep t JOIN answer a USING (id) WHERE aiaas_predict('x60', t.x60::float8[]) IS DISTINCT FROM a.p60), 0::bigint, 'double precision');

-- Every type, short and long, against the elements one by one, which each are a number of that type.
CREATE FUNCTION pg_temp.types(n int) RETURNS TABLE (type text, alone float8, whole float8, stored float8) LANGUAGE plpgsql AS $$
DECLARE t text; elements text; model text := 'x' || n;
BEGIN
    FOREACH t IN ARRAY ARRAY['smallint', 'integer', 'bigint', 'real', 'double precision', 'numeric', 'boolean'] LOOP
        type := t;
        elements := (SELECT string_agg(format('%L::%s', CASE WHEN t = 'boolean' THEN (j % 3 = 0)::text WHEN t ~ 'int' THEN (j * 7 % 11 - 5)::text ELSE (j / 8.0)::text END, t), ', ') FROM generate_series(1, n) j);
        EXECUTE format('CREATE TEMP TABLE typed AS SELECT ARRAY[%s] AS x', elements);
        EXECUTE format('SELECT aiaas_predict(%L, %s), aiaas_predict(%L, ARRAY[%s])', model, elements, model, elements) INTO alone, whole;
        EXECUTE format('SELECT aiaas_predict(%L, x) FROM typed', model) INTO stored;
        DROP TABLE typed;
        RETURN NEXT;
    END LOOP;
END $$;
SELECT is(whole, alone, type || ': five in an array as alone') FROM pg_temp.types(5);
SELECT is(stored, alone, type || ': five as stored') FROM pg_temp.types(5);
SELECT is(stored, alone, type || ': sixty as stored') FROM pg_temp.types(60);

-- NULLs, sizes, and every place for what is not finite.
SELECT is(aiaas_predict('x5', '{1,2,NULL,4,5}'::real[]), NULL, 'a NULL element');
SELECT is((SELECT count(aiaas_predict('x5', x)) FROM (VALUES ('{1,2,3,4,NULL}'::float8[]), ('{1,2,3,4,5}'), (NULL), ('{NULL,NULL,NULL,NULL,NULL}')) v(x)), 1::bigint,
          'NULL elements in some rows of many');
SELECT is(aiaas_predict('x5', '[3:7]={1,2,3,4,5}'::real[]), aiaas_predict('x5', '{1,2,3,4,5}'::real[]), 'other bounds');
SELECT is(aiaas_predict('x60', (SELECT array_agg(ARRAY[i, i + 1, i + 2]::real[]) FROM generate_series(1, 60, 3) i)),
          aiaas_predict('x60', (SELECT array_agg(i::real) FROM generate_series(1, 60) i)), 'two dimensions');
SELECT throws_ok(format('SELECT aiaas_predict(%L, %L::%s)', 'x5', x, t), '22023', 'model "x5" takes 5 numbers, not ' || n || ' elements', n || ' elements of ' || t)
FROM (VALUES ('{}', 'real[]', 0), ('{1,2,3,4}', 'real[]', 4), ('{1,2,3,4,5,6}', 'float8[]', 6), ('{{1,2,3},{4,5,6}}', 'int[]', 6)) v(x, t, n);
CREATE FUNCTION pg_temp.refused(command text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE command;
    RETURN false;
EXCEPTION WHEN numeric_value_out_of_range THEN
    RETURN true;
END $$;
SELECT is((SELECT count(*) FROM generate_series(1, 5) place, unnest(ARRAY['NaN', 'Infinity', '-Infinity']) bad, unnest(ARRAY['real', 'float8']) type,
    LATERAL (SELECT string_agg(CASE WHEN j = place THEN bad ELSE j::text END, ',') AS x FROM generate_series(1, 5) j) s
    WHERE NOT pg_temp.refused(format('SELECT aiaas_predict(''x5'', ''{%s}''::%s[])', x, type))
       OR NOT pg_temp.refused(format('SELECT aiaas_predict(''x5'', VARIADIC ''{%s}''::%s[])', x, type))
       OR NOT pg_temp.refused(format('SELECT aiaas_predict(''five'', x[1], x[2], x[3], x[4], x[5]) FROM (SELECT ''{%s}''::%s[] AS x) s', x, type))
       OR NOT pg_temp.refused(format('SELECT aiaas_predict(''five'', r) FROM (SELECT x[1] AS a, x[2] AS b, x[3] AS c, x[4] AS d, x[5] AS e FROM (SELECT ''{%s}''::%s[] AS x) s) r', x, type))),
    0::bigint, 'NaN and infinities are refused in every place');
SELECT is((SELECT count(*) FROM generate_series(1, 60) place WHERE NOT pg_temp.refused(
    format('SELECT aiaas_predict(''x60'', array_agg(CASE WHEN i = %s THEN ''NaN''::real ELSE i END)) FROM generate_series(1, 60) i', place))), 0::bigint, 'of a long array too');
SELECT isnt(aiaas_predict('x5', '{3.4028235e38,-3.4028235e38,0,1e-45,-1}'::real[]), NULL, 'the largest and the smallest real are numbers');
SELECT throws_ok($$SELECT aiaas_predict('five', 1, 2, 3, 'NaN'::real, 5)$$, '22003', 'feature "d" of model "five" is NaN, infinite or out of range for type real', 'the feature is named');
SELECT throws_ok($$SELECT aiaas_predict('five', 1, 1e39, NULL::int, 4, 5)$$, '22003', NULL, 'what is too large before a NULL is an error');
SELECT is(aiaas_predict('five', 1, 2, 3, NULL::real, 5), NULL, 'a NULL among numbers');
SELECT is(aiaas_predict('five', 1, NULL::int, 'NaN'::real, 4, 5), NULL, 'after a NULL nothing is looked at');

-- ---- rows ------------------------------------------------------------------------------------------------------

CREATE TEMP TABLE this AS SELECT 1::real AS a, 2 AS b, 3::float8 AS c, 4::numeric AS d, true AS e;
CREATE TEMP TABLE that AS SELECT 'x'::text AS more, e, d, c, b, a FROM this;
-- One call site for all row types.
CREATE FUNCTION pg_temp.one(r record) RETURNS float8 LANGUAGE plpgsql AS $$ BEGIN RETURN aiaas_predict('five', r); END $$;
CREATE FUNCTION pg_temp.rows(tables text[]) RETURNS float8[] LANGUAGE plpgsql AS $$
DECLARE t text; p float8; all_of_them float8[];
BEGIN
    FOREACH t IN ARRAY tables LOOP
        IF t LIKE 'ALTER%' THEN EXECUTE t; CONTINUE; END IF;
        EXECUTE 'SELECT pg_temp.one(t) FROM ' || t || ' t' INTO p;
        all_of_them := all_of_them || p;
    END LOOP;
    RETURN all_of_them;
END $$;
SELECT is(pg_temp.rows('{this,that,this,that,that}'), array_fill(aiaas_predict('five', 1, 2, 3, 4, true), '{5}'), 'tables that take turns');
SELECT is(pg_temp.rows(ARRAY['this', 'ALTER TABLE this RENAME a TO z', 'ALTER TABLE this RENAME b TO a', 'ALTER TABLE this RENAME z TO b', 'this', 'that',
                             'ALTER TABLE this DROP c, ADD c int DEFAULT 30', 'this']),
          ARRAY[aiaas_predict('five', 1, 2, 3, 4, true), aiaas_predict('five', 2, 1, 3, 4, true), aiaas_predict('five', 1, 2, 3, 4, true), aiaas_predict('five', 2, 1, 30, 4, true)],
          'a table that changes between two rows');
SELECT is(pg_temp.rows(ARRAY['(SELECT 5 AS e, 4 AS d, 3 AS c, 2 AS b, 1 AS a)', '(SELECT 1 AS a, 2 AS b, 3 AS c, 4 AS d, 5 AS e)', '(SELECT 0 AS x, 1 AS a, 2 AS b, 3 AS c, 4 AS d, 5 AS e)']),
          array_fill(aiaas_predict('five', 1, 2, 3, 4, 5), '{3}'), 'rows of queries');
SELECT is((SELECT array_agg(aiaas_predict('five', v)) FROM (VALUES (1, 2, 3, 4, 5), (1, 2, NULL, 4, 5), (1, 2, 3, 4, 5)) v (a, b, c, d, e)),
          ARRAY[aiaas_predict('five', 1, 2, 3, 4, 5), NULL, aiaas_predict('five', 1, 2, 3, 4, 5)], 'a NULL is of its row alone');
SELECT is((SELECT array_agg(aiaas_predict(m, r) ORDER BY n) FROM (SELECT 1 AS a, 2 AS b, 3 AS c, 4 AS d, 5 AS e, '{1,2,3,4,5}'::real[] AS x) r,
                  unnest('{five,x5,five,x5}'::text[]) WITH ORDINALITY u (m, n)),
          ARRAY[aiaas_predict('five', 1, 2, 3, 4, 5), aiaas_predict('x5', 1, 2, 3, 4, 5), aiaas_predict('five', 1, 2, 3, 4, 5), aiaas_predict('x5', 1, 2, 3, 4, 5)],
          'two models that read different columns of one row');

-- ---- models that take turns --------------------------------------------------------------------------------------

-- About 0.8 MB of weights each.
SELECT aiaas_train('big' || i, 'SELECT width, length, kind FROM flower', 'kind', '[{"Dense": {"units": 450, "activation": "relu"}}, {"Dense": {"units": 450, "activation": "relu"}},
    {"Dense": {"units": 1, "activation": "sigmoid"}}]', NULL, ('{"epochs": 1, "seed": ' || i || '}')::jsonb) FROM generate_series(1, 2) i \g /dev/null
CREATE TEMP TABLE pair AS SELECT width, length, aiaas_predict_proba('big1', width, length) AS one, aiaas_predict_proba('big2', width, length) AS two FROM flower;
SELECT is((SELECT count(*) FROM pair WHERE one = two), 0::bigint, 'two models differ');
SELECT is((SELECT count(*) FROM pair WHERE (one, two) IS DISTINCT FROM (aiaas_predict_proba('big1', width, length), aiaas_predict_proba('big2', width, length))), 0::bigint, 'two call sites');
SELECT is((SELECT count(*) FROM pair, unnest('{1,2}'::int[]) i WHERE aiaas_predict_proba('big' || i, width, length) IS DISTINCT FROM CASE i WHEN 1 THEN one ELSE two END), 0::bigint, 'one call site');
SET LOCAL aiaas.cache_size = '1MB';
SELECT is((SELECT count(*) FROM pair WHERE (one, two) IS DISTINCT FROM (aiaas_predict_proba('big1', width, length), aiaas_predict_proba('big2', width, length))), 0::bigint,
          'two call sites, and room for one model: each throws the other''s out');
SELECT is((SELECT count(*) FROM pair, unnest('{1,2}'::int[]) i WHERE aiaas_predict_proba('big' || i, width, length) IS DISTINCT FROM CASE i WHEN 1 THEN one ELSE two END), 0::bigint,
          'one call site, and room for one model');
CREATE FUNCTION pg_temp.inner(w real, l real) RETURNS real LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN w + 0 * aiaas_predict('big2', w, l); END $$;
SELECT is((SELECT count(*) FROM pair WHERE one IS DISTINCT FROM aiaas_predict_proba('big1', pg_temp.inner(width, length), length)), 0::bigint, 'a prediction within the arguments of another');
RESET aiaas.cache_size;
CREATE FUNCTION pg_temp.all_sets(OUT worst float8) LANGUAGE plpgsql AS $$
DECLARE p real[]; q real[] := aiaas_predict_proba('big1', 0.1, 0.2);
BEGIN
    worst := 0;
    FOR i IN 0..5 LOOP
        PERFORM set_config('aiaas.isa', (ARRAY['auto', 'baseline'])[i % 2 + 1], true);
        p := aiaas_predict_proba('big1', 0.1, 0.2);
        worst := greatest(worst, abs(p[1] - q[1]));
    END LOOP;
END $$;
SELECT cmp_ok(pg_temp.all_sets(), '<', 1e-4::float8, 'the instruction set may change between two rows');
RESET aiaas.isa;

-- ---- what changes between statements -----------------------------------------------------------------------------

SELECT pg_temp.train('m', '{"seed": 1}'), pg_temp.train('m', '{"seed": 2}') \g /dev/null
CREATE ROLE serve_reader;
SELECT aiaas_grant('m', 'serve_reader', 'predict') \g /dev/null
PREPARE ask AS SELECT aiaas_predict_proba('m', 0.1, 0.2);
PREPARE sum_up AS SELECT sum((aiaas_predict_proba('m', width, length))[1]) FROM flower;
CREATE FUNCTION pg_temp.asked() RETURNS text LANGUAGE plpgsql AS $$
DECLARE p real[]; total float8;
BEGIN
    EXECUTE 'EXECUTE ask' INTO p;
    EXECUTE 'EXECUTE sum_up' INTO total;
    FOR i IN 1..2 LOOP
        IF p = aiaas_predict_proba('m@' || i, 0.1, 0.2) AND total = (SELECT sum((aiaas_predict_proba('m@' || i, width, length))[1]) FROM flower) THEN RETURN i; END IF;
    END LOOP;
    RETURN 'neither';
END $$;
SELECT is(pg_temp.asked(), '2', 'a prepared statement asks the live version');
SELECT aiaas_deploy('m', 1) \g /dev/null
SELECT is(pg_temp.asked(), '1', 'a promotion is seen by its next execution');
SAVEPOINT s;
SELECT aiaas_deploy('m', 2) \g /dev/null
SELECT is(pg_temp.asked(), '2', 'another one');
ROLLBACK TO s;
SELECT is(pg_temp.asked(), '1', 'and that it was undone');
SELECT is(pg_temp.as_role('serve_reader', 'EXECUTE ask'), aiaas_predict_proba('m@1', 0.1, 0.2)::text, 'who may predict can execute it');
SELECT aiaas_revoke('m', 'serve_reader', 'predict') \g /dev/null
SELECT is(pg_temp.as_role('serve_reader', 'EXECUTE ask'), '42501', 'and not after the privilege is gone');
SELECT is(pg_temp.asked(), '1', 'the owner still can');
SELECT aiaas_drop('m') \g /dev/null
SELECT throws_ok('EXECUTE ask', '42704', NULL, 'a model that was dropped is not answered from memory');

-- ---- parallel workers --------------------------------------------------------------------------------------------

CREATE TABLE serve_many AS SELECT id, x5, x60, decode(lpad(to_hex(id), 4, '0'), 'hex') AS raw FROM deep, generate_series(1, 1000);
ANALYZE serve_many;
SELECT aiaas_train('raw', 'SELECT raw, id % 3 AS c FROM serve_many LIMIT 100', 'c', '[{"Dense": {"units": 3, "activation": "softmax"}}]', NULL, '{"epochs": 1}') \g /dev/null
CREATE FUNCTION pg_temp.plan(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE plan text; line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN ' || query LOOP plan := concat(plan, line); END LOOP;
    RETURN plan;
END $$;
SELECT cmp_ok(pg_relation_size('serve_many'), '>', 9000000::bigint, 'a table of some size');
SELECT matches(pg_temp.plan($$SELECT sum(aiaas_predict('x60', x60)) FROM serve_many$$), 'Gather', 'is predicted by parallel workers with the default costs');
SET LOCAL max_parallel_workers_per_gather = 0;
SELECT cmp_ok(substring(pg_temp.plan($$SELECT sum(aiaas_predict('x60', x60)) FROM serve_many$$) FROM '[.][.](\d+)')::int, '<', current_setting('jit_above_cost')::int / 2, 'and no reason to load a compiler');
ALTER TABLE serve_many SET (parallel_workers = 2);
CREATE FUNCTION pg_temp.sums(workers int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE plan text; line text; result text;
    query text := 'SELECT count(*), round(sum(aiaas_predict(''x5'', x5))::numeric, 3), round(sum(aiaas_predict(''x60'', x60))::numeric, 3), sum(aiaas_predict(''raw'', raw)) FROM serve_many';
BEGIN
    PERFORM set_config('max_parallel_workers_per_gather', workers::text, true), set_config('parallel_setup_cost', '0', true), set_config('min_parallel_table_scan_size', '0', true);
    FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) ' || query LOOP plan := concat(plan, line); END LOOP;
    IF (workers > 0) <> (plan ~ 'Workers Launched: [12]') THEN RETURN plan; END IF;
    EXECUTE 'SELECT s::text FROM (' || query || ') s' INTO result;
    RETURN result;
END $$;
SELECT is(pg_temp.sums(2), pg_temp.sums(0), 'parallel workers count the same');

SELECT * FROM finish();
ROLLBACK;
