-- Looking at models: summary, curve, classes, options, export, and what the views tell.
BEGIN;
\ir include/models.psql
SELECT plan(43);

SELECT pg_temp.train('m', '{"epochs": 3, "validation_split": 0.2}') \g /dev/null
SELECT pg_temp.train('m', '{"epochs": 40}') \g /dev/null
SELECT pg_temp.train_regression('r') \g /dev/null

-- Summary.
CREATE TEMP TABLE summary AS SELECT line, n FROM aiaas_summary('m@1') WITH ORDINALITY s(line, n);
SELECT is((SELECT line FROM summary WHERE n = 1), 'Model: "m", version 1', 'the summary says which model');
SELECT matches((SELECT line FROM summary WHERE n = 3), '^ Layer \(type\) +Output Shape +Param #$', 'has a head');
SELECT is((SELECT count(*) FROM summary WHERE line ~ '\(Dense\) +\(None, [23]\) +[0-9]+$'), 2::bigint, 'a line per layer with shape and parameters');
SELECT ok((SELECT bool_and(length(line) = 66 OR line !~ '^[_=]') FROM summary), 'rules as wide as the table');
SELECT is((SELECT line FROM summary WHERE line LIKE 'Total%'), 'Total params: 17 (68.00 B)', 'and the total: (2 + 1) * 3 + (3 + 1) * 2');
SELECT is((SELECT line FROM summary WHERE line LIKE 'Trainable%'), 'Trainable params: 17 (68.00 B)');
SELECT is((SELECT line FROM summary WHERE line LIKE 'Non%'), 'Non-trainable params: 0 (0.00 B)');
SELECT is((SELECT parameters FROM aiaas.models WHERE name = 'm'), 17::bigint, 'the same number stands in aiaas.models');
SELECT is((SELECT line FROM aiaas_summary('m') line LIMIT 1), 'Model: "m", version 2', 'the bare name means the live version');
SELECT is((SELECT count(*) FROM aiaas_summary('m')), (SELECT count(*) FROM (SELECT aiaas_summary('m')) s), 'works in FROM and in the select list');

-- Curve.
CREATE TEMP TABLE curve AS SELECT v, line, n FROM unnest('{1,2}'::int[]) v, aiaas_training_curve('m@' || v) WITH ORDINALITY s(line, n);
SELECT is((SELECT line FROM curve WHERE v = 1 AND n = 1), 'Model: "m", version 1, 3 epochs', 'the curve says which model');
SELECT cmp_ok((SELECT max(length(line)) FROM curve), '<=', 70, 'fits a narrow terminal');
SELECT is((SELECT count(*) FROM curve WHERE v = 1 AND line ~ '^loss '), 1::bigint, 'draws the loss');
SELECT is((SELECT count(*) FROM curve WHERE v = 1 AND line ~ '^accuracy '), 1::bigint, 'and the accuracy');
SELECT cmp_ok((SELECT sum(length(line) - length(translate(line, '○◉', ''))) FROM curve WHERE v = 1 AND line ~ '│'), '>=', 6::bigint, 'with a mark for each validation figure');
SELECT is((SELECT sum(length(line) - length(translate(line, '○◉', ''))) FROM curve WHERE v = 2 AND line ~ '│'), 0::bigint, 'and none where there is no validation');
SELECT cmp_ok((SELECT count(*) FROM curve WHERE line ~ '│.*●' AND v = 2), '>=', 2::bigint, 'training marks are there');
SELECT matches((SELECT string_agg(line, E'\n' ORDER BY n) FROM curve WHERE v = 1), '└─+\n +1 +2 +3\n', 'epochs are numbered below the axis');
SELECT is((SELECT count(*) FROM curve WHERE v = 1 AND line ~ '^ +(train|validation) [0-9.e+-]+( \(best .*\))?$'), 4::bigint, 'the last figures are spelled out');
SELECT is((SELECT count(*) FROM aiaas_training_curve('r') line WHERE line ~ '^loss '), 1::bigint, 'a single epoch is drawn, too');

-- Metrics and views.
SELECT is((SELECT array_agg(DISTINCT split ORDER BY split) FROM aiaas.metrics WHERE model = 'm' AND version = 1), '{final,train,validation}', 'figures of every split are stored');
SELECT is((SELECT count(*) FROM aiaas.metrics WHERE model = 'm' AND version = 1 AND split = 'train' AND metric = 'loss'), 3::bigint, 'one per epoch');
SELECT ok((SELECT metrics ? 'loss' AND metrics ? 'accuracy' FROM aiaas.models WHERE name = 'm'), 'aiaas.models shows the final figures');
SELECT ok((SELECT metrics ? 'loss' AND NOT metrics ? 'accuracy' FROM aiaas.models WHERE name = 'r'), 'of a regression, too');
SELECT is((SELECT task || ' ' || algorithm FROM aiaas.models WHERE name = 'm'), 'classification neural_network', 'task and algorithm');
SELECT is((SELECT task FROM aiaas.models WHERE name = 'r'), 'regression');
SELECT is((SELECT weight_bytes FROM aiaas.versions WHERE model = 'm' AND version = 2), 68::bigint, 'aiaas.versions tells the size of the weights');
SELECT is((SELECT rows || ' ' || epochs || ' ' || target || ' ' || trained_by FROM aiaas.versions WHERE model = 'm' AND version = 2),
          '70 40 kind ' || current_user, 'and how it was trained');
SELECT is((SELECT features #>> '{0,name}' FROM aiaas.versions WHERE model = 'm' AND version = 1), 'width', 'and on which columns');
SELECT is((SELECT label_type || ' ' || labels FROM aiaas.versions WHERE model = 'm' AND version = 1), 'integer ["0", "1"]', 'and for which classes');

-- Classes.
SELECT is(aiaas_classes('m'), '{0,1}', 'the classes in their order');
SELECT is(aiaas_classes('r'), NULL, 'a regression has none');

-- Options.
SELECT ok((SELECT count(*) > 10 FROM aiaas_options()), 'there are options');
SELECT is((SELECT array_agg(name ORDER BY name) FROM aiaas_options() WHERE name IN ('epochs', 'batch_size', 'optimizer', 'loss', 'deploy', 'seed')),
          '{batch_size,deploy,epochs,loss,optimizer,seed}', 'the well-known ones among them');
SELECT is((SELECT count(*) FROM aiaas_options() GROUP BY name ORDER BY 1 DESC LIMIT 1), 1::bigint, 'each once');
SELECT is((SELECT count(*) FROM aiaas_options() WHERE description = '' OR type = '' OR default_value = ''), 0::bigint, 'each explained; no default is NULL');

-- Export.
SELECT ok(position('\x69725f76657273696f6e'::bytea in aiaas_export('m')) >= 0 AND length(aiaas_export('m')) > 68, 'an export is bytes and holds the weights');
SELECT is(aiaas_export('m'), aiaas_export('m@2'), 'the bare name exports the live version');
SELECT isnt(aiaas_export('m'), aiaas_export('m@1'), 'another version is another file');
SELECT is((SELECT count(*) FROM aiaas.weight w JOIN aiaas.version v ON v.id = w.version JOIN aiaas.model m ON m.id = v.model
           WHERE m.name = 'm' AND v.number = 2 AND position(w.data in aiaas_export('m@2')) = 0), 0::bigint, 'every stored tensor is in the export, byte by byte');
SELECT is((SELECT count(*) FROM aiaas.weight w JOIN aiaas.version v ON v.id = w.version WHERE position(w.data in v.graph) > 0), 0::bigint, 'and none in the stored graph');

SELECT matches(aiaas_version(), '^aiaas [0-9.]+, engine [^ ]+, (baseline|avx2|avx512)$', 'versions of library and engine');
SELECT throws_ok($$SELECT aiaas_summary('mm')$$, '42704', 'model "mm" does not exist');

SELECT * FROM finish();
ROLLBACK;
