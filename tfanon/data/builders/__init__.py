"""TensorFlow Datasets builders, one file per data set."""
