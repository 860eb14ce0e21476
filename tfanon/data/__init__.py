"""Data sets: what a batch is, sampling, augmentation, the input pipelines and `tfanon-data`."""
