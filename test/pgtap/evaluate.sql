-- aiaas_evaluate and aiaas_confusion_matrix.
BEGIN;
SET LOCAL client_min_messages = warning;
SELECT plan(26);

CREATE TEMP TABLE point AS
SELECT i AS id, sin(i * 12.9898)::real AS x, cos(i * 78.233)::real AS y FROM generate_series(1, 600) i;
CREATE TEMP VIEW side AS SELECT id, x, y, CASE WHEN x > 0.3 THEN 'right' WHEN x < -0.3 THEN 'left' ELSE 'middle' END AS side FROM point;

SELECT aiaas_train('side', 'SELECT x, y, side FROM side ORDER BY id', 'side',
                   '[{"Dense": {"units": 16, "activation": "relu"}}, {"Dense": {"units": 3, "activation": "softmax"}}]', NULL,
                   '{"epochs": 30, "learning_rate": 0.02}'),
       aiaas_train('sum', 'SELECT x, y, x + y AS sum FROM side ORDER BY id', 'sum', '[{"Dense": {"units": 1}}]', NULL,
                   '{"epochs": 30, "learning_rate": 0.02}'),
       aiaas_train('number', 'SELECT x, y, id % 3 AS n FROM side ORDER BY id', 'n', '[{"Dense": {"units": 3, "activation": "softmax"}}]',
                   NULL, '{"epochs": 1}') \g /dev/null

CREATE TEMP TABLE score AS SELECT * FROM aiaas_evaluate('side', 'SELECT x, y, side FROM side');
CREATE FUNCTION pg_temp.score(name text) RETURNS float8 LANGUAGE sql AS $$ SELECT value FROM score WHERE metric = name $$;
SELECT cmp_ok(pg_temp.score('accuracy'), '>', 0.9::float8, 'the accuracy');
SELECT cmp_ok(pg_temp.score('loss'), '<', 0.4::float8, 'the loss');
SELECT ok(pg_temp.score('precision') > 0.8 AND pg_temp.score('recall') > 0.8 AND pg_temp.score('f1') > 0.8, 'precision, recall, f1');
SELECT is((SELECT count(*) FROM score WHERE metric LIKE '%[%'), 9::bigint, 'and each of them by class');
SELECT is((SELECT metric FROM score LIMIT 1), 'loss', 'the loss comes first');
SELECT ok(abs(pg_temp.score('accuracy') - (SELECT avg((aiaas_predict_label('side', x, y) = side)::int)::float8 FROM side)) < 1e-9,
          'the accuracy is what the predictions say');
SELECT set_eq($$SELECT metric, round(value::numeric, 9) FROM aiaas_evaluate('side', 'SELECT now() AS "when", side, id, y, x FROM side')$$,
              $$SELECT metric, round(value::numeric, 9) FROM score$$, 'columns are found by name, others are ignored');
SELECT set_eq($$SELECT metric, value FROM aiaas_evaluate('side@1', 'SELECT x, y, side FROM side')$$, 'SELECT * FROM score', 'name@version');
SELECT ok((SELECT value FROM aiaas_evaluate('sum', 'SELECT x, y, x + y AS sum FROM side') WHERE metric = 'r2') > 0.9, 'r2 of a regression');
SELECT ok((SELECT abs(m.value - avg((aiaas_predict('sum', x, y) - (x + y)) ^ 2)) < 1e-6 FROM side,
           aiaas_evaluate('sum', 'SELECT x, y, x + y AS sum FROM side') m WHERE metric = 'mse' GROUP BY m.value), 'mse is what the predictions say');
SELECT ok((SELECT value FROM aiaas_evaluate('number', $$SELECT x, y, n::text FROM (SELECT x, y, id % 3 AS n FROM side) s$$) WHERE metric = 'accuracy') IS NOT NULL,
          'a label may have another type, as long as it is spelled alike');
SELECT ok((SELECT value FROM aiaas_evaluate('number', $$SELECT x, y, (id % 3)::numeric(4, 2) AS n FROM side$$) WHERE metric = 'accuracy')
        = (SELECT value FROM aiaas_evaluate('number', $$SELECT x, y, (id % 3)::bigint AS n FROM side$$) WHERE metric = 'accuracy'), 'or is the same number');

-- The confusion matrix.
CREATE TEMP TABLE matrix AS SELECT * FROM aiaas_confusion_matrix('side', 'SELECT x, y, side FROM side');
SELECT is((SELECT array_agg(actual || '>' || predicted) FROM matrix),
          '{left>left,left>middle,left>right,middle>left,middle>middle,middle>right,right>left,right>middle,right>right}', 'every pair, in the order of the classes');
SELECT is((SELECT sum(count) FROM matrix), 600::numeric, 'counts every row once');
SELECT is((SELECT sum(count) FROM matrix WHERE actual = 'left'), (SELECT count(*) FROM side WHERE side = 'left')::numeric, 'by the actual class');
SELECT is((SELECT sum(count) FROM matrix WHERE predicted = 'left'), (SELECT count(*) FROM side WHERE aiaas_predict_label('side', x, y) = 'left')::numeric,
          'and by the predicted one');
SELECT ok(abs((SELECT sum(count) FROM matrix WHERE actual = predicted) / 600 - pg_temp.score('accuracy')) < 1e-9, 'the diagonal is the accuracy');
SELECT is((SELECT sum(count) FROM aiaas_confusion_matrix('side', 'SELECT x, y, side FROM side WHERE id = 1')), 1::numeric, 'one row is enough');
SELECT throws_ok($$SELECT * FROM aiaas_confusion_matrix('sum', 'SELECT x, y, x AS sum FROM side')$$, '22023',
                 'model "sum" predicts numbers and has no classes', 'numbers have no confusion matrix');

-- What does not fit.
SELECT throws_ok($$SELECT * FROM aiaas_evaluate('side', 'SELECT x, side FROM side')$$, '42703', 'the query has no feature column "y"', 'a missing feature');
SELECT throws_ok($$SELECT * FROM aiaas_evaluate('side', 'SELECT x, y FROM side')$$, '42703', 'the query has no target column "side"', 'a missing target');
SELECT throws_ok($$SELECT * FROM aiaas_evaluate('side', 'SELECT x, y, ''up'' AS side FROM side')$$, '22023',
                 'target column "side" holds "up" in row 1, a class that the model does not know', 'an unknown class');
SELECT throws_ok($$SELECT * FROM aiaas_evaluate('side', 'SELECT x, ''1'' AS y, side FROM side')$$, '42804', 'feature column "y" has type text, but the model was trained with real', 'a feature of the wrong type');
SELECT throws_ok($$SELECT * FROM aiaas_evaluate('side', 'SELECT x, y, side FROM side WHERE false')$$, '22023', 'argument "query" returns no rows', 'no rows');
SELECT throws_ok($$SELECT * FROM aiaas_evaluate(NULL, 'SELECT 1')$$, '22004', NULL, 'a NULL model');
SELECT throws_ok($$SELECT * FROM aiaas_evaluate('side', NULL)$$, '22004', NULL, 'a NULL query');

SELECT * FROM finish();
ROLLBACK;
