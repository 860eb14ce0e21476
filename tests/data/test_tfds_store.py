"""Training from built TensorFlow Datasets equals training from the folders."""

import dataclasses
import pathlib
import sys
from typing import Any

import miniature_datasets
import numpy as np
import pytest
import tensorflow as tf

from tfanon.core import registry
from tfanon.core.config import Config
from tfanon.data import dataset_index, pipeline, splits, tfds_store
from tfanon.media import array_writer, image_io, limits

SIDE = 32
BASE = Config(
    clip_source="hmdb51",
    image_source="vispr",
    attribute_set="pa_hmdb51",
    test_clip_source="pa_hmdb51",
    test_image_source="pa_hmdb51",
    train_on_test_clips=True,
    resolution=SIDE,
    frames=3,
    stride=2,
    batch_clips=4,
    batch_pairs=4,
    batch_privacy=16,
    eval_crop=1.0,
    max_bad_fraction=0.0,
    on_bad_video="raise",
)


@dataclasses.dataclass
class FirstBatches:
    """The data of a config, and what training and evaluation see first."""

    data: splits.ExperimentData
    steps: Any  # the two batches of Algorithm 1's first step
    clips: Any
    images: Any

    @property
    def all(self) -> list[np.ndarray]:
        return tf.nest.flatten((self.steps, self.clips, self.images))


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Config of a data_dir that has the folders and both configurations built from them."""
    folder = tmp_path_factory.mktemp("built")
    miniature_datasets.write_hmdb51(folder)
    miniature_datasets.write_pa_hmdb51(folder)
    miniature_datasets.write_vispr(folder)
    config = dataclasses.replace(BASE, data_dir=str(folder))
    for name in ("hmdb51", "pa_hmdb51", "vispr"):
        for tfds_config in ("encoded", f"jpeg{SIDE}"):
            tfds_store.build_dataset(name, dataclasses.replace(config, tfds_config=tfds_config))
    return config


def use_store(config: Config, tfds_config: str) -> Config:
    return dataclasses.replace(config, data_format="tfds", tfds_config=tfds_config)


def read_first_batches(config: Config) -> FirstBatches:
    data = splits.load_experiment_data(config)
    train, images = data.clips.train, data.images.train
    image_test = data.privacy_tasks["images"].test
    datasets = (
        pipeline.make_anonymization_dataset(train, images, config, 0, 1),
        pipeline.make_clip_evaluation_dataset(data.action_task.test, config),
        pipeline.make_image_evaluation_dataset(image_test, config),
    )
    return FirstBatches(data, *(next(dataset.as_numpy_iterator()) for dataset in datasets))


@pytest.fixture(scope="module")
def from_folder(built):
    return read_first_batches(built)


@pytest.fixture(scope="module")
def from_jpeg(built):
    return read_first_batches(use_store(built, f"jpeg{SIDE}"))


def test_encoded_equals_the_folder_bit_for_bit(built, from_folder):
    from_encoded = read_first_batches(use_store(built, "encoded"))
    pairs = list(zip(from_folder.all, from_encoded.all, strict=True))
    assert len(pairs) == 12 and all(np.array_equal(one, other) for one, other in pairs)
    # The leak is noted in both cases.
    assert from_encoded.data.notes == from_folder.data.notes and len(from_folder.data.notes) == 2


def test_jpeg_evaluates_the_same_examples(from_folder, from_jpeg):
    """Rows, labels and frames are equal; pixels differ by the loss of JPEG, as nothing is cut."""
    pairs = ((from_folder.clips, from_jpeg.clips), (from_folder.images, from_jpeg.images))
    for (pixels, *labels), (stored_pixels, *stored_labels) in pairs:
        for one, other in zip(labels, stored_labels, strict=True):
            assert np.array_equal(one, other)
        assert pixels.shape == stored_pixels.shape
        assert np.abs(pixels - stored_pixels).mean() < 0.06
    frames = from_folder.clips[0].reshape(-1, SIDE, SIDE, 3)
    stored_frames = from_jpeg.clips[0].reshape(-1, SIDE, SIDE, 3)
    expected = find_nearest(frames, frames)
    assert find_nearest(frames, stored_frames) == expected and len(set(expected)) > 10


def find_nearest(frames: np.ndarray, candidates: np.ndarray) -> list[int]:
    """Return the number of the candidate that each frame resembles most."""
    nearest: list[int] = []
    for frame in frames:
        distances = np.abs(frame - candidates).mean(axis=(1, 2, 3))
        nearest.append(int(np.argmin(distances)))
    return nearest


def test_jpeg_trains_in_the_same_order(from_folder, from_jpeg):
    for batch, stored_batch in zip(from_folder.steps, from_jpeg.steps, strict=True):
        assert batch["labels"].tolist() == stored_batch["labels"].tolist()
        colours = batch["clips"].mean(axis=(1, 2, 3))
        stored_colours = stored_batch["clips"].mean(axis=(1, 2, 3))
        assert np.abs(colours - stored_colours).max() < 0.1


def test_jpeg_rows_read_together_equal_rows_read_one_by_one(built):
    config = use_store(built, f"jpeg{SIDE}")
    images = splits.load_experiment_data(config).privacy_tasks["images"].train
    reader = tfds_store.StoredFrameReader(
        images.paths, config.resolution, "raise", 0.0, frame_numbers=images.frame_numbers
    )
    rows, moments = tf.constant([1, 0], tf.int64), tf.constant([0.0, 0.5])
    windows = tf.constant([[[1.0, 0.0, 0.0]], [[0.5, 0.5, 1.0]]])
    pixels, used = reader.read_batch(rows, moments, windows)
    assert used.numpy().tolist() == [1, 0]
    for row in range(2):
        alone, _ = reader.read(rows[row], moments[row], windows[row])
        np.testing.assert_array_equal(pixels[row], alone)


def test_every_row_contains_its_file_and_its_labels(built):
    catalog = dataset_index.read_datasets(["pa_hmdb51"], built)[0].catalog
    folder = f"{built.data_dir}/tfds/pa_hmdb51/encoded/1.0.0"
    builder = tfds_store.import_tfds().builder_from_directory(folder)
    rows = builder.as_data_source(tfds_store.SPLIT_NAME)
    assert [row["path"].decode() for row in rows] == list(catalog.paths)
    for path, values, row in zip(catalog.paths, catalog.frame_values, rows, strict=True):
        assert row["content"] == pathlib.Path(catalog.root, path).read_bytes()
        assert row["action"].decode() == path.split("/")[0]
        np.testing.assert_array_equal(row["frame_values"], values)
        assert row["splits"]["word"] == [b"test"]


@pytest.mark.parametrize("window", [(1.0, 0.0, 0.0), (0.6, 0.0, 1.0), (0.75, 0.5, 0.3)])
def test_window_is_cut_as_the_image_reader_cuts_it(tmp_path, window):
    y, x = np.mgrid[:64, :64]
    image = np.stack([2 * y + x, 190 - 2 * y, 3 * x], axis=-1).astype(np.uint8)
    array_writer.write_jpeg(tmp_path / "a.jpg", image, quality=100)
    expected = image_io.read_image(str(tmp_path / "a.jpg"), SIDE, SIDE, [window])
    cut = tfds_store.cut_window(tf.constant(image[None]), tf.constant(window), SIDE)
    assert cut.shape == (1, SIDE, SIDE, 3)
    # At the edge, swscale weighs neighbours differently.
    difference = np.abs(cut.numpy().astype(int) - expected)[:, 1:-1, 1:-1]
    assert difference.max() < 5


def test_missing_or_broken_file_stops_the_build(built, tmp_path):
    folder = miniature_datasets.write_hmdb51(tmp_path)
    config = dataclasses.replace(built, data_dir=str(tmp_path), tfds_config="jpeg16")
    path = folder / next(iter(miniature_datasets.HMDB51))
    path.unlink()
    with pytest.raises(ValueError, match="1 of 16 files are not in .*hmdb51; the first: clap/#20"):
        tfds_store.build_dataset("hmdb51", config)
    path.write_bytes(b"broken")
    with pytest.raises(limits.MediaError, match="#20_Rhythm.*not in a supported video"):
        tfds_store.build_dataset("hmdb51", config)
    message = "no built data set in .*jpeg16.*`python -m tfanon.data build hmdb51"
    with pytest.raises(ValueError, match=message):
        tfds_store.read_catalog("hmdb51", config)


@pytest.mark.parametrize(
    "name, changes, match",
    [
        (
            "synthetic",
            {},
            "has no data set synthetic; tfanon/data/builders/ has: hmdb51, pa_hmdb51, ucf101, "
            "vispr",
        ),
        (
            "hmdb51",
            {"tfds_config": "jpeg32", "resolution": 64},
            "frames of 32x32 pixels, fewer than --resolution=64",
        ),
    ],
)
def test_error_names_what_does_not_fit(built, name, changes, match):
    with pytest.raises(ValueError, match=match):
        tfds_store.read_catalog(name, dataclasses.replace(built, **changes))


def test_unknown_configuration(built):
    with pytest.raises(ValueError, match="--tfds_config=png is none of encoded, jpeg, jpeg16"):
        tfds_store.build_dataset("hmdb51", dataclasses.replace(built, tfds_config="png"))


def test_missing_package_is_reported_with_a_remedy(built, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    tfds_store.open_store.cache_clear()
    message = r"needs the package tensorflow_datasets: pip install 'tfanon\[tfds\]'"
    with pytest.raises(ValueError, match=message):
        splits.load_experiment_data(use_store(built, "encoded"))


def test_every_data_set_has_a_builder_with_instructions_and_a_licence():
    load_builder = tfds_store.import_tfds().core.community.builder_cls_from_module
    sources = {
        name
        for name in registry.list_names("sources")
        if hasattr(registry.load_module("sources", name), "read")
    }
    assert set(registry.list_names("builders")) == sources
    for name in sources:
        builder = load_builder(f"tfanon.data.builders.{name}")
        assert builder.name == name and list(builder.builder_configs)[:2] == ["encoded", "jpeg"]
        instructions = builder.MANUAL_DOWNLOAD_INSTRUCTIONS
        assert "https://" in instructions
        assert f"Licence: {builder.licence}" in instructions and len(builder.licence) > 10
