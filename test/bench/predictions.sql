-- One of three tables to predict over, and a model of the same name: trained for a moment, as its answers do not matter.
--
-- psql variables: table (measurement: 30 numbers a row; picture: 3,072 bytes a row; boosting: 28 numbers a row),
-- rows, layers.

SET aiaas.progress = off;
SELECT setseed(0.5);
SELECT :'table' = 'measurement' AS numbers, :'table' = 'boosting' AS trees \gset

\if :numbers
CREATE TABLE measurement AS
  SELECT i AS id, i % 2 AS label, array_agg(random()::real - 0.5::real) AS x
    FROM generate_series(1, :rows) AS i, generate_series(1, 30) AS k
   GROUP BY i;
SELECT * FROM aiaas_train('measurement', 'SELECT x, label FROM measurement WHERE id <= 1000', 'label', :'layers',
                          options => '{"epochs": 1}');
\elif :trees
CREATE TABLE boosting AS
  SELECT i AS id, array_agg((random() * 4 - 2)::real) AS x
    FROM generate_series(1, :rows) AS i, generate_series(1, 28) AS k
   GROUP BY i;
SELECT * FROM aiaas_train('boosting', 'SELECT x, (x[1] * x[2] + x[3] + random() > 0.5)::int AS y FROM boosting', 'y',
                          algorithm => 'gradient_boosting');
\else
CREATE TABLE picture (id int, label int, image bytea);
-- Stored in the row: reading a value that lies elsewhere would be measured, not the prediction.
ALTER TABLE picture ALTER COLUMN image SET STORAGE MAIN;
INSERT INTO picture
  SELECT i, i % 10, string_agg(sha512(int4send(i) || int4send(part)), '')
    FROM generate_series(1, :rows) AS i, generate_series(1, 48) AS part
   GROUP BY i;
SELECT * FROM aiaas_train('picture', 'SELECT image, label FROM picture WHERE id <= 320', 'label', :'layers',
                          options => '{"epochs": 1, "input_shape": [3, 32, 32], "data_format": "channels_first"}');
\endif
VACUUM ANALYZE :table;
