-- Trains a network on images, scores it, and shows what it answers.
--
-- psql variables: model, epochs, train_query and test_query (SELECT image, label FROM ...), test_table (id, image,
-- label) and class_table (label, name).

\pset footer off
\pset null ''
\set ECHO queries

\echo
\echo '--- Train: a row tells how it went. Each epoch reports as it ends.'
\echo
SELECT * FROM aiaas_train(
  model   => :'model',
  query   => :'train_query',
  target  => 'label',
  layers  => '[{"Rescaling": {"scale": 0.00392156862745098}},
               {"Conv2D": {"filters": 32, "kernel_size": 3, "activation": "relu"}},
               {"MaxPooling2D": {"pool_size": 2}},
               {"Conv2D": {"filters": 64, "kernel_size": 3, "activation": "relu"}},
               {"MaxPooling2D": {"pool_size": 2}},
               {"Conv2D": {"filters": 64, "kernel_size": 3, "activation": "relu"}},
               {"Flatten": {}},
               {"Dense": {"units": 64, "activation": "relu"}},
               {"Dense": {"units": 10, "activation": "softmax"}}]',
  options => '{"input_shape": [3, 32, 32], "data_format": "channels_first",
               "optimizer": "adam", "loss": "sparse_categorical_crossentropy",
               "metrics": ["accuracy"], "batch_size": 32, "validation_split": 0.1}'
             || jsonb_build_object('epochs', :epochs)) \gx

\echo '--- The network.'
\echo
\pset tuples_only on
SELECT aiaas_summary(:'model');

\echo '--- How the training went, epoch by epoch.'
\echo
SELECT aiaas_training_curve(:'model');
\pset tuples_only off

\echo '--- Evaluate: on images that the training never saw.'
\echo
SELECT metric, round(value::numeric, 4) AS value
FROM aiaas_evaluate(:'model', :'test_query')
WHERE metric NOT LIKE '%[%';

\echo '--- Confusion matrix: a row is what the image shows, a column what the network took it for.'
\echo
SELECT a.name AS actual, p.name AS predicted, count, p.label
FROM aiaas_confusion_matrix(:'model', :'test_query')
JOIN :class_table a ON a.label::text = actual
JOIN :class_table p ON p.label::text = predicted
ORDER BY a.label, p.label \crosstabview actual predicted count label

\echo
\echo '--- Predict: eight images, what they show, what the network says, and how sure it is.'
\echo
SELECT t.id, a.name AS actual, p.name AS predicted,
       CASE WHEN a.label = p.label THEN '' ELSE 'wrong' END AS verdict,
       round((SELECT max(chance) FROM unnest(t.proba) AS chance)::numeric, 3) AS confidence
FROM (SELECT id, label, aiaas_predict(:'model', image) AS class, aiaas_predict_proba(:'model', image) AS proba
      FROM :test_table
      ORDER BY id LIMIT 8) AS t
JOIN :class_table a ON a.label = t.label
JOIN :class_table p ON p.label = t.class
ORDER BY t.id;

\echo '--- What the database knows about its models.'
\echo
SELECT name, owner, live, versions, task, parameters, rows FROM aiaas.models;
