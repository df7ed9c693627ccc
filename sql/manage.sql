-- Managing a model, as it looks in psql: answers, messages, hints.
\set VERBOSITY default
SET client_min_messages = warning;
CREATE ROLE regress_owner;
CREATE ROLE regress_guest;
CREATE TABLE regress_flat (sqm real, rooms integer, price real);
INSERT INTO regress_flat SELECT 30 + i, 1 + i % 4, 1000 + 10 * i FROM generate_series(1, 64) i;
GRANT SELECT ON regress_flat TO PUBLIC;
CREATE FUNCTION regress_train(model text, deploy text) RETURNS TABLE (version integer, task text, parameters bigint, live boolean)
LANGUAGE sql AS $$
    SELECT version, task, parameters, live
    FROM aiaas_train(model, 'SELECT sqm, rooms, price FROM regress_flat', 'price',
                     '[{"Dense": {"units": 2, "activation": "relu"}}, {"Dense": {"units": 1}}]',
                     options => jsonb_build_object('epochs', 1, 'loss', 'mse', 'deploy', deploy))
$$;

SET ROLE regress_owner;
SELECT * FROM regress_train('price', 'if_better');
SELECT * FROM regress_train('price', 'always');
SELECT * FROM regress_train('price', 'never');
SELECT name, owner, live, versions, task, parameters, rows FROM aiaas.models;
SELECT aiaas_deploy('price', 3);
SELECT aiaas_rollback('price');
SELECT aiaas_rollback('price');
SELECT aiaas_rollback('price');
SELECT model, version, share, reason, undone, deployed_by FROM aiaas.deployments;
SELECT aiaas_drop('price', 1);
SELECT aiaas_drop('price', 2);
SELECT aiaas_deploy('price', 2);
SELECT aiaas_deploy('prise', 1);
SELECT aiaas_deploy('price@1', 1);
SELECT aiaas_deploy('', 1);
SELECT aiaas_summary('price@one');
SELECT aiaas_grant('price', 'regress_guest', 'write');
SELECT aiaas_grant('price', 'regress_nobody', 'read');
SELECT aiaas_grant('price', 'regress_guest', 'predict');
SELECT aiaas_grant('price', 'public', 'read');
SELECT * FROM aiaas.privileges ORDER BY grantee, privilege;

SET ROLE regress_guest;
SELECT model, version, live, target, query FROM aiaas.versions ORDER BY version;
SELECT aiaas_predict('price', 50, 2) IS NOT NULL AS answered;
SELECT * FROM regress_train('price', 'always');
SELECT aiaas_drop('price');
SELECT aiaas_revoke('price', 'public', 'read');
SELECT count(*) FROM aiaas.model;
SET ROLE regress_owner;
SELECT aiaas_revoke('price', 'public', 'all');
SET ROLE regress_guest;
SELECT length(aiaas_export('price'));

RESET ROLE;
BEGIN READ ONLY;
SELECT aiaas_deploy('price', 3);
ROLLBACK;
BEGIN READ ONLY;
SELECT * FROM regress_train('price', 'always');
ROLLBACK;
SELECT aiaas_drop('price');
SELECT aiaas_summary('price');
SELECT count(*) FROM aiaas.models;
DROP FUNCTION regress_train;
DROP TABLE regress_flat;
DROP ROLE regress_owner, regress_guest;
