"""Data sets that the builders of tfanon/data/builders have written, read row by row: --data_format=tfds.

    <data_dir>/tfds/<name>/<encoded or jpeg>/1.0.0/

A row of the Catalog is a Record. One of `encoded` holds a file and is read as that file would be; one of `jpeg` holds
frames, of which TensorFlow decodes those that are wanted. Random crops of `jpeg` are cut from the stored frames and
scaled up, where those of a file are scaled from its own resolution: the same examples, a little softer.
"""

import dataclasses
import functools
import os
import pathlib

import numpy as np
import tensorflow as tf

from tfanon.core import registry
from tfanon.data import decode
from tfanon.data.published_split import Catalog

FOLDER, SPLIT = "tfds", "files"


def read(name, config):
    """The Catalog of a built data set, whose files are Records.

    Raises ValueError where the package, the data set or the size of its frames does not fit.
    """
    _check_name(name)
    folder = pathlib.Path(config.data_dir, FOLDER, name, config.tfds_config)
    versions = sorted(
        folder.glob("*/dataset_info.json"),
        key=lambda path: [*map(int, path.parent.name.split("."))],
    )
    if not versions:
        raise ValueError(
            f"No built data set in {folder}: `python -m tfanon.data build {name} --tfds_config="
            f"{config.tfds_config} --data_dir={config.data_dir}` makes it."
        )
    store = open_store(str(versions[-1].parent))
    if 0 < store.side < config.resolution:
        raise ValueError(
            f"{folder} holds frames of {store.side}x{store.side} pixels, fewer than --resolution="
            f"{config.resolution}: take a larger --tfds_config=jpeg.., or --tfds_config=encoded."
        )
    return from_metadata(store)


def build(name, config):
    """Build a data set of what lies in --data_dir, as `tfds build` does; returns its folder.

    Raises ValueError where a list or a file is missing, MediaError where one cannot be decoded.
    """
    _check_name(name)
    tfds = import_tfds()
    builder = tfds.core.community.builder_cls_from_module(f"tfanon.data.builders.{name}")
    if config.tfds_config not in builder.builder_configs:
        raise ValueError(
            f"--tfds_config={config.tfds_config} is none of {', '.join(builder.builder_configs)}."
        )
    builder = builder(config=config.tfds_config, data_dir=os.path.join(config.data_dir, FOLDER))
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(manual_dir=config.data_dir)
    )
    return str(builder.data_path)


def _check_name(name):
    if name not in registry.list_names("builders"):
        raise ValueError(
            f"--data_format=tfds has no data set {name}; tfanon/data/builders/ has: "
            f"{', '.join(registry.list_names('builders'))}."
        )


@functools.lru_cache(maxsize=None)  # the clips and the images of a run, its test sets
def open_store(folder):
    """The Store of a folder, one per process."""
    return Store(folder)


class Store:
    """One built data set, read at any row.

    side: of its frames; 0: it holds files.
    """

    def __init__(self, folder):
        tfds = import_tfds()
        builder = tfds.builder_from_directory(folder)
        self.folder, self.metadata, self.features = (
            folder,
            builder.info.metadata,
            builder.info.features,
        )
        self.pictures = next((name for name in ("video", "image") if name in self.features), None)
        self.side = self.features[self.pictures].shape[-2] if self.pictures else 0
        self.decoders = {self.pictures: tfds.decode.SkipDecoding()} if self.pictures else None
        self.rows = builder.as_data_source(
            SPLIT, deserialize_method=tfds.decode.DeserializeMethod.RAW_BYTES
        )

    def content(self, row):
        """The bytes of the file in a row."""
        return self.features.deserialize_example_np(self.rows[row])["content"]

    def jpegs(self, record):
        """The frames string [n] of a serialized row, still encoded, as TensorFlow ops."""
        return tf.reshape(
            self.features.deserialize_example(record, decoders=self.decoders)[self.pictures], [-1]
        )


@dataclasses.dataclass(frozen=True)
class Record:
    """A file that lies in a Store. Records of one file are equal, whichever data set holds them.

    name: of the file, below the folder that the data set was built from.
    """

    name: str
    store: Store = dataclasses.field(compare=False)
    row: int = dataclasses.field(compare=False)

    def __str__(self):
        return f"{self.store.folder}:{self.name}"

    def read(self):
        """The bytes of the file."""
        return self.store.content(self.row)


class Frames(decode.Files):
    """As decode.Files, of Records that hold frames: TensorFlow decodes those that are wanted."""

    def read(self, row, moment, windows):
        record = tf.numpy_function(self._record, [row], tf.string, stateful=False)
        jpegs = self.paths[0].store.jpegs(record)
        numbers = tf.numpy_function(
            self._choose, [row, tf.size(jpegs), moment], tf.int64, stateful=False
        )
        wanted = tf.unstack(tf.gather(jpegs, tf.ensure_shape(numbers, [self.frames])))
        whole = tf.stack([tf.io.decode_jpeg(jpeg, channels=3) for jpeg in wanted])
        return tf.stack(
            [cut(whole, window, self.resolution) for window in tf.unstack(windows)]
        ), row

    def read_some(self, rows, moments, windows):
        each = zip(*(tf.unstack(values) for values in (rows, moments, windows)))
        return tf.stack([self.read(*one)[0] for one in each]), rows

    def _record(self, row):
        with decode.reading():
            path = self.paths[row]
            return path.store.rows[path.row]

    def _choose(self, row, num_frames, moment):
        return np.asarray(self.choose(row, moment)(num_frames), np.int64)


def cut(frames, window, side):
    """uint8 [T, side, side, 3] of frames uint8 [T, S, S, 3]; the window is rounded to whole stored pixels.

    window: (factor, y, x), as in media.reader.
    """
    stored = tf.cast(tf.shape(frames)[1], tf.float32)
    reach = tf.maximum(1.0, tf.round(window[0] * stored))
    top, left = tf.unstack(tf.cast(tf.round(window[1:] * (stored - reach)), tf.int32))
    reach = tf.cast(reach, tf.int32)
    scaled = tf.image.resize(frames[:, top : top + reach, left : left + reach], [side, side])
    return tf.cast(scaled + 0.5, tf.uint8)


def to_metadata(catalog, folder):
    """A Catalog as JSON takes it.  folder: that the data sets lie in."""
    return {
        "root": os.path.relpath(catalog.root, folder),
        "paths": list(catalog.paths),
        "splits": {name: words.tolist() for name, words in catalog.splits.items()},
        "labels": _listed(catalog.labels),
        "classes": list(catalog.classes),
        "attributes": _listed(catalog.attributes),
        "attribute_names": list(catalog.attribute_names),
        "frame_values": [values.tolist() for values in catalog.frame_values or ()],
    }


def from_metadata(store):
    """The Catalog that to_metadata was given, with Records for files."""
    about = store.metadata
    records = tuple(
        Record(os.path.normpath(os.path.join(about["root"], path)), store, row)
        for row, path in enumerate(about["paths"])
    )
    return Catalog(
        store.folder,
        tuple(about["paths"]),
        {name: np.array(words) for name, words in about["splits"].items()},
        _array(about["labels"], np.int32),
        tuple(about["classes"]),
        _array(about["attributes"], np.float32),
        tuple(about["attribute_names"]),
        tuple(np.array(values, np.uint8) for values in about["frame_values"]) or None,
        records,
    )


def _listed(array):
    return None if array is None else array.astype(int).tolist()


def _array(values, dtype):
    return None if values is None else np.array(values, dtype)


def import_tfds():
    """The package tensorflow_datasets.  Raises ValueError where it is not installed."""
    try:
        import importlib_resources  # noqa: F401  which it needs and does not ask for
        import tensorflow_datasets as tfds
    except ImportError as missing:
        raise ValueError(
            f"--data_format=tfds needs the package {missing.name}: pip install 'tfanon[tfds]'."
        ) from None
    return tfds
