-- Everything a user can see of the extension is explained in the database itself: every function, aggregate,
-- table, view, sequence, schema, language and type has a comment. Prints TAP.
CREATE TEMP TABLE member AS
SELECT pg_describe_object(d.classid, d.objid, 0) AS what,
       obj_description(d.objid, c.relname) AS comment
FROM pg_depend d
JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
JOIN pg_class c ON c.oid = d.classid
WHERE e.extname = 'aiaas'
  AND d.deptype = 'e'
  AND (d.classid IN ('pg_proc'::regclass, 'pg_namespace'::regclass, 'pg_language'::regclass,
                     'pg_type'::regclass)
       OR d.classid = 'pg_class'::regclass
          AND (SELECT relkind FROM pg_class r WHERE r.oid = d.objid) IN ('r', 'v', 'm', 'p'))
  -- the types that come with a table, and arrays, are explained by what they belong to
  AND NOT (d.classid = 'pg_type'::regclass
           AND (SELECT typrelid <> 0 OR typelem <> 0 FROM pg_type t WHERE t.oid = d.objid));

SELECT '1..' || greatest(count(*), 1) FROM member;

SELECT CASE WHEN comment IS NULL THEN 'not ok ' ELSE 'ok ' END
       || row_number() OVER (ORDER BY what) || ' - ' || what
       || CASE WHEN comment IS NULL THEN E'\n#   it has no comment: COMMENT ON ...' ELSE '' END
FROM member
ORDER BY what;

SELECT 'ok 1 - nothing is there yet # SKIP no members' WHERE NOT EXISTS (SELECT FROM member);
