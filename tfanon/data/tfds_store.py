"""Data sets built as TensorFlow Datasets (tfanon/data/builders), read row by row.

    <data_dir>/tfds/<name>/<encoded or jpeg..>/1.0.0/

--data_format=tfds reads them. Each row of their catalog is a `TfdsRecord`. A row of the
configuration `encoded` contains a file, which is read like a file on disk. A row of `jpeg` contains
frames; TensorFlow decodes only the selected ones. Random crops of `jpeg` are cut from the stored
frames and enlarged, while those of a file are scaled from its own resolution: the examples are the
same, but slightly softer.
"""

import dataclasses
import functools
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfanon.core import registry
from tfanon.core.config import Config
from tfanon.data import decode
from tfanon.data.published_split import DatasetCatalog

STORE_FOLDER = "tfds"  # below --data_dir
SPLIT_NAME = "files"  # the only split; the authors' splits are in the metadata


def read_catalog(name: str, config: Config) -> DatasetCatalog:
    """Read the catalog of a built data set, whose files are TfdsRecords.

    Args:
        name: Name of the data set.
        config: Its data_dir, tfds_config and resolution select the stored configuration.

    Raises:
        ValueError: The package is not installed, the data set is not built, or its frames are
            smaller than the resolution.
    """
    _check_name(name)
    folder = pathlib.Path(config.data_dir, STORE_FOLDER, name, config.tfds_config)
    versions = sorted(folder.glob("*/dataset_info.json"), key=_parse_version)
    if not versions:
        raise ValueError(
            f"There is no built data set in {folder}. To build it: `python -m tfanon.data build "
            f"{name} --tfds_config={config.tfds_config} --data_dir={config.data_dir}`."
        )
    store = open_store(str(versions[-1].parent))
    if 0 < store.side < config.resolution:
        raise ValueError(
            f"{folder} has frames of {store.side}x{store.side} pixels, fewer than --resolution="
            f"{config.resolution}. Use a larger --tfds_config=jpeg.., or --tfds_config=encoded."
        )
    return from_metadata(store)


def _parse_version(info_path: pathlib.Path) -> list[int]:
    # As numbers: as text, 10.0.0 would come before 2.0.0.
    return [int(part) for part in info_path.parent.name.split(".")]


def build_dataset(name: str, config: Config) -> str:
    """Build a data set from the files in --data_dir, as `tfds build` does.

    Args:
        name: Name of the data set.
        config: Its data_dir and tfds_config.

    Returns:
        The folder that it was written to.

    Raises:
        ValueError: A list or a file is missing.
        MediaError: A file cannot be decoded.
    """
    _check_name(name)
    tfds = import_tfds()
    builder_class = tfds.core.community.builder_cls_from_module(f"tfanon.data.builders.{name}")
    if config.tfds_config not in builder_class.builder_configs:
        raise ValueError(
            f"--tfds_config={config.tfds_config} is none of "
            f"{', '.join(builder_class.builder_configs)}."
        )
    builder = builder_class(
        config=config.tfds_config, data_dir=os.path.join(config.data_dir, STORE_FOLDER)
    )
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(manual_dir=config.data_dir)
    )
    return str(builder.data_path)


def _check_name(name: str) -> None:
    names = registry.list_names("builders")
    if name not in names:
        raise ValueError(
            f"--data_format=tfds has no data set {name}; tfanon/data/builders/ has: "
            f"{', '.join(names)}."
        )


# A run opens the same store for its clips, its images and its test splits.
@functools.cache
def open_store(folder: str) -> "TfdsStore":
    """Return the store of a folder, one per process."""
    return TfdsStore(folder)


class TfdsStore:
    """One built data set, read at any row.

    Args:
        folder: Folder of one version of the data set.

    Attributes:
        folder: The same folder.
        metadata: The catalog, as `to_metadata` returns it.
        side: H and W of the stored frames in pixels; 0: it contains files.
        rows: The serialized rows, a sequence of bytes.
    """

    def __init__(self, folder: str) -> None:
        tfds = import_tfds()
        builder = tfds.builder_from_directory(folder)
        self.folder = folder
        self.metadata: Mapping[str, Any] = builder.info.metadata
        self._features = builder.info.features
        self._frames_key = next((key for key in ("video", "image") if key in self._features), None)
        self._decoders = None
        self.side = 0
        if self._frames_key:
            # Frames stay encoded, so that only the chosen ones are decoded.
            self._decoders = {self._frames_key: tfds.decode.SkipDecoding()}
            self.side = self._features[self._frames_key].shape[-2]
        self.rows: Sequence[bytes] = builder.as_data_source(
            SPLIT_NAME, deserialize_method=tfds.decode.DeserializeMethod.RAW_BYTES
        )

    def read_content(self, row: int) -> bytes:
        """Return the bytes of the file in a row."""
        return self._features.deserialize_example_np(self.rows[row])["content"]

    def parse_jpegs(self, record: tf.Tensor) -> tf.Tensor:
        """Return the frames of a serialized row, still encoded, as TensorFlow ops.

        Args:
            record: String scalar.

        Returns:
            Strings ``[n]``.
        """
        example = self._features.deserialize_example(record, decoders=self._decoders)
        return tf.reshape(example[self._frames_key], [-1])


@dataclasses.dataclass(frozen=True)
class TfdsRecord:
    """A file in a store. Records of one file are equal, whichever data set contains them.

    Attributes:
        name: Path of the file below the folder that the data set was built from.
        store: The store.
        row: Row number in the store.
    """

    name: str
    store: TfdsStore = dataclasses.field(compare=False)
    row: int = dataclasses.field(compare=False)

    def __str__(self) -> str:
        return f"{self.store.folder}:{self.name}"

    def read(self) -> bytes:
        """Return the bytes of the file."""
        return self.store.read_content(self.row)


def holds_frames(path: Any) -> bool:
    """Return whether a path is a record of a store that contains frames instead of files."""
    return isinstance(path, TfdsRecord) and path.store.side > 0


class StoredFrameReader(decode.MediaReader):
    """A MediaReader of records that contain frames: TensorFlow decodes the ones that are needed."""

    def read(
        self, row: tf.Tensor, moment: tf.Tensor, windows: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Read one row; see `MediaReader.read`. The row is always the requested one."""
        record = tf.numpy_function(self._read_record, [row], tf.string, stateful=False)
        jpegs = self._get_record(0).store.parse_jpegs(record)
        numbers = tf.numpy_function(
            self._choose_frames, [row, tf.size(jpegs), moment], tf.int64, stateful=False
        )
        chosen = tf.gather(jpegs, tf.ensure_shape(numbers, [self.frames]))
        frames = tf.stack([tf.io.decode_jpeg(jpeg, channels=3) for jpeg in tf.unstack(chosen)])
        views = [cut_window(frames, window, self.resolution) for window in tf.unstack(windows)]
        return tf.stack(views), row

    def read_batch(
        self, rows: tf.Tensor, moments: tf.Tensor, windows: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Read n rows; see `MediaReader.read_batch`."""
        arguments = [tf.unstack(values) for values in (rows, moments, windows)]
        pixels = [self.read(*row_arguments)[0] for row_arguments in zip(*arguments, strict=True)]
        return tf.stack(pixels), rows

    def _get_record(self, row: int) -> TfdsRecord:
        record = self.paths[row]
        assert isinstance(record, TfdsRecord)
        return record

    def _read_record(self, row: int) -> bytes:
        with decode.guard_read():
            record = self._get_record(row)
            return record.store.rows[record.row]

    def _choose_frames(self, row: int, num_frames: int, moment: float) -> np.ndarray:
        return np.asarray(self.make_frame_chooser(row, moment)(num_frames), np.int64)


def cut_window(frames: tf.Tensor, window: tf.Tensor, side: int) -> tf.Tensor:
    """Cut a window from stored frames and scale it.

    Args:
        frames: uint8 ``[T, S, S, 3]``.
        window: (factor, y, x), as in `media.frame_reader.read_frames`; rounded to whole stored
            pixels.
        side: H and W of the result.

    Returns:
        uint8 ``[T, side, side, 3]``.
    """
    stored_side = tf.cast(tf.shape(frames)[1], tf.float32)
    # A small factor must not round to an empty window.
    extent = tf.maximum(1.0, tf.round(window[0] * stored_side))
    corner = tf.cast(tf.round(window[1:] * (stored_side - extent)), tf.int32)
    top, left = tf.unstack(corner)
    extent = tf.cast(extent, tf.int32)
    scaled = tf.image.resize(frames[:, top : top + extent, left : left + extent], [side, side])
    return tf.cast(scaled + 0.5, tf.uint8)  # tf.cast truncates, so this rounds


def to_metadata(catalog: DatasetCatalog, folder: str) -> dict[str, Any]:
    """Convert a catalog to JSON values.

    Args:
        catalog: The data set.
        folder: Folder that the data sets lie in.
    """
    splits = {name: words.tolist() for name, words in catalog.splits.items()}
    frame_values = [values.tolist() for values in catalog.frame_values or ()]
    return {
        # Relative, so that the store can be moved and records of one file stay equal.
        "root": os.path.relpath(catalog.root, folder),
        "paths": list(catalog.paths),
        "splits": splits,
        "labels": _to_list(catalog.labels),
        "classes": list(catalog.classes),
        "attributes": _to_list(catalog.attributes),
        "attribute_names": list(catalog.attribute_names),
        "frame_values": frame_values,
    }


def from_metadata(store: TfdsStore) -> DatasetCatalog:
    """Return the catalog that `to_metadata` converted, with TfdsRecords as its files."""
    metadata = store.metadata
    records: list[TfdsRecord] = []
    for row, path in enumerate(metadata["paths"]):
        name = os.path.normpath(os.path.join(metadata["root"], path))
        records.append(TfdsRecord(name, store, row))
    frame_values = tuple(np.array(values, np.uint8) for values in metadata["frame_values"])
    return DatasetCatalog(
        root=store.folder,
        paths=tuple(metadata["paths"]),
        splits={name: np.array(words) for name, words in metadata["splits"].items()},
        labels=_to_array(metadata["labels"], np.int32),
        classes=tuple(metadata["classes"]),
        attributes=_to_array(metadata["attributes"], np.float32),
        attribute_names=tuple(metadata["attribute_names"]),
        frame_values=frame_values or None,
        records=tuple(records),
    )


def _to_list(array: np.ndarray | None) -> list | None:
    # Labels and attributes are whole numbers, whatever their dtype; JSON has no arrays.
    return None if array is None else array.astype(int).tolist()


def _to_array(values: list | None, dtype: type[np.generic]) -> np.ndarray | None:
    return None if values is None else np.array(values, dtype)


def import_tfds() -> Any:
    """Return the package tensorflow_datasets.

    Raises:
        ValueError: It is not installed.
    """
    try:
        # tensorflow_datasets imports this package without depending on it.
        import importlib_resources  # noqa: F401
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise ValueError(
            f"--data_format=tfds needs the package {error.name}: pip install 'tfanon[tfds]'."
        ) from None
    return tfds
