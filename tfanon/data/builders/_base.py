"""What the TensorFlow Datasets builders share: the sources' parsers, two configurations, no example left out.

    python -m tfanon.data build hmdb51 --data_dir=data --tfds_config=jpeg
    tfds build tfanon/data/builders/hmdb51.py --config=jpeg --manual_dir=data --data_dir=data/tfds

The second needs the packages apache-beam and mlcroissant, and takes --beam_pipeline_options.

manual_dir is --data_dir of training. A data set has one split, "files", with one example per file, in the order of its
Catalog, which is kept whole in the metadata; the authors' splits are features. Records are ArrayRecords, of which any
one can be read without those before it.

    encoded     the file's own bytes, nothing encoded again
    jpeg        every frame, squeezed to 224x224 and stored as JPEG; jpeg112: to 112x112
"""

import dataclasses
import functools
import os

import numpy as np
import tensorflow_datasets as tfds

from tfanon.data import tfds_store
from tfanon.data.parsing.annotations import PRIVATE_ATTRIBUTES
from tfanon.media import frame_reader, image_io, limits


@dataclasses.dataclass
class Configuration(tfds.core.BuilderConfig):
    """side: of the stored frames in pixels; 0: the file's bytes are stored."""

    side: int = 0


CONFIGURATIONS = [Configuration(name="encoded", description="The file's own bytes.")] + [
    Configuration(
        name=f"jpeg{'' if side == 224 else side}",
        side=side,
        description=f"Frames of {side}x{side} as JPEG.",
    )
    for side in (224, 16, 32, 64, 96, 112, 128, 160, 256, 288, 320)
]


class Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """source: the module of tfanon/data/sources.  licence: a line."""

    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS = CONFIGURATIONS
    source, licence = None, ""

    def __init__(self, *, file_format=None, **more):
        super().__init__(file_format=file_format or "array_record", **more)
        self._with_beam = False

    def __init_subclass__(cls, **more):
        super().__init_subclass__(**more)
        about = cls.source
        cls.MANUAL_DOWNLOAD_INSTRUCTIONS = (
            f"{about.__doc__}\n<data_dir> is --manual_dir.  {about.ABOUT}\nLicence: {cls.licence}"
        )

    def _info(self):
        side = self.builder_config.side
        picture = tfds.features.Image(shape=(side, side, 3), encoding_format="jpeg")
        video = tfds.features.Video(shape=(None, side, side, 3), encoding_format="jpeg")
        content = tfds.features.Tensor(shape=(), dtype=np.object_)
        stored = (
            {"content": content}
            if not side
            else {"image": picture}
            if self._of_images()
            else {"video": video}
        )
        return tfds.core.DatasetInfo(
            builder=self,
            description=self.source.__doc__,
            license=self.licence,
            disable_shuffling=True,
            metadata=tfds.core.MetadataDict(),
            features=tfds.features.FeaturesDict(
                {
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
                    **stored,
                }
            ),
        )

    def _of_images(self):
        return "images" in self.source.KINDS and "clips" not in self.source.KINDS

    def _download_and_prepare(self, dl_manager, download_config):
        self._with_beam = bool(download_config.beam_runner or download_config.beam_options)
        super()._download_and_prepare(dl_manager, download_config)

    def _split_generators(self, dl_manager):
        folder = os.fspath(dl_manager.manual_dir)
        catalog = self.source.read(os.path.join(folder, self.name), folder)
        _check_there(catalog)
        self.info.metadata.update(tfds_store.to_metadata(catalog, folder))
        return {tfds_store.SPLIT: self._generate_examples(catalog)}

    def _generate_examples(self, catalog):
        example = functools.partial(_example, side=self.builder_config.side)
        rows = [
            (row, os.path.join(catalog.root, path), about)
            for row, (path, about) in enumerate(zip(catalog.paths, _features(catalog)))
        ]
        if not self._with_beam:
            return map(example, rows)
        beam = tfds.core.lazy_imports.apache_beam
        return beam.Create(rows) | beam.Map(example)


def _check_there(catalog):
    missing = [
        path for path in catalog.paths if not os.path.isfile(os.path.join(catalog.root, path))
    ]
    if missing:
        raise ValueError(
            f"{len(missing)} of {len(catalog)} files are not in {catalog.root}; the first: {missing[0]}. "
            "A data set is built of all its files or not at all."
        )


def _features(catalog):
    """What is stored of each row beside its file; -1 and empty where a data set has no such labels."""
    for row, path in enumerate(catalog.paths):
        label = -1 if catalog.labels is None else int(catalog.labels[row])
        empty = np.zeros((0,), np.uint8)
        yield {
            "path": path,
            "label": label,
            "action": catalog.classes[label] if label >= 0 else "",
            "splits": [
                {"division": name, "word": str(words[row])}
                for name, words in catalog.splits.items()
            ],
            "attributes": empty
            if catalog.attributes is None
            else catalog.attributes[row].astype(np.uint8),
            "frame_values": np.zeros((0, len(PRIVATE_ATTRIBUTES)), np.uint8)
            if catalog.frame_values is None
            else catalog.frame_values[row],
        }


def _example(row, side):
    """(key, features) of (row, path of the file, its features).  Raises MediaError where a frame cannot be decoded."""
    number, path, about = row
    if not side:
        with open(path, "rb") as file:
            return number, about | {"content": file.read()}
    if limits.is_video_path(path):
        return number, about | {"video": frame_reader.read_frames(path, range, side, side)}
    return number, about | {"image": image_io.read_image(path, side, side)[0]}
