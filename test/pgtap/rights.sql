-- Who may do what with a model: every function against every kind of role.
BEGIN;
\ir include/models.psql

CREATE ROLE t_owner;
CREATE ROLE t_member IN ROLE t_owner;
CREATE ROLE t_noinherit NOINHERIT IN ROLE t_owner;
CREATE ROLE t_predict;
CREATE ROLE t_train;
CREATE ROLE t_read;
CREATE ROLE t_all;
CREATE ROLE t_member_of_predict IN ROLE t_predict;
CREATE ROLE t_stranger;
CREATE ROLE t_super SUPERUSER;

SET LOCAL ROLE t_owner;
DO $$ BEGIN PERFORM pg_temp.train('m'); PERFORM pg_temp.train('m'); END $$;
SELECT aiaas_grant('m', 't_predict', 'predict'), aiaas_grant('m', 't_train', 'train'),
       aiaas_grant('m', 't_read', 'read'), aiaas_grant('m', 't_all', 'all') \g /dev/null
RESET ROLE;

CREATE TEMP TABLE call (command text, needs text);
INSERT INTO call VALUES
    ($$SELECT pg_temp.train('m')$$, 'train'),
    ($$SELECT * FROM aiaas_evaluate('m', 'SELECT width, length, kind FROM flower')$$, 'predict'),
    ($$SELECT * FROM aiaas_confusion_matrix('m', 'SELECT width, length, kind FROM flower')$$, 'predict'),
    ($$SELECT aiaas_predict('m', 0.5, 0.5)$$, 'predict'),
    ($$SELECT aiaas_predict('m@1', 0.5, 0.5)$$, 'predict'),
    ($$SELECT aiaas_predict_label('m', 0.5, 0.5)$$, 'predict'),
    ($$SELECT aiaas_predict_proba('m', 0.5, 0.5)$$, 'predict'),
    ($$SELECT aiaas_predict_vector('m', 0.5, 0.5)$$, 'predict'),
    ($$SELECT aiaas_export('m')$$, 'read'),
    ($$SELECT aiaas_classes('m')$$, 'any'),
    ($$SELECT aiaas_summary('m')$$, 'any'),
    ($$SELECT aiaas_training_curve('m@2')$$, 'any'),
    ($$SELECT aiaas_deploy('m', 1)$$, 'own'),
    ($$SELECT aiaas_rollback('m')$$, 'own'),
    ($$SELECT aiaas_drop('m', 1)$$, 'own'),
    ($$SELECT aiaas_drop('m')$$, 'own'),
    ($$SELECT aiaas_grant('m', 't_stranger', 'predict')$$, 'own'),
    ($$SELECT aiaas_grant('m', 'public', 'all')$$, 'own'),
    ($$SELECT aiaas_revoke('m', 't_predict', 'all')$$, 'own');

CREATE TEMP TABLE holder (role text, has text[]);
INSERT INTO holder VALUES
    ('t_owner', '{predict,train,read,any,own}'),
    ('t_member', '{predict,train,read,any,own}'),
    ('t_super', '{predict,train,read,any,own}'),
    ('t_noinherit', '{}'),
    ('t_predict', '{predict,any}'),
    ('t_member_of_predict', '{predict,any}'),
    ('t_train', '{train,any}'),
    ('t_read', '{read,any}'),
    ('t_all', '{predict,train,read,any}'),
    ('t_stranger', '{}');

SELECT plan((SELECT count(*) FROM call, holder)::int + 42);

SELECT is(pg_temp.try_as_role(role, command), CASE WHEN needs = ANY (has) THEN 'ok' ELSE '42501' END,
          role || ': ' || command)
FROM holder, call;

-- What aiaas.has_privilege says is what the functions do.
SELECT is((SELECT string_agg(p, ',' ORDER BY p)
             FROM unnest('{predict,train,read,own,any}'::text[]) p
            WHERE pg_temp.as_role(role, format('SELECT aiaas.has_privilege(%s, %L)',
                                               (SELECT id FROM aiaas.model WHERE name = 'm'), p)) = 'true'),
          (SELECT string_agg(h, ',' ORDER BY h) FROM unnest(has) h),
          role || ' has the privileges that aiaas.has_privilege tells')
FROM holder;
SELECT is(aiaas.has_privilege(-1, 'any'), false, 'nobody has a privilege on a model that does not exist');
SELECT throws_ok($$SELECT aiaas.has_privilege(1, 'paint')$$, '22023', 'unknown privilege "paint"');

-- Views show what the current user may see.
SELECT is(pg_temp.as_role(role, 'SELECT count(*) FROM aiaas.models'), CASE WHEN 'any' = ANY (has) THEN '1' ELSE '0' END,
          role || ' sees the model in aiaas.models, or does not')
FROM holder;
SELECT is(pg_temp.as_role('t_stranger', format('SELECT count(*) FROM aiaas.%I', v)), '0', 'a stranger sees nothing in aiaas.' || v)
FROM unnest('{versions,metrics,features,deployments,privileges}'::text[]) v;
SELECT isnt(pg_temp.as_role('t_owner', 'SELECT query FROM aiaas.versions'), NULL, 'the owner sees the query');
SELECT is(pg_temp.as_role('t_all', 'SELECT query FROM aiaas.versions'), NULL, 'a grantee does not see the query');

-- Grants to PUBLIC, and revoking.
SELECT aiaas_grant('m', 'public', 'predict') \g /dev/null
SELECT is(pg_temp.try_as_role('t_stranger', $$SELECT aiaas_predict('m', 0.5, 0.5)$$), 'ok', 'a grant to public reaches a stranger');
SELECT is(pg_temp.try_as_role('t_stranger', $$SELECT aiaas_export('m')$$), '42501', 'and nothing but that privilege');
SELECT is((SELECT grantee FROM aiaas.privileges WHERE grantor::text <> 't_owner'), 'public', 'aiaas.privileges says public, and who granted');
SELECT aiaas_revoke('m', 'public', 'all') \g /dev/null
SELECT is(pg_temp.try_as_role('t_stranger', $$SELECT aiaas_predict('m', 0.5, 0.5)$$), '42501', 'revoked from public');
SELECT aiaas_revoke('m', 't_all', 'read') \g /dev/null
SELECT is(pg_temp.try_as_role('t_all', $$SELECT aiaas_export('m')$$), '42501', 'one privilege of all is revoked');
SELECT is(pg_temp.try_as_role('t_all', $$SELECT aiaas_predict('m', 0.5, 0.5)$$), 'ok', 'the others stay');

-- Granting and revoking twice changes nothing.
SELECT lives_ok($$SELECT aiaas_grant('m', 't_predict', 'predict')$$, 'granting twice is no error');
SELECT is((SELECT count(*) FROM aiaas.privilege WHERE grantee = 't_predict'::regrole), 1::bigint, 'and makes no second row');
SELECT lives_ok($$SELECT aiaas_revoke('m', 't_stranger', 'all')$$, 'revoking what was not granted is no error');

-- A role that is gone.
CREATE ROLE t_gone;
GRANT t_gone TO t_stranger;
SELECT is(pg_temp.as_role('t_gone', $$SELECT (pg_temp.train('orphan')).version$$), '1', 'a role trains a model');
DROP ROLE t_gone;
SELECT is(pg_temp.try_as_role('t_stranger', $$SELECT aiaas_deploy('orphan', 1)$$), '42501', 'the model of a role that is gone belongs to nobody');
SELECT is(pg_temp.try_as_role('t_super', $$SELECT aiaas_drop('orphan')$$), 'ok', 'a superuser can drop it');
SELECT is((SELECT count(*) FROM aiaas.models WHERE name = 'orphan'), 1::bigint, 'and aiaas.models shows it');

SELECT * FROM finish();
ROLLBACK;
