-- The statement whose time is measured: the README's training on CIFAR-10, on all of its images.
--
-- psql variables: layers, epochs, threads.

SET aiaas.progress = off;
SET aiaas.threads = :threads;
SELECT * FROM aiaas_train(
  model   => 'cifar10',
  query   => 'SELECT image, label FROM cifar10_train',
  target  => 'label',
  layers  => :'layers',
  options => '{"input_shape": [3, 32, 32], "data_format": "channels_first",
               "optimizer": "adam", "loss": "sparse_categorical_crossentropy",
               "metrics": ["accuracy"], "batch_size": 32}' || jsonb_build_object('epochs', :epochs, 'seed', 1));
