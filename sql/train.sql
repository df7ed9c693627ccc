-- What a training shows in psql: its row, what is stored, the notice about a version that is not live.
SET aiaas.progress = off;
CREATE TABLE flower AS
SELECT i AS id, (i % 10) / 10.0 AS width, (i % 7)::real AS length,
       CASE WHEN i % 10 < 5 THEN 'slim' ELSE 'wide' END AS kind
FROM generate_series(1, 140) i;
SELECT model, version, task, epochs, rows, parameters, metrics ? 'accuracy' AS has_accuracy, live
FROM aiaas_train('flower', 'SELECT width, length, kind FROM flower', 'kind',
                 '[{"Dense": {"units": 4, "activation": "relu"}}, {"Dense": {"units": 2, "activation": "softmax"}}]',
                 options => '{"epochs": 2, "validation_split": 0.1}');
SELECT version, live, epochs
FROM aiaas_train('flower', 'SELECT width, length, kind FROM flower',
                 layers => '[{"Dense": {"units": 2, "activation": "softmax"}}]', options => '{"epochs": 1, "deploy": "never"}');
SELECT version, live
FROM aiaas_train('flower', 'SELECT width, length, kind FROM flower', 'kind', '[{"Dense": {"units": 2, "activation": "softmax"}}]',
                 'neural_network', '{"epochs": 1, "deploy": "always"}');
SELECT number, live, task, features, labels, label_type, target, rows FROM aiaas.version v JOIN aiaas.model m ON m.id = v.model
WHERE m.name = 'flower' ORDER BY number;
SELECT split, epoch, metric FROM aiaas.metrics WHERE model = 'flower' AND version = 1 ORDER BY 1, 2, 3;
SELECT aiaas_classes('flower');
-- A transaction that is rolled back leaves no version.
BEGIN;
SELECT version FROM aiaas_train('flower', 'SELECT width, length, kind FROM flower', 'kind', '[{"Dense": {"units": 2, "activation": "softmax"}}]',
                                options => '{"epochs": 1, "deploy": "always"}');
ROLLBACK;
SELECT count(*) FROM aiaas.versions WHERE model = 'flower';
-- The settings.
SELECT name, setting, unit, vartype, context FROM pg_settings WHERE name LIKE 'aiaas.%' ORDER BY name;
SET aiaas.threads = -1;
\set VERBOSITY sqlstate
SET aiaas.cache_size = '10kB';
\set VERBOSITY default
SET aiaas.thread = 2;
SELECT aiaas_drop('flower');
DROP TABLE flower;
