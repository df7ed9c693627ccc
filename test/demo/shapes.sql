-- Draws the demo's own data set: 32x32 colour images of ten kinds of figures, in plain SQL.
--
-- psql variables: train_images, test_images.
--
-- Every figure has a place, a size, an angle, two colours and an amount of noise of its own. A pixel is turned into
-- the figure's coordinates (u, v), where the figure is about as large as the unit circle; a condition on
-- them says whether it lies inside. An image is stored as CIFAR-10 stores it: 1024 bytes of red, 1024 of
-- green, 1024 of blue, row by row ("channels_first").

SET client_min_messages = warning;

CREATE TABLE shapes_class (label int PRIMARY KEY, name text NOT NULL);
INSERT INTO shapes_class VALUES
  (0, 'disk'), (1, 'square'), (2, 'triangle'), (3, 'cross'), (4, 'ring'),
  (5, 'frame'), (6, 'diamond'), (7, 'rows'), (8, 'columns'), (9, 'checkers');

-- What is random comes first, one row an image, so that the same seed draws the same images.
SELECT setseed(0.25) \g /dev/null
CREATE TEMP TABLE figure AS
SELECT id,
       floor(10 * random())::int AS label,
       9 + 13 * random() AS x,
       9 + 13 * random() AS y,
       6 + 5 * random() AS radius,
       0.6 * (random() - 0.5) AS angle,
       0.1 + 0.3 * random() AS noise,
       256 * random() AS red, 256 * random() AS green, 256 * random() AS blue,
       64 + 128 * random() AS more_red, 64 + 128 * random() AS more_green, 64 + 128 * random() AS more_blue
FROM generate_series(1, :train_images + :test_images) AS id;

CREATE TABLE shapes AS
SELECT f.id, f.label, drawn.image
FROM figure AS f
-- 3,072 bytes of noise for one image: hashes of its number
CROSS JOIN LATERAL (
  SELECT string_agg(sha512(int4send(f.id) || int4send(part)), '') AS bytes
  FROM generate_series(1, 48) AS part
) AS grain
CROSS JOIN LATERAL (
  SELECT string_agg(set_byte('\x00', 0, least(255, greatest(0, r))::int), '')
      || string_agg(set_byte('\x00', 0, least(255, greatest(0, g))::int), '')
      || string_agg(set_byte('\x00', 0, least(255, greatest(0, b))::int), '') AS image
  FROM (
    -- the colour of the ground, or of the figure, which is well away from it, and noise
    SELECT (red + inside * more_red)::int % 256 + noise * (get_byte(grain.bytes, n) - 128) AS r,
           (green + inside * more_green)::int % 256 + noise * (get_byte(grain.bytes, n + 1024) - 128) AS g,
           (blue + inside * more_blue)::int % 256 + noise * (get_byte(grain.bytes, n + 2048) - 128) AS b
    FROM (
      SELECT n, (CASE f.label
               WHEN 0 THEN u * u + v * v < 0.9
               WHEN 1 THEN greatest(abs(u), abs(v)) < 0.85
               WHEN 2 THEN v < 0.7 AND abs(u) < 0.55 * (v + 1.1)
               WHEN 3 THEN least(abs(u), abs(v)) < 0.3 AND greatest(abs(u), abs(v)) < 1
               WHEN 4 THEN u * u + v * v BETWEEN 0.35 AND 1
               WHEN 5 THEN greatest(abs(u), abs(v)) BETWEEN 0.5 AND 0.9
               WHEN 6 THEN abs(u) + abs(v) < 1.1
               WHEN 7 THEN floor(2 * v)::int & 1 = 0
               WHEN 8 THEN floor(2 * u)::int & 1 = 0
               WHEN 9 THEN (floor(1.5 * u)::int + floor(1.5 * v)::int) & 1 = 0
             END)::int AS inside
      FROM (
        SELECT n,
               ((n % 32 - f.x) * cos(f.angle) + (n / 32 - f.y) * sin(f.angle)) / f.radius AS u,
               ((n / 32 - f.y) * cos(f.angle) - (n % 32 - f.x) * sin(f.angle)) / f.radius AS v
        FROM generate_series(0, 1023) AS n
        OFFSET 0
      ) AS place
      OFFSET 0
    ) AS pixel
    OFFSET 0
  ) AS colour
) AS drawn;

CREATE TABLE shapes_train AS SELECT * FROM shapes WHERE id <= :train_images;
CREATE TABLE shapes_test AS SELECT * FROM shapes WHERE id > :train_images;
DROP TABLE shapes, figure;
RESET client_min_messages;
