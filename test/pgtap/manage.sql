-- Versions, promotions, rollbacks and drops: what they do, what they leave, what they refuse.
BEGIN;
\ir include/models.psql
SELECT plan(73);

CREATE FUNCTION pg_temp.live(model text) RETURNS integer LANGUAGE sql VOLATILE AS
$$ SELECT live FROM aiaas.models WHERE name = model $$;
CREATE FUNCTION pg_temp.rows_left(model_id bigint) RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT (SELECT count(*) FROM aiaas.model WHERE id = model_id)
         + (SELECT count(*) FROM aiaas.privilege WHERE model = model_id)
         + (SELECT count(*) FROM aiaas.version WHERE model = model_id)
         + (SELECT count(*) FROM aiaas.deployment WHERE model = model_id)
$$;

-- Numbers.
SELECT is((pg_temp.train('m')).version, 1, 'the first version is 1');
SELECT is((pg_temp.train('m')).version, 2, 'training again makes the next version');
SELECT is((pg_temp.train('m', '{"deploy": "never"}')).version, 3, 'also when it does not go live');
SELECT is(pg_temp.live('m'), 2, 'which it did not');
SELECT is((SELECT last_version FROM aiaas.model WHERE name = 'm'), 3, 'the model remembers the highest number');

-- Deploy.
SELECT is(aiaas_deploy('m', 3), 3, 'aiaas_deploy returns the live version');
SELECT is(pg_temp.live('m'), 3, 'and it is live');
SELECT is((SELECT count(*) FROM aiaas.deployments), 3::bigint, 'the history has a row per promotion');
SELECT is(aiaas_deploy('m', 3), 3, 'deploying the live version again is no error');
SELECT is((SELECT count(*) FROM aiaas.deployments), 3::bigint, 'and no promotion');
SELECT is((SELECT array_agg(version || ' ' || reason) FROM aiaas.deployments), '{1 train,2 train,3 deploy}', 'who went live in which order, and why');
SELECT is((SELECT array_agg(version) FROM aiaas.versions WHERE live), '{3}', 'aiaas.versions marks the live one');
SELECT throws_ok($$SELECT aiaas_deploy('m', 4)$$, '42704', 'version 4 of model "m" does not exist');
SELECT throws_ok($$SELECT aiaas_deploy('m', 0)$$, '42704');
SELECT throws_ok($$SELECT aiaas_deploy('m', -1)$$, '42704');
SELECT throws_ok($$SELECT aiaas_deploy('m@2', 3)$$, '22023', 'a model''s name without a version is needed here, not "m@2"');

-- Rollback is an undo: each call goes one promotion further back.
SELECT is(aiaas_rollback('m'), 2, 'a rollback goes back one promotion');
SELECT is(aiaas_rollback('m'), 1, 'the next one goes back one further');
SELECT throws_ok($$SELECT aiaas_rollback('m')$$, '55000', 'model "m" has no earlier live version to roll back to');
SELECT is(pg_temp.live('m'), 1, 'a rollback that fails changes nothing');
SELECT is((SELECT array_agg(version || ' ' || reason || ' ' || undone) FROM aiaas.deployments),
          '{1 train false,2 train true,3 deploy true,2 rollback false,1 rollback false}', 'the history tells all of it');
SELECT is(aiaas_deploy('m', 3), 3, 'a version that was rolled back can be deployed again');
SELECT is(aiaas_rollback('m'), 1, 'and the way back leads over what was live before');
SELECT aiaas_deploy('m', 2), aiaas_deploy('m', 3) \g /dev/null
SELECT aiaas_drop('m', 2) \g /dev/null
SELECT is(aiaas_rollback('m'), 1, 'a dropped version is passed over');
SELECT aiaas_deploy('m', 3), aiaas_deploy('m', 1), aiaas_deploy('m', 3) \g /dev/null
SELECT is(aiaas_rollback('m'), 1, 'back and forth, back');
SELECT is(aiaas_rollback('m'), 3, 'and back');
SELECT is(aiaas_rollback('m'), 1, 'and back to the start');

-- Dropping a version.
SELECT throws_ok($$SELECT aiaas_drop('m', 1)$$, '55006', 'version 1 of model "m" is live');
SELECT throws_ok($$SELECT aiaas_drop('m', 2)$$, '42704', 'version 2 of model "m" does not exist');
CREATE TEMP TABLE third AS SELECT v.id FROM aiaas.version v JOIN aiaas.model m ON m.id = v.model WHERE m.name = 'm' AND v.number = 3;
SELECT isnt((SELECT count(*) FROM aiaas.weight WHERE version = (SELECT id FROM third)), 0::bigint, 'a version has weights');
SELECT isnt((SELECT count(*) FROM aiaas.metric WHERE version = (SELECT id FROM third)), 0::bigint, 'and metrics');
SELECT lives_ok($$SELECT aiaas_drop('m', 3)$$, 'a version that is not live can be dropped');
SELECT is((SELECT count(*) FROM aiaas.weight WHERE version = (SELECT id FROM third)), 0::bigint, 'its weights go with it');
SELECT is((SELECT count(*) FROM aiaas.metric WHERE version = (SELECT id FROM third)), 0::bigint, 'and its metrics');
SELECT throws_ok($$SELECT aiaas_summary('m@3')$$, '42704', 'version 3 of model "m" does not exist');
SELECT is((pg_temp.train('m')).version, 4, 'the number of a dropped version is not used again');

-- Dropping a model.
SELECT aiaas_grant('m', 'public', 'read') \g /dev/null
CREATE TEMP TABLE gone AS SELECT id FROM aiaas.model WHERE name = 'm';
SELECT lives_ok($$SELECT aiaas_drop('m')$$, 'a model can be dropped');
SELECT is(pg_temp.rows_left((SELECT id FROM gone)), 0::bigint, 'with versions, grants and history');
SELECT is((SELECT count(*) FROM aiaas.weight w WHERE NOT EXISTS (SELECT FROM aiaas.version v WHERE v.id = w.version)), 0::bigint, 'and weights');
SELECT throws_ok($$SELECT aiaas_drop('m')$$, '42704', 'model "m" does not exist');
SELECT is((pg_temp.train('m')).version, 1, 'a model of the same name is a new one');

-- A transaction that rolls back never was.
SAVEPOINT s;
SELECT pg_temp.train('m'), pg_temp.train('fleeting') \g /dev/null
SELECT aiaas_grant('m', 'public', 'all') \g /dev/null
ROLLBACK TO s;
SELECT is((SELECT array_agg(name || ' ' || live || ' ' || versions) FROM aiaas.models), '{m 1 1}', 'ROLLBACK leaves no version and no model');
SELECT is((SELECT count(*) FROM aiaas.privileges), 0::bigint, 'and no grant');
SELECT is((SELECT count(*) FROM aiaas.weight w WHERE NOT EXISTS (SELECT FROM aiaas.version v WHERE v.id = w.version)), 0::bigint, 'and no weight');
SELECT throws_ok($$SELECT aiaas_train('broken', 'SELECT width, kind FROM nowhere', 'kind', '[{"Dense": {"units": 1}}]')$$, '42P01');
SELECT is((SELECT count(*) FROM aiaas.model WHERE name = 'broken'), 0::bigint, 'a training that fails leaves no model');

-- Read-only transactions.
SAVEPOINT s;
SET LOCAL transaction_read_only = on;
SELECT throws_ok($$SELECT pg_temp.train('m')$$, '25006', 'cannot execute aiaas_train() in a read-only transaction');
SELECT throws_ok($$SELECT aiaas_deploy('m', 1)$$, '25006', 'cannot execute aiaas_deploy() in a read-only transaction');
SELECT throws_ok($$SELECT aiaas_rollback('m')$$, '25006');
SELECT throws_ok($$SELECT aiaas_drop('m')$$, '25006');
SELECT throws_ok($$SELECT aiaas_grant('m', 'public', 'read')$$, '25006');
SELECT throws_ok($$SELECT aiaas_revoke('m', 'public', 'read')$$, '25006');
SELECT lives_ok($$SELECT aiaas_summary('m'), aiaas_training_curve('m'), aiaas_classes('m'), aiaas_export('m')$$, 'reading works in a read-only transaction');
SELECT lives_ok($$SELECT aiaas_predict('m', 0.5, 0.5)$$, 'and so does predicting');
ROLLBACK TO s;

-- Names.
SELECT is((pg_temp.train(repeat('x', 200))).version, 1, 'a name has up to 200 bytes');
SELECT throws_ok($$SELECT pg_temp.train(repeat('x', 201))$$, '22023');
SELECT throws_ok($$SELECT pg_temp.train(repeat('x', 1000000))$$, '22023');
SELECT is((pg_temp.train(repeat('ä', 100))).version, 1, 'bytes are counted, not characters');
SELECT throws_ok($$SELECT pg_temp.train(repeat('ä', 101))$$, '22023');
SELECT throws_ok($$SELECT pg_temp.train('')$$, '22023', 'invalid model name ""');
SELECT throws_ok($$SELECT pg_temp.train('m@1')$$, '22023');
SELECT throws_ok(format('SELECT aiaas_summary(%L)', name), '22023', NULL, format('%L is no name', name))
FROM unnest(ARRAY['m@', '@1', 'm@0', 'm@-1', 'm@+1', 'm@1.0', 'm@x', 'm@1@1', 'm@99999999999999999999', 'm@2147483648']) name;
SELECT throws_ok($$SELECT pg_temp.train(E'a\nb')$$, '22023');
SELECT is((SELECT count(*) FROM aiaas.models), 3::bigint, 'none of the wrong names made a model');

SELECT * FROM finish();
ROLLBACK;
