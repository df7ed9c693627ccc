-- aiaas_train: what it returns, what it stores, which task it chooses, which version goes live.
BEGIN;
SET LOCAL client_min_messages = warning;
SELECT plan(59);

CREATE TEMP TABLE point AS
SELECT i AS id, x, y, (x > 0) = (y > 0) AS same,
       CASE WHEN (x > 0) = (y > 0) THEN 'same' ELSE 'different' END AS side,
       2 * x - y + 1 AS height
FROM (SELECT i, sin(i * 12.9898)::real AS x, cos(i * 78.233)::real AS y FROM generate_series(1, 400) i) s;

CREATE FUNCTION pg_temp.train(model text, query text, layers text, options text DEFAULT '{}',
                              target text DEFAULT NULL)
RETURNS aiaas.train_result LANGUAGE sql AS $$
    SELECT aiaas_train(model, query, target, layers::jsonb, NULL,
                       '{"learning_rate": 0.02}'::jsonb || options::jsonb)
$$;
CREATE FUNCTION pg_temp.classes(model text) RETURNS text LANGUAGE sql AS $$
    SELECT array_to_string(aiaas_classes(model), ' ')
$$;
\set two '[{"Dense": {"units": 16, "activation": "relu"}}, {"Dense": {"units": 2, "activation": "softmax"}}]'
\set one '[{"Dense": {"units": 1}}]'

-- A classifier on text.
CREATE TEMP TABLE result AS
SELECT * FROM pg_temp.train('side', 'SELECT x, y, side FROM point ORDER BY id', :'two',
                            '{"epochs": 60, "validation_split": 0.25}');
SELECT is(r.model, 'side', 'the result names the model') FROM result r;
SELECT is(version, 1, 'its version') FROM result;
SELECT is(task, 'classification', 'the task') FROM result;
SELECT is(epochs, 60, 'the epochs') FROM result;
SELECT is(rows, 400::bigint, 'the rows of the query') FROM result;
SELECT is(parameters, 82::bigint, 'the parameters') FROM result;
SELECT cmp_ok(seconds, '>', 0::float8, 'the seconds') FROM result;
SELECT is(live, true, 'the first version is live') FROM result;
SELECT is((SELECT array_agg(k ORDER BY k) FROM result, jsonb_object_keys(metrics) k),
          '{accuracy,loss,val_accuracy,val_loss}', 'and the metrics of both splits');
SELECT cmp_ok((metrics->>'accuracy')::float8, '>', 0.9::float8, 'it learned the training rows') FROM result;
SELECT cmp_ok((metrics->>'val_accuracy')::float8, '>', 0.85::float8, 'and what they have in common') FROM result;
SELECT is(pg_temp.classes('side'), 'different same', 'classes of text are sorted');

SELECT is((SELECT count(*) FROM aiaas.metric), (60 * 4 + 2)::bigint, 'every epoch leaves its figures, and the final ones');
SELECT is((SELECT value FROM aiaas.metric WHERE split = 'final' AND name = 'accuracy'),
          (SELECT (metrics->>'val_accuracy')::float8 FROM result), 'the final figures are those of the validation rows');
SELECT is((SELECT features FROM aiaas.version),
          '[{"name": "x", "type": "real", "width": 1}, {"name": "y", "type": "real", "width": 1}]'::jsonb, 'the features are stored');
SELECT is((SELECT labels FROM aiaas.version), '["different", "same"]'::jsonb, 'the labels too');
SELECT is((SELECT label_type || ' ' || target || ' ' || rows || ' ' || seed || ' ' || epochs || ' ' || length(data_hash)
           FROM aiaas.version), 'text side 400 0 60 16', 'and what the training was made of');

-- Which task: the loss decides, then the last activation, then the target.
SELECT is((pg_temp.train('t1', 'SELECT x, y, height FROM point', :'one', '{"epochs": 1}')).task, 'regression', 'a float is a number');
SELECT is((pg_temp.train('t2', 'SELECT x, y, height::numeric FROM point', :'one', '{"epochs": 1}')).task, 'regression', 'a numeric is a number');
SELECT is((pg_temp.train('t3', 'SELECT x, y, same FROM point', :'two', '{"epochs": 1}')).task, 'classification', 'a boolean is a class');
SELECT is(pg_temp.classes('t3'), 'false true', 'false comes before true');
SELECT is((pg_temp.train('t4', 'SELECT x, y, id % 20 AS c FROM point', '[{"Dense": {"units": 20}}]', '{"epochs": 1}')).task,
          'classification', 'twenty different integers are classes');
SELECT is(pg_temp.classes('t4'), '0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19', 'in the order of numbers');
SELECT is((pg_temp.train('t5', 'SELECT x, y, id % 21 AS c FROM point', :'one', '{"epochs": 1}')).task,
          'regression', 'twenty-one are numbers');
SELECT is((pg_temp.train('t6', 'SELECT x, y, id % 3 AS c FROM point', :'one', '{"epochs": 1, "loss": "mse"}')).task,
          'regression', 'unless the loss says otherwise');
SELECT is((pg_temp.train('t7', 'SELECT x, y, id % 40 AS c FROM point', '[{"Dense": {"units": 40, "activation": "softmax"}}]',
                         '{"epochs": 1}')).task, 'classification', 'or the last activation');
SELECT is((pg_temp.train('t8', 'SELECT x, y, (id % 3)::float8 / 2 AS c FROM point',
                         '[{"Dense": {"units": 3, "activation": "softmax"}}]', '{"epochs": 1}')).task,
          'classification', 'floats can be classes too');
SELECT is(pg_temp.classes('t8'), '0 0.5 1', 'and are spelled as floats are');
CREATE TYPE pg_temp.size AS ENUM ('small', 'large', 'huge');
ALTER TYPE pg_temp.size ADD VALUE 'medium' AFTER 'small';
SELECT is((pg_temp.train('t9', $$SELECT x, y, (ARRAY['huge', 'small', 'large'])[id % 3 + 1]::pg_temp.size AS size FROM point$$,
                         '[{"Dense": {"units": 3, "activation": "softmax"}}]', '{"epochs": 1}')).task, 'classification', 'an enum is a class');
SELECT is(pg_temp.classes('t9'), 'small large huge', 'in the order of the type');
SELECT is((pg_temp.train('t10', $$SELECT x, y, (ARRAY['b', 'B', 'a '])[id % 3 + 1]::char(2) AS size FROM point$$,
                         '[{"Dense": {"units": 3, "activation": "softmax"}}]', '{"epochs": 1}')).task, 'classification', 'character(n) is a class');
SELECT is(aiaas_classes('t10'), '{B,a,b}', 'without its padding, in the order of bytes');
SELECT is((pg_temp.train('t11', 'SELECT x, y, ARRAY[x + y, x - y, 1] AS v FROM point', '[{"Dense": {"units": 3}}]', '{"epochs": 1}')).task,
          'regression', 'an array is several numbers');
SELECT is((pg_temp.train('t12', 'SELECT x, y, same FROM point', '[{"Dense": {"units": 1, "activation": "sigmoid"}}]', '{"epochs": 1}')).task,
          'classification', 'a sigmoid makes two classes');

-- Features.
SELECT is((pg_temp.train('f1', 'SELECT id::smallint AS a, id AS b, id::bigint AS c, x AS d, y::float8 AS e, id::numeric AS f, same AS g, ARRAY[x, y] AS h, height FROM point',
                         :'one', '{"epochs": 1, "learning_rate": 1e-6}')).parameters, 10::bigint, 'all numeric types, booleans and arrays are features');
SELECT is((pg_temp.train('f2', 'SELECT height, x, y FROM point', :'one', '{"epochs": 1}', 'height')).parameters, 3::bigint, 'the target can be any column');
SELECT is((SELECT features->0->>'width' FROM aiaas.version v JOIN aiaas.model m ON m.id = v.model WHERE name = 'f1' LIMIT 1), '1', 'a width per feature');
CREATE DOMAIN pg_temp.level AS real CHECK (VALUE < 100);
SELECT is((pg_temp.train('f3', 'SELECT x::pg_temp.level AS x, ARRAY[[y, x], [1, 2]]::pg_temp.level[] AS m, height::pg_temp.level FROM point', :'one', '{"epochs": 1}')).parameters,
          6::bigint, 'domains are looked through, and matrices are flattened');
SELECT is((pg_temp.train('f4', 'VALUES (1, 2), (2, 4), (3, 6)', :'one', '{"epochs": 1, "loss": "mse"}')).rows, 3::bigint, 'VALUES is a query');
SELECT is((pg_temp.train('f5', 'WITH p AS (SELECT x, y FROM point) SELECT * FROM p', :'one', '{"epochs": 1}')).rows, 400::bigint, 'so is WITH');
SELECT is((pg_temp.train('f6', 'SELECT x, y, height FROM point;', :'one', '{"epochs": 1}')).rows, 400::bigint, 'a semicolon at the end does no harm');

-- Images: bytes stay bytes until the network scales them.
CREATE TEMP TABLE image AS
SELECT i, i % 2 = 0 AS bright,
       decode(string_agg(lpad(to_hex((CASE WHEN i % 2 = 0 THEN 160 ELSE 40 END + (i * 7 + p * 13) % 60)), 2, '0'), ''), 'hex') AS pixels
FROM generate_series(1, 60) i, generate_series(1, 48) p GROUP BY i;
CREATE TEMP TABLE seen AS SELECT * FROM pg_temp.train('image', 'SELECT pixels, bright FROM image ORDER BY i',
    '[{"Rescaling": {"scale": 0.00392156862745098}}, {"Conv2D": {"filters": 4, "kernel_size": 3, "activation": "relu"}},
      {"Flatten": {}}, {"Dense": {"units": 2, "activation": "softmax"}}]',
    '{"input_shape": [3, 4, 4], "data_format": "channels_first", "epochs": 20}');
SELECT is(parameters, (3 * 9 * 4 + 4 + 16 * 2 + 2)::bigint, 'a convolution over bytea') FROM seen;
SELECT cmp_ok((metrics->>'accuracy')::float8, '>', 0.9::float8, 'learns bright from dark') FROM seen;
SELECT is((SELECT features FROM aiaas.version v JOIN aiaas.model m ON m.id = v.model WHERE name = 'image'),
          '[{"name": "pixels", "type": "bytea", "width": 48}]'::jsonb, 'the feature is the bytea');

-- Validation rows of their own, and weights of rows.
SELECT ok(aiaas_train('v1', 'SELECT x, y, side FROM point WHERE id <= 300', 'side', :'two', NULL,
                      '{"epochs": 1, "validation_query": "SELECT side, y, x FROM point WHERE id > 300"}') IS NOT NULL, 'a validation query');
SELECT is((SELECT count(*) FROM aiaas.metrics WHERE model = 'v1' AND split = 'validation'), 2::bigint, 'gives validation figures');
SELECT throws_ok($$SELECT aiaas_train('v2', 'SELECT x, y, side FROM point', 'side',
    '[{"Dense": {"units": 2, "activation": "softmax"}}]', NULL, '{"validation_query": "SELECT x, y, ''other'' AS side FROM point"}')$$,
    '22023', 'target column "side" holds "other" in row 1, a class that the model does not know', 'with the same classes');
SELECT is((pg_temp.train('w1', 'SELECT x, y, height, id % 2 AS w FROM point', :'one', '{"epochs": 1, "weight": "w"}')).parameters, 3::bigint, 'the weight is no feature');
SELECT is((SELECT target FROM aiaas.versions WHERE model = 'w1'), 'height', 'and not the target either');

-- Versions: better ones go live.
SELECT is((pg_temp.train('d', 'SELECT x, y, height FROM point ORDER BY id', :'one', '{"epochs": 3}')).live, true, 'the first is live');
SELECT is((pg_temp.train('d', 'SELECT x, y, height FROM point ORDER BY id', :'one', '{"epochs": 3}')).live, false, 'an equal one is not better');
SELECT is((pg_temp.train('d', 'SELECT x, y, height FROM point ORDER BY id', :'one', '{"epochs": 9}')).live, true, 'a better one is live');
SELECT is((pg_temp.train('d', 'SELECT x, y, height FROM point ORDER BY id', :'one', '{"epochs": 1, "deploy": "always"}')).live, true, '"always" means always');
SELECT is((pg_temp.train('d', 'SELECT x, y, height FROM point ORDER BY id', :'one', '{"epochs": 20, "deploy": "never"}')).live, false, '"never" never');
SELECT is((SELECT live FROM aiaas.models WHERE name = 'd'), 4, 'so the fourth is live now');

-- The same bits, whatever the threads; nothing is left of what is rolled back.
CREATE TEMP TABLE bits (threads int, md5 text);
DO $$
BEGIN
    FOR i IN 1..4 LOOP
        PERFORM set_config('aiaas.threads', i::text, true);
        PERFORM pg_temp.train('b' || i, 'SELECT x, y, side FROM point ORDER BY id',
            '[{"Dense": {"units": 32, "activation": "relu"}}, {"Dropout": {"rate": 0.2}}, {"Dense": {"units": 2, "activation": "softmax"}}]',
            '{"epochs": 3, "seed": 7, "validation_split": 0.2, "batch_size": 64}');
        INSERT INTO bits SELECT i, string_agg(md5(w.data), ',' ORDER BY tensor, chunk)
        FROM aiaas.weight w JOIN aiaas.version v ON v.id = w.version JOIN aiaas.model m ON m.id = v.model WHERE m.name = 'b' || i;
    END LOOP;
END $$;
SELECT is((SELECT count(DISTINCT md5) FROM bits), 1::bigint, 'one to four threads make the same weights');
SELECT is((SELECT count(DISTINCT data_hash) FROM aiaas.version v JOIN aiaas.model m ON m.id = v.model WHERE name LIKE 'b_'), 1::bigint,
          'the same rows have the same hash');
SAVEPOINT before;
SELECT pg_temp.train('gone', 'SELECT x, y, height FROM point', :'one', '{"epochs": 1}') \g /dev/null
ROLLBACK TO before;
SELECT is((SELECT count(*) FROM aiaas.model WHERE name = 'gone'), 0::bigint, 'a rollback leaves no model');
SELECT is((SELECT count(*) FROM aiaas.version v WHERE NOT EXISTS (SELECT FROM aiaas.model m WHERE m.id = v.model)), 0::bigint, 'and no version');

SELECT * FROM finish();
ROLLBACK;
