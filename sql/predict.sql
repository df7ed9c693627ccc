-- What predictions look like in psql. The points are far apart, so every machine gives these answers.
SET aiaas.progress = off;
CREATE TABLE city (name text, x real, y real, side text, p real[]);
INSERT INTO city
SELECT 'c' || i, v, w, CASE WHEN v > 0 THEN 'east' ELSE 'west' END, ARRAY[v, w]
FROM (SELECT i, CASE WHEN i % 2 = 0 THEN 3 ELSE -3 END + (i % 5) / 10.0 AS v, (i % 3) / 3.0 AS w FROM generate_series(1, 60) i) s;
SELECT task FROM aiaas_train('side', 'SELECT x, y, side FROM city', 'side', '[{"Dense": {"units": 2, "activation": "softmax"}}]',
                             options => '{"epochs": 80, "learning_rate": 0.1}');
SELECT task FROM aiaas_train('east', 'SELECT p, x > 0 AS east FROM city', 'east', '[{"Dense": {"units": 1, "activation": "sigmoid"}}]',
                             options => '{"epochs": 80, "learning_rate": 0.1}');
SELECT name, side, aiaas_predict_label('side', x, y), aiaas_predict_label('side', city), aiaas_predict('east', p), aiaas_predict_label('east@1', p)
FROM city ORDER BY length(name), name LIMIT 4;
SELECT aiaas_predict_label('side', -3, 0.5), aiaas_predict_label('side', '{"x": 3, "y": 0.5}'), aiaas_predict_label('side', '[-3, 0]'),
       aiaas_predict_label('side', ARRAY[3, 0]), aiaas_predict('east', '{3,0.5}'), aiaas_predict('east', -3, 0);
SELECT side, round(avg((aiaas_predict_proba('side', x, y))[2])::numeric, 1) AS west FROM (SELECT side, x, y FROM city) s GROUP BY side ORDER BY side;
SELECT aiaas_predict_label('side', x, NULL) IS NULL AS nothing FROM city LIMIT 1;
SELECT metric, round(value::numeric, 2) FROM aiaas_evaluate('side', 'SELECT * FROM city') WHERE metric ~ 'accuracy|precision|recall|f1';
SELECT * FROM aiaas_confusion_matrix('side', 'SELECT * FROM city') \crosstabview
SELECT aiaas_predict('side', 3, 0.5);
SELECT aiaas_predict_label('side', 3);
SELECT aiaas_predict_label('side', 'far', 'away');
SELECT aiaas_predict_label('side', now(), 1);
SELECT aiaas_predict_label('side', c) FROM (SELECT x FROM city LIMIT 1) c;
SELECT aiaas_predict_label('sides', 3, 0.5);
SELECT aiaas_predict_label('side@7', 3, 0.5);
SELECT aiaas_predict_label(NULL, 3, 0.5);
SELECT aiaas_predict_proba('side', 'NaN'::real, 0.5);
SELECT aiaas_drop('side'), aiaas_drop('east');
DROP TABLE city;
