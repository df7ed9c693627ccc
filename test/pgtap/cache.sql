-- The cache of decoded models: within its limit, least recently used first, and never wrong.
BEGIN;
SET LOCAL client_min_messages = warning;
SELECT plan(14);

CREATE TEMP TABLE t AS SELECT sin(i)::real AS x, cos(i)::real AS y, i % 2 = 0 AS c FROM generate_series(1, 40) i;
-- About 0.8 MB of weights each, and once more as the kernels want them.
SELECT aiaas_train('m' || i, 'SELECT x, y, c FROM t', 'c', '[{"Dense": {"units": 450, "activation": "relu"}}, {"Dense": {"units": 450, "activation": "relu"}}, {"Dense": {"units": 1, "activation": "sigmoid"}}]',
                   NULL, ('{"epochs": 1, "seed": ' || i || '}')::jsonb) FROM generate_series(1, 6) i \g /dev/null

CREATE FUNCTION pg_temp.cached(OUT models bigint, OUT bytes numeric) LANGUAGE sql VOLATILE AS $$
    SELECT count(*), coalesce(sum(total_bytes), 0) FROM pg_backend_memory_contexts WHERE name = 'aiaas model' $$;
CREATE TEMP TABLE answer AS SELECT 'm' || i AS m, aiaas_predict_proba('m' || i, 0.1, 0.2) AS p FROM generate_series(1, 6) i;

SELECT is((pg_temp.cached()).models, 6::bigint, 'every model that was asked is cached');
SELECT cmp_ok((pg_temp.cached()).bytes, '>', 6 * 800000::numeric, 'with its weights');
SELECT is((SELECT count(DISTINCT p) FROM answer), 6::bigint, 'they are different models');

SET LOCAL aiaas.cache_size = '6MB';
SELECT aiaas_predict('m1', 1, 2) \g /dev/null
SELECT cmp_ok((pg_temp.cached()).bytes, '<=', 6 * 1024 * 1024::numeric, 'a smaller limit holds from the next prediction on');
SELECT cmp_ok((pg_temp.cached()).models, '>=', 2::bigint, 'and is made use of');
SELECT is((SELECT count(*) FROM answer WHERE aiaas_predict_proba(m, 0.1, 0.2) IS DISTINCT FROM p), 0::bigint, 'models that were dropped come back as they were');
SET LOCAL aiaas.cache_size = '1MB';
SELECT is((SELECT count(*) FROM answer a, generate_series(1, 3) WHERE aiaas_predict_proba(a.m, 0.1, 0.2) IS DISTINCT FROM a.p), 0::bigint, 'also when only one has room');
SELECT cmp_ok((pg_temp.cached()).models, '=', 1::bigint, 'then only the last one stays');
RESET aiaas.cache_size;

SELECT aiaas_predict('m1', 1, 2), aiaas_predict('m2', 1, 2) \g /dev/null
SAVEPOINT s;
SELECT aiaas_drop('m2') \g /dev/null
SELECT throws_ok($$SELECT aiaas_predict('m2', 1, 2)$$, '42704', NULL, 'a dropped model is not answered from the cache');
SELECT aiaas_train('m2', 'SELECT x, y, c FROM t', 'c', '[{"Dense": {"units": 1, "activation": "sigmoid"}}]', NULL, '{"epochs": 1, "seed": 77}') \g /dev/null
SELECT isnt(aiaas_predict_proba('m2', 0.1, 0.2), (SELECT p FROM answer WHERE m = 'm2'), 'and not after its name was used again');
ROLLBACK TO s;
SELECT is(aiaas_predict_proba('m2', 0.1, 0.2), (SELECT p FROM answer WHERE m = 'm2'), 'after a rollback the old model is back');

-- A model that cannot be loaded leaves nothing behind.
CREATE TEMP TABLE before AS SELECT * FROM pg_temp.cached();
SELECT aiaas_train('broken', 'SELECT x, y, c FROM t', 'c', '[{"Dense": {"units": 1, "activation": "sigmoid"}}]', NULL, '{"epochs": 1}') \g /dev/null
DELETE FROM aiaas.weight WHERE version = (SELECT v.id FROM aiaas.version v JOIN aiaas.model m ON m.id = v.model WHERE m.name = 'broken')
    AND tensor = (SELECT max(tensor) FROM aiaas.weight w JOIN aiaas.version v ON v.id = w.version JOIN aiaas.model m ON m.id = v.model WHERE m.name = 'broken');
SELECT throws_ok($$SELECT aiaas_predict('broken', 1, 2)$$, 'XX001', NULL, 'a model that lost a weight is refused');
SELECT ok((SELECT c.models <= b.models FROM pg_temp.cached() c, before b), 'and not cached');

-- Two instruction sets share no packed weights.
SET LOCAL aiaas.isa = 'baseline';
SELECT ok((SELECT max(abs(u.p - v.p)) < 1e-4 FROM answer a, unnest(a.p) WITH ORDINALITY u(p, n), unnest(aiaas_predict_proba(a.m, 0.1, 0.2)) WITH ORDINALITY v(p, n) WHERE u.n = v.n),
          'another instruction set gives the same answers, up to rounding');

SELECT * FROM finish();
ROLLBACK;
