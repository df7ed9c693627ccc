-- Loads the official binary files of CIFAR-10 in plain SQL.
--
-- psql variable: dir, the folder of data_batch_1.bin to data_batch_5.bin and test_batch.bin, as the server sees it.
--
-- A file is 10,000 records of 3,073 bytes: the label, then 1,024 bytes each of red, green and blue
-- ("channels_first"). Reading record by record, with an offset, is the fast way: no 30 MB value
-- is cut 10,000 times.

CREATE TABLE cifar10_class (label int PRIMARY KEY, name text NOT NULL);
INSERT INTO cifar10_class VALUES
  (0, 'airplane'), (1, 'automobile'), (2, 'bird'), (3, 'cat'), (4, 'deer'),
  (5, 'dog'), (6, 'frog'), (7, 'horse'), (8, 'ship'), (9, 'truck');

CREATE TABLE cifar10_train (id int PRIMARY KEY, image bytea NOT NULL, label int NOT NULL);
CREATE TABLE cifar10_test (LIKE cifar10_train INCLUDING ALL);
-- Photographs do not compress this way; trying takes longer than writing.
ALTER TABLE cifar10_train ALTER COLUMN image SET STORAGE EXTERNAL;
ALTER TABLE cifar10_test ALTER COLUMN image SET STORAGE EXTERNAL;

INSERT INTO cifar10_train
SELECT (batch - 1) * 10000 + number + 1, substr(record, 2), get_byte(record, 0)
FROM generate_series(1, 5) AS batch,
     generate_series(0, 9999) AS number,
     LATERAL (SELECT pg_read_binary_file(:'dir' || '/data_batch_' || batch || '.bin', number * 3073, 3073)
                AS record) AS file;

INSERT INTO cifar10_test
SELECT number + 1, substr(record, 2), get_byte(record, 0)
FROM generate_series(0, 9999) AS number,
     LATERAL (SELECT pg_read_binary_file(:'dir' || '/test_batch.bin', number * 3073, 3073) AS record) AS file;
