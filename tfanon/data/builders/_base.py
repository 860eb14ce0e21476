"""What the TensorFlow Datasets builders share: the sources' parsers, two kinds of configurations.

    python -m tfanon.data build hmdb51 --data_dir=data --tfds_config=jpeg
    tfds build tfanon/data/builders/hmdb51.py --config=jpeg --manual_dir=data --data_dir=data/tfds

The second command needs the packages apache-beam and mlcroissant and accepts
--beam_pipeline_options.

manual_dir is --data_dir of training. A data set has one split, "files", with one example per file
in the order of its catalog, and no file is left out. The catalog is stored in the metadata; the
authors' splits are features. Examples are stored as ArrayRecords, which can be read at any row.

    encoded     the file's own bytes, not encoded again
    jpeg        every frame, scaled to 224x224 and stored as JPEG; jpeg112: to 112x112
"""

import dataclasses
import functools
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from tfanon.data import tfds_store
from tfanon.data.parsing.annotations import PRIVATE_ATTRIBUTES
from tfanon.data.published_split import DatasetCatalog
from tfanon.media import frame_reader, image_io, limits

DEFAULT_SIDE = 224  # pixels; the configuration is called "jpeg" without a number
OTHER_SIDES = (16, 32, 64, 96, 112, 128, 160, 256, 288, 320)

Features = dict[str, Any]
Row = tuple[int, str, Features]  # number, full path, features besides the content


@dataclasses.dataclass
class StoreConfig(tfds.core.BuilderConfig):
    """How the files are stored.

    Attributes:
        side: H and W of the stored frames in pixels; 0: the file's bytes are stored.
    """

    side: int = 0


def _make_store_configs() -> list[StoreConfig]:
    configs = [StoreConfig(name="encoded", description="The file's own bytes.")]
    for side in (DEFAULT_SIDE, *OTHER_SIDES):
        name = "jpeg" if side == DEFAULT_SIDE else f"jpeg{side}"
        description = f"Frames of {side}x{side} as JPEG."
        configs.append(StoreConfig(name=name, side=side, description=description))
    return configs


STORE_CONFIGS = _make_store_configs()


# tensorflow_datasets has no type information, so its class keyword is unknown.
class Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # type: ignore[call-arg]
    """Base of the builders; each is named after the data set's source.

    Attributes:
        source: The module in tfanon/data/sources.
        licence: The data set's licence, in one line.
    """

    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS = STORE_CONFIGS
    source: Any = None
    licence = ""

    def __init__(self, *, file_format: Any = None, **kwargs: Any) -> None:
        # Training reads rows at random, which TFRecord files do not allow.
        super().__init__(file_format=file_format or "array_record", **kwargs)
        self._uses_beam = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.MANUAL_DOWNLOAD_INSTRUCTIONS = (
            f"{cls.source.__doc__}\n<data_dir> is --manual_dir.  {cls.source.ABOUT}\n"
            f"Licence: {cls.licence}"
        )

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            "path": tfds.features.Text(),
            "label": np.int64,
            "action": tfds.features.Text(),
            "splits": tfds.features.Sequence(
                {"division": tfds.features.Text(), "word": tfds.features.Text()}
            ),
            "attributes": tfds.features.Tensor(shape=(None,), dtype=np.uint8),
            "frame_values": tfds.features.Tensor(
                shape=(None, len(PRIVATE_ATTRIBUTES)), dtype=np.uint8
            ),
            **self._make_content_feature(),
        }
        return tfds.core.DatasetInfo(
            builder=self,
            description=self.source.__doc__,
            license=self.licence,
            disable_shuffling=True,  # row numbers must be those of the catalog
            metadata=tfds.core.MetadataDict(),  # filled when the lists have been read
            features=tfds.features.FeaturesDict(features),
        )

    def _make_content_feature(self) -> dict[str, Any]:
        """Return the feature that contains the file or its frames, under its name."""
        side = self.builder_config.side
        if not side:
            # np.object_ is how tensorflow_datasets writes byte strings.
            return {"content": tfds.features.Tensor(shape=(), dtype=np.object_)}
        if self._holds_images():
            return {"image": tfds.features.Image(shape=(side, side, 3), encoding_format="jpeg")}
        shape = (None, side, side, 3)
        return {"video": tfds.features.Video(shape=shape, encoding_format="jpeg")}

    def _holds_images(self) -> bool:
        return "images" in self.source.KINDS and "clips" not in self.source.KINDS

    def _download_and_prepare(self, dl_manager: Any, download_config: Any) -> None:
        # Without options of Beam, no Beam is needed.
        self._uses_beam = bool(download_config.beam_runner or download_config.beam_options)
        super()._download_and_prepare(dl_manager, download_config)

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        folder = os.fspath(dl_manager.manual_dir)
        catalog = self.source.read(os.path.join(folder, self.name), folder)
        # First, so that a build with missing files fails at once.
        _check_files_exist(catalog)
        self.info.metadata.update(tfds_store.to_metadata(catalog, folder))
        return {tfds_store.SPLIT_NAME: self._generate_examples(catalog)}

    def _generate_examples(self, catalog: DatasetCatalog) -> Any:
        """Return the examples as an iterator, or as a Beam collection."""
        # Beam pickles the function; a bound method would take the builder along.
        make_example = functools.partial(_make_example, side=self.builder_config.side)
        full_paths = catalog.list_full_paths()
        rows: list[Row] = []
        for row, features in enumerate(_list_features(catalog)):
            rows.append((row, full_paths[row], features))
        if not self._uses_beam:
            return map(make_example, rows)
        beam = tfds.core.lazy_imports.apache_beam
        return beam.Create(rows) | beam.Map(make_example)


def _check_files_exist(catalog: DatasetCatalog) -> None:
    """Raise ValueError if a file is missing: a data set is built completely or not at all."""
    missing: list[str] = []
    for path, full_path in zip(catalog.paths, catalog.list_full_paths(), strict=True):
        if not os.path.isfile(full_path):
            missing.append(path)
    if missing:
        raise ValueError(
            f"{len(missing)} of {len(catalog)} files are not in {catalog.root}; the first: "
            f"{missing[0]}. A data set can only be built when all its files are there."
        )


def _list_features(catalog: DatasetCatalog) -> Iterator[Features]:
    """Yield the features of each row besides the file; -1 and empty if it has no such labels."""
    no_frame_values = np.zeros((0, len(PRIVATE_ATTRIBUTES)), np.uint8)
    for row, path in enumerate(catalog.paths):
        label = -1 if catalog.labels is None else int(catalog.labels[row])
        action = catalog.classes[label] if label >= 0 else ""
        attributes = np.zeros((0,), np.uint8)
        if catalog.attributes is not None:
            attributes = catalog.attributes[row].astype(np.uint8)
        frame_values = no_frame_values
        if catalog.frame_values is not None:
            frame_values = catalog.frame_values[row]
        splits = [
            {"division": division, "word": str(words[row])}
            for division, words in catalog.splits.items()
        ]
        yield {
            "path": path,
            "label": label,
            "action": action,
            "splits": splits,
            "attributes": attributes,
            "frame_values": frame_values,
        }


def _make_example(row: Row, side: int) -> tuple[int, Features]:
    """Read a file and return (key, features).

    Raises:
        MediaError: A frame cannot be decoded.
    """
    number, path, features = row
    if not side:
        with open(path, "rb") as file:
            return number, features | {"content": file.read()}
    if limits.is_video_path(path):
        return number, features | {"video": frame_reader.read_frames(path, range, side, side)}
    return number, features | {"image": image_io.read_image(path, side, side)[0]}
