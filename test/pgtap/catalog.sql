-- The shape of the catalog: what the C code, pg_dump and pg_upgrade rely on.
BEGIN;

CREATE TEMP VIEW relation AS
SELECT c.oid, c.relname, c.relkind, c.relacl, c.reloptions, c.relowner
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'aiaas' AND c.relkind IN ('r', 'v', 'S');

CREATE TEMP VIEW routine AS
SELECT p.oid, p.proname, p.provolatile, p.proparallel, p.proisstrict, p.proretset, p.prosecdef, p.probin,
       p.oid::regprocedure::text AS signature
FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
WHERE e.extname = 'aiaas';

SELECT plan(35 + (SELECT count(*) FROM routine)::int);

-- Members, rights, dump.
SELECT is((SELECT array_agg(relname ORDER BY relname) FROM relation WHERE relkind = 'r'),
          '{deployment,feature,metric,model,privilege,version,weight}'::name[], 'the tables');
SELECT is((SELECT array_agg(relname ORDER BY relname) FROM relation WHERE relkind = 'v'),
          '{deployments,features,metrics,models,privileges,versions}'::name[], 'the views');
SELECT is((SELECT array_agg(oid::regclass::text ORDER BY relname) FROM relation WHERE relkind IN ('r', 'S')),
          (SELECT array_agg(c::regclass::text ORDER BY c::regclass::text) FROM pg_extension, unnest(extconfig) c WHERE extname = 'aiaas'),
          'every table and every sequence is dumped');
SELECT is((SELECT array_agg(DISTINCT x) FROM pg_extension, unnest(extcondition) x WHERE extname = 'aiaas'), '{""}', 'with all rows');
SELECT is((SELECT count(*) FROM relation, aclexplode(relacl) a WHERE relkind IN ('r', 'S') AND a.grantee = 0), 0::bigint, 'PUBLIC has no privilege on a table or a sequence');
SELECT is((SELECT count(*) FROM relation, aclexplode(relacl) a WHERE relkind = 'v' AND a.grantee = 0 AND a.privilege_type <> 'SELECT'), 0::bigint, 'PUBLIC can only read the views');
SELECT is((SELECT count(*) FROM relation WHERE relkind = 'v' AND NOT coalesce(reloptions @> '{security_barrier=true}', false)), 0::bigint, 'every view is a security barrier');
SELECT is((SELECT count(*) FROM relation WHERE relkind = 'v' AND reloptions @> '{security_invoker=true}'), 0::bigint, 'and runs with its owner''s rights');
SELECT ok(has_schema_privilege('pg_monitor', 'aiaas', 'USAGE'), 'anybody can use the schema');
SELECT ok(NOT has_schema_privilege('pg_monitor', 'aiaas', 'CREATE'), 'and nobody can create in it');
SELECT is((SELECT sum((xpath('/row/n/text()', query_to_xml(format('SELECT count(*) AS n FROM aiaas.%I', relname), false, true, '')))[1]::text::int)
           FROM relation WHERE relkind = 'r'), 0::bigint, 'the script writes no rows');
SELECT ok((SELECT NOT extrelocatable FROM pg_extension WHERE extname = 'aiaas'), 'the extension cannot be moved');

-- Columns.
SELECT is((SELECT array_agg(DISTINCT a.atttypid::regtype::text ORDER BY a.atttypid::regtype::text) FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid
           WHERE r.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped),
          '{bigint,boolean,bytea,"double precision",integer,jsonb,regrole,text,"timestamp with time zone",uuid}',
          'only types that survive dump, restore and pg_upgrade');
SELECT is((SELECT array_agg(attname ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'aiaas.model'::regclass AND attnum > 0),
          '{id,name,owner,live,last_version,created}'::name[], 'columns of model, as C numbers them');
SELECT is((SELECT array_agg(attname ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'aiaas.privilege'::regclass AND attnum > 0),
          '{model,grantee,privilege,grantor}'::name[], 'columns of privilege');
SELECT is((SELECT array_agg(attname ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'aiaas.version'::regclass AND attnum > 0),
          '{id,model,number,uuid,status,task,algorithm,layers,options,features,labels,label_type,query,target,rows,parameters,
            epochs,seed,data_hash,engine_version,trained_by,trained_at,seconds,graph,graph_crc}'::name[], 'columns of version');
SELECT is((SELECT array_agg(attname ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'aiaas.weight'::regclass AND attnum > 0),
          '{version,tensor,chunk,data,crc}'::name[], 'columns of weight');
SELECT is((SELECT array_agg(attname ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'aiaas.metric'::regclass AND attnum > 0),
          '{version,split,epoch,name,value}'::name[], 'columns of metric');
SELECT is((SELECT array_agg(attname ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'aiaas.feature'::regclass AND attnum > 0),
          '{version,place,name,type,encoding,left_out,statistics}'::name[], 'columns of feature');
SELECT is((SELECT attstorage FROM pg_attribute WHERE attrelid = 'aiaas.weight'::regclass AND attname = 'data'), 'e'::"char", 'weights are stored out of line and uncompressed');
SELECT is((SELECT count(*) FROM pg_index i JOIN relation r ON r.oid = i.indrelid CROSS JOIN LATERAL unnest(i.indkey::int2[], i.indcollation::oid[]) k(attnum, coll)
           WHERE k.coll NOT IN (0, 'pg_catalog."C"'::regcollation)), 0::bigint, 'no index depends on a locale');
SELECT is((SELECT count(*) FROM pg_constraint c JOIN relation r ON r.oid = c.conrelid WHERE c.contype = 'f'), 0::bigint, 'no foreign key stands in the way of a parallel restore');
SELECT is((SELECT array_agg(tgrelid::regclass::text ORDER BY tgrelid::regclass::text) FROM pg_trigger WHERE tgfoid = 'aiaas.delete_parts'::regproc), '{aiaas.model,aiaas.version}', 'triggers delete what belongs to a row that goes');

-- Functions.
SELECT isnt(obj_description(oid, 'pg_proc'), NULL, signature || ' has a comment') FROM routine;
SELECT is((SELECT count(*) FROM relation r WHERE obj_description(r.oid, 'pg_class') IS NULL AND relkind <> 'S'), 0::bigint, 'every table and view has a comment');
SELECT is((SELECT array_agg(proname ORDER BY proname) FROM routine WHERE proname LIKE 'aiaas\_predict%' AND provolatile = 's' AND proparallel = 's' AND NOT proisstrict),
          '{aiaas_predict,aiaas_predict_label,aiaas_predict_proba,aiaas_predict_vector}'::name[], 'predictions are STABLE, PARALLEL SAFE and not strict');
SELECT is((SELECT count(*) FROM routine WHERE proname ~ 'aiaas_(train|deploy|rollback|drop|grant|revoke)' AND proname !~ 'curve' AND (provolatile <> 'v' OR proparallel <> 'u')), 0::bigint,
          'what writes is VOLATILE and PARALLEL UNSAFE');
SELECT is((SELECT count(*) FROM routine WHERE prosecdef), 0::bigint, 'nothing is SECURITY DEFINER');
SELECT is((SELECT array_agg(signature) FROM routine WHERE proisstrict), '{"aiaas.has_privilege(bigint,text)"}', 'a NULL model is an error and not NULL');
SELECT throws_ok($$SELECT aiaas_predict(NULL, 1.0)$$, '22004', NULL, 'aiaas_predict refuses a NULL model');
SELECT throws_ok($$SELECT aiaas_summary(NULL)$$, '22004', 'argument "model" must not be null');
SELECT throws_ok($$SELECT aiaas_deploy('m', NULL)$$, '22004', 'argument "version" must not be null');
SELECT throws_ok($$SELECT aiaas_grant('m', NULL, 'all')$$, '22004', 'argument "role" must not be null');
SELECT throws_ok($$SELECT aiaas_grant('m', 'public', NULL)$$, '22004', 'argument "privilege" must not be null');
SELECT throws_ok($$SELECT aiaas_drop(NULL)$$, '22004', 'argument "model" must not be null');
SELECT throws_ok($$SELECT * FROM aiaas_train(NULL, 'SELECT 1')$$, '22004', NULL, 'aiaas_train refuses a NULL model');

SELECT * FROM finish();
ROLLBACK;
