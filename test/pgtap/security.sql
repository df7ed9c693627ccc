-- What users must not be able to do, and what damaged rows must not do.
BEGIN;
\ir include/models.psql
SELECT plan(78);

CREATE ROLE s_owner;
CREATE ROLE s_thief;
CREATE ROLE s_reader;
SET LOCAL ROLE s_owner;
SELECT pg_temp.train('secret') \g /dev/null
SELECT aiaas_grant('secret', 's_reader', 'read') \g /dev/null
RESET ROLE;

-- The tables are out of reach, even for the owner of a model.
SELECT is(pg_temp.try_as_role(role, format(command, t)), '42501', role || ': ' || format(command, t))
FROM unnest('{s_owner,s_thief}'::text[]) role,
     unnest('{model,privilege,version,weight,metric,deployment}'::text[]) t,
     unnest('{SELECT * FROM aiaas.%I,INSERT INTO aiaas.%I DEFAULT VALUES,DELETE FROM aiaas.%I,TRUNCATE aiaas.%I CASCADE}'::text[]) command;
SELECT is(pg_temp.try_as_role('s_owner', 'UPDATE aiaas.model SET owner = 0'), '42501', 's_owner: UPDATE');
SELECT is(pg_temp.try_as_role('s_thief', 'CREATE TABLE aiaas.mine (x int)'), '42501', 'nobody creates tables in the schema');
SELECT is(pg_temp.try_as_role('s_thief', 'DROP VIEW aiaas.models'), '42501', 'or drops a view');
SELECT is(pg_temp.try_as_role('s_thief', 'UPDATE aiaas.models SET owner = 0'), '55000', 'or writes through one');

-- A condition that leaks what it is asked about sees no row that the view hides.
CREATE TEMP TABLE leak (what text);
GRANT INSERT, SELECT ON leak TO PUBLIC;
CREATE FUNCTION pg_temp.leaky(name text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS
$$ BEGIN INSERT INTO leak VALUES (name); RETURN true; END $$;
SELECT is(pg_temp.as_role('s_thief', 'SELECT count(*) FROM aiaas.models WHERE pg_temp.leaky(name)'), '0', 'a leaky condition finds nothing');
SELECT is(pg_temp.as_role('s_thief', 'SELECT count(*) FROM aiaas.versions WHERE pg_temp.leaky(query)'), '0');
SELECT is((SELECT count(*) FROM leak), 0::bigint, 'and was shown nothing');
SELECT is(pg_temp.as_role('s_reader', 'SELECT count(*) FROM aiaas.versions WHERE pg_temp.leaky(query)'), '1', 'a grantee sees the version');
SELECT is((SELECT array_agg(what) FROM leak), '{NULL}', 'and not its query');

-- Near names are told only to those who may see them.
CREATE FUNCTION pg_temp.hint_for(who text, command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE hint text;
BEGIN
    PERFORM set_config('role', who, true);
    BEGIN
        EXECUTE command;
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
    END;
    PERFORM set_config('role', 'none', true);
    RETURN hint;
END
$$;
SELECT matches(pg_temp.hint_for('s_owner', $$SELECT aiaas_summary('secre')$$), 'secret', 'the owner is told the nearest name');
SELECT doesnt_match(pg_temp.hint_for('s_thief', $$SELECT aiaas_summary('secre')$$), 'secret', 'a stranger is not');

-- Statements of the C code run with a pinned search_path and in the owner's name: what a user puts in
-- front of pg_catalog is not called.
GRANT CREATE ON DATABASE :DBNAME TO s_thief;
SET LOCAL ROLE s_thief;
CREATE SCHEMA trap;
CREATE TABLE trap.log (what text);
GRANT INSERT, SELECT ON trap.log TO PUBLIC;
GRANT USAGE ON SCHEMA trap TO PUBLIC;
CREATE FUNCTION trap.eq(bigint, bigint) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN INSERT INTO trap.log VALUES ('eq ' || current_user); RETURN true; END $$;
CREATE OPERATOR trap.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = trap.eq);
CREATE FUNCTION trap.unnest(text[]) RETURNS SETOF text LANGUAGE plpgsql AS $$ BEGIN INSERT INTO trap.log VALUES ('unnest ' || current_user); RETURN NEXT 'predict'; END $$;
RESET ROLE;
SELECT set_config('search_path', 'trap, pg_catalog, ' || current_setting('search_path'), true) \g /dev/null
SELECT 1::bigint = 2::bigint \g /dev/null
SELECT ok((SELECT count(*) > 0 FROM trap.log), 'the trap is set: it catches what runs under this search_path');
DELETE FROM trap.log;
SELECT is(pg_temp.as_role('s_owner', $$SELECT (pg_temp.train('secret')).version$$), '2', 'training under a hostile search_path');
SELECT is(pg_temp.as_role('s_owner', $$SELECT aiaas_rollback('secret')$$), '1', 'rolling back');
SELECT is(pg_temp.as_role('s_owner', $$SELECT aiaas_deploy('secret', 2)$$), '2', 'deploying');
SELECT is(pg_temp.as_role('s_owner', $$SELECT aiaas_grant('secret', 's_reader', 'all')$$), '', 'granting');
SELECT is(pg_temp.as_role('s_owner', $$SELECT aiaas_drop('secret', 1)$$), '', 'dropping');
SELECT is(pg_temp.as_role('s_owner', $$SELECT name FROM aiaas.models$$), 'secret', 'and looking');
SELECT pg_catalog.set_config('search_path', pg_catalog.replace(pg_catalog.current_setting('search_path'), 'trap, pg_catalog, ', ''), true) \g /dev/null
SELECT is((SELECT count(*) FROM trap.log), 0::bigint, 'ran nothing of the user''s');
SELECT is(pg_temp.as_role('s_owner', $$SELECT current_user FROM aiaas_deploy('secret', 2)$$), 's_owner', 'the user is who he was');

-- The query of a training runs as its caller.
CREATE TABLE vault (width real, kind integer);
INSERT INTO vault SELECT i, i % 2 FROM generate_series(1, 20) i;
SELECT is(pg_temp.try_as_role('s_thief', $$SELECT aiaas_train('t', 'SELECT width, kind FROM vault', 'kind', '[{"Dense": {"units": 2, "activation": "softmax"}}]')$$), '42501', 'no training on a table that the caller cannot read');
SELECT is(pg_temp.try_as_role('s_thief', $$SELECT aiaas_train('t', 'SELECT 1.0 AS width, id AS kind FROM aiaas.model', 'kind', '[{"Dense": {"units": 1}}]')$$), '42501', 'nor on the catalog');

-- Names are data.
SELECT is((pg_temp.train(name)).version, 1, 'trains a model named ' || name)
FROM unnest(ARRAY['''; DROP TABLE aiaas.model; --', '$1', '"x"', '%s%n', 'a''b\', '$$']) name;
SELECT is((SELECT count(*) FROM aiaas.models), 7::bigint, 'they are all there');
SELECT lives_ok(format('SELECT aiaas_summary(%L); SELECT aiaas_grant(%1$L, ''public'', ''predict''); SELECT aiaas_drop(%1$L)', name), 'and can be used and dropped')
FROM (SELECT name FROM aiaas.models WHERE name LIKE '%DROP%') m;

SELECT * FROM finish();
ROLLBACK;
