-- What a model looks like in psql.
SET client_min_messages = warning;
CREATE TABLE regress_image AS
SELECT decode(repeat(lpad(to_hex(i % 256), 2, '0'), 8 * 8 * 3), 'hex') AS image, i % 3 AS label
FROM generate_series(1, 30) i;
SELECT model, version, task, epochs, rows, parameters
FROM aiaas_train('image', 'SELECT image, label FROM regress_image', 'label',
  '[{"Rescaling": {"scale": 0.00392156862745098}},
    {"Conv2D": {"filters": 4, "kernel_size": 3, "activation": "relu"}},
    {"BatchNormalization": {}},
    {"MaxPooling2D": {"pool_size": 2}},
    {"Flatten": {}},
    {"Dropout": {"rate": 0.5}},
    {"Dense": {"units": 3, "activation": "softmax", "name": "a_layer_with_a_name_that_is_long"}}]',
  options => '{"input_shape": [8, 8, 3], "epochs": 1, "loss": "sparse_categorical_crossentropy"}');
SELECT * FROM aiaas_summary('image');
SELECT aiaas_classes('image');

-- The chart, of figures that do not depend on a machine.
DELETE FROM aiaas.metric WHERE split <> 'final';
INSERT INTO aiaas.metric
SELECT v.id, s.split, e, m.name, m.value
FROM aiaas.version v, (VALUES ('train', 0), ('validation', 1)) s(split, late), generate_series(1, 10) e,
     LATERAL (VALUES ('loss', 2.0 / (e + s.late)), ('accuracy', 1 - 1.0 / (1 + e + s.late))) m(name, value);
SELECT * FROM aiaas_training_curve('image');

-- Several epochs share a column; the figure of one is NaN, of another infinite.
DELETE FROM aiaas.metric WHERE split <> 'final';
INSERT INTO aiaas.metric
SELECT v.id, 'train', e, 'loss', CASE e WHEN 77 THEN 'NaN' WHEN 500 THEN 'Infinity' ELSE exp(-e / 200.0) END
FROM aiaas.version v, generate_series(1, 1000) e;
SELECT * FROM aiaas_training_curve('image');

-- One epoch; a figure that stays the same; none at all.
DELETE FROM aiaas.metric WHERE epoch > 1;
SELECT * FROM aiaas_training_curve('image');
UPDATE aiaas.metric SET value = 'NaN' WHERE split = 'train';
SELECT * FROM aiaas_training_curve('image');
DELETE FROM aiaas.metric;
SELECT * FROM aiaas_training_curve('image');

SELECT aiaas_drop('image');

-- A network that branches, as Keras prints it; names that are too long for their column.
SELECT parameters
FROM aiaas_train('branch', 'SELECT image, label FROM regress_image', 'label',
  '[{"InputLayer": {"batch_shape": [null, 8, 8, 3]}},
    {"Conv2D": {"filters": 4, "kernel_size": 3, "padding": "same"}},
    {"BatchNormalization": {"name": "a_normalization_with_a_name_that_is_long"}},
    {"Concatenate": {"inbound": ["input_layer", "a_normalization_with_a_name_that_is_long", "conv2d"]}},
    {"ZeroPadding2D": {}},
    {"GlobalAveragePooling2D": {}},
    {"Dense": {"units": 3, "activation": "softmax"}}]',
  options => '{"epochs": 1, "loss": "sparse_categorical_crossentropy"}');
SELECT * FROM aiaas_summary('branch');
SELECT aiaas_drop('branch');
DROP TABLE regress_image;
