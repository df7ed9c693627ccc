-- Stored bytes that are not what they were: XX001 that says where, and a session that lives on.
--
-- aiaas_export reads everything anew each time, so no cache hides the damage.
BEGIN;
\ir include/models.psql

-- Three chunks in one tensor: 300,000 weights of 4 bytes.
SELECT aiaas_train('m', 'SELECT width, length, kind FROM flower', 'kind',
                   '[{"Dense": {"units": 600}}, {"Dense": {"units": 500}}, {"Dense": {"units": 2, "activation": "softmax"}}]', NULL,
                   '{"epochs": 1, "batch_size": 70}') \g /dev/null
CREATE TEMP TABLE good AS SELECT aiaas_export('m') AS file;

CREATE FUNCTION pg_temp.big() RETURNS text LANGUAGE sql AS $$ SELECT tensor FROM aiaas.weight WHERE chunk = 1 $$;

-- The error that an export meets after some damage, which is undone.
CREATE FUNCTION pg_temp.damage(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text;
    detail text;
BEGIN
    EXECUTE command;
    BEGIN
        PERFORM aiaas_export('m');
        answer := 'no error';
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
        answer := SQLSTATE || ': ' || SQLERRM || ': ' || detail;
    END;
    RAISE EXCEPTION USING ERRCODE = 'UNDO1', MESSAGE = answer;
EXCEPTION WHEN SQLSTATE 'UNDO1' THEN
    RETURN SQLERRM;
END
$$;

-- Command and what the detail has to say. A changed byte with a right sum is what only the engine can notice.
CREATE TEMP TABLE damage (what text, command text, detail text);
INSERT INTO damage VALUES
('a flipped bit', $$UPDATE aiaas.weight SET data = set_bit(data, 4000001, 1 - get_bit(data, 4000001)) WHERE tensor = pg_temp.big() AND chunk = 0$$, 'chunk 0.*checksum'),
('a wrong sum', $$UPDATE aiaas.weight SET crc = crc # 1 WHERE tensor = pg_temp.big() AND chunk = 1$$, 'chunk 1.*checksum'),
('a truncated chunk', $$UPDATE aiaas.weight SET data = substr(data, 1, length(data) - 1) WHERE tensor = pg_temp.big() AND chunk = 1$$, 'chunk 1.*checksum'),
('an emptied chunk with a right sum', $$UPDATE aiaas.weight SET data = '', crc = 0 WHERE tensor = pg_temp.big() AND chunk = 1$$, 'chunk 1'),
('a missing first chunk', $$DELETE FROM aiaas.weight WHERE tensor = pg_temp.big() AND chunk = 0$$, 'chunk 0 is missing'),
('a missing last chunk', $$DELETE FROM aiaas.weight WHERE tensor = pg_temp.big() AND chunk = 1$$, '[0-9]+ of its [0-9]+ bytes'),
('a gap in the numbers', $$UPDATE aiaas.weight SET chunk = 2 WHERE tensor = pg_temp.big() AND chunk = 1$$, 'chunk 1 is missing'),
('a surplus chunk', $$INSERT INTO aiaas.weight SELECT version, tensor, 2, data, crc FROM aiaas.weight WHERE tensor = pg_temp.big() AND chunk = 1$$, 'chunk 2'),
('chunks that changed places', $$UPDATE aiaas.weight SET chunk = CASE chunk WHEN 0 THEN 1001 ELSE 1000 END WHERE tensor = pg_temp.big(); UPDATE aiaas.weight SET chunk = chunk - 1000 WHERE chunk >= 1000$$, NULL),
('a missing tensor', $$DELETE FROM aiaas.weight WHERE tensor = pg_temp.big()$$, '0 of its [0-9]+ bytes'),
('an unknown tensor', $$INSERT INTO aiaas.weight SELECT version, 'stranger', 0, data, crc FROM aiaas.weight WHERE tensor = pg_temp.big() AND chunk = 1$$, 'stranger'),
('an unknown tensor in place of another', $$UPDATE aiaas.weight SET tensor = 'a stranger' WHERE tensor = pg_temp.big()$$, 'a stranger'),
('no weights at all', $$DELETE FROM aiaas.weight$$, 'bytes'),
('a flipped bit in the graph', $$UPDATE aiaas.version SET graph = set_byte(graph, 100, get_byte(graph, 100) # 1)$$, 'checksum of the graph'),
('a wrong sum of the graph', $$UPDATE aiaas.version SET graph_crc = 0$$, 'checksum of the graph'),
('a truncated graph', $$UPDATE aiaas.version SET graph = substr(graph, 1, length(graph) / 2)$$, 'checksum of the graph'),
('an empty graph with a right sum', $$UPDATE aiaas.version SET graph = '', graph_crc = 0$$, 'graph'),
('garbage with a right sum', $$UPDATE aiaas.version SET graph = '123456789', graph_crc = 3808858755$$, 'graph');

SELECT plan((SELECT count(*) FROM damage)::int * 2 + 8);
-- two points a row, a line each
\pset fieldsep '\n'
SELECT matches(pg_temp.damage(command), '^XX001: stored version 1 of model "m" is damaged: .*' || coalesce(detail, ''), what || ' is noticed'),
       is(aiaas_export('m'), file, 'and the session lives on')
FROM damage, good;

-- Whoever else reads the version says the same.
SELECT is(substr(pg_temp.damage($$UPDATE aiaas.version SET graph = '123456789', graph_crc = 3808858755$$), 1, 5), 'XX001', 'CRC-32C of "123456789" is e3069283');
UPDATE aiaas.version SET graph_crc = graph_crc # 1, uuid = gen_random_uuid();
SELECT throws_ok($$SELECT aiaas_summary('m')$$, 'XX001', 'stored version 1 of model "m" is damaged');
SELECT throws_ok($$SELECT aiaas_predict('m', 0.5, 0.5)$$, 'XX001', 'stored version 1 of model "m" is damaged');
SELECT throws_ok($$SELECT * FROM aiaas_evaluate('m', 'SELECT width, length, kind FROM flower')$$, 'XX001', 'stored version 1 of model "m" is damaged');
SELECT is(aiaas_classes('m'), '{0,1}', 'what does not need the bytes still works');
SELECT lives_ok($$SELECT aiaas_training_curve('m')$$, 'so does the curve');
SELECT lives_ok($$SELECT aiaas_drop('m')$$, 'and a damaged model can be dropped');
SELECT is((SELECT count(*) FROM aiaas.weight), 0::bigint, 'with what is left of it');

SELECT * FROM finish();
ROLLBACK;
