"""Training from built TensorFlow Datasets gives what training from the folders gives."""

import dataclasses
import sys

import miniature_datasets
import numpy as np
import pytest
import tensorflow as tf

from tfanon.core import registry
from tfanon.core.config import Config
from tfanon.data import dataset_index, pipeline, splits, tfds_store
from tfanon.media import array_writer, frame_reader, image_io

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


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Config of a data_dir that holds folders and both configurations built of them."""
    folder = tmp_path_factory.mktemp("built")
    for write in (
        miniature_datasets.write_hmdb51,
        miniature_datasets.write_pa_hmdb51,
        miniature_datasets.write_vispr,
    ):
        write(folder)
    config = dataclasses.replace(BASE, data_dir=str(folder))
    for name in ("hmdb51", "pa_hmdb51", "vispr"):
        for configuration in ("encoded", f"jpeg{SIDE}"):
            tfds_store.build_dataset(name, dataclasses.replace(config, tfds_config=configuration))
    return config


def stored(config, configuration):
    return dataclasses.replace(config, data_format="tfds", tfds_config=configuration)


def batches(config):
    """What training and evaluation see first: (step of Algorithm 1, clips, images)."""
    chosen = splits.load_experiment_data(config)
    parts = (
        pipeline.make_anonymization_dataset(chosen.clips.train, chosen.images.train, config, 0, 1),
        pipeline.make_clip_evaluation_dataset(chosen.action_task.test, config),
        pipeline.make_image_evaluation_dataset(chosen.privacy_tasks["images"].test, config),
    )
    return chosen, [
        tf.nest.map_structure(lambda value: value.numpy(), next(iter(part))) for part in parts
    ]


@pytest.fixture(scope="module")
def seen(built):
    """What the folders, and both configurations, show first."""
    return [
        batches(config)
        for config in (built, stored(built, "encoded"), stored(built, f"jpeg{SIDE}"))
    ]


def test_encoded_is_the_folder_bit_for_bit(seen):
    (folder, expected), (chosen, found), _ = seen
    pairs = list(zip(tf.nest.flatten(expected), tf.nest.flatten(found), strict=True))
    assert len(pairs) == 12 and all(np.array_equal(one, other) for one, other in pairs)
    assert chosen.notes == folder.notes and len(chosen.notes) == 2  # the leak is seen there as well


def test_jpeg_shows_the_same_examples(seen):
    """Same rows, labels and frames; pixels differ by what JPEG loses, since in evaluation nothing is cut here."""
    (_, (*_, clips, images)), _, (_, (*_, stored_clips, stored_images)) = seen
    for (pixels, *labels), (others, *same) in ((clips, stored_clips), (images, stored_images)):
        assert all(np.array_equal(one, other) for one, other in zip(labels, same))
        assert pixels.shape == others.shape and np.abs(pixels - others).mean() < 0.06
    frames, others = (part[0].reshape(-1, SIDE, SIDE, 3) for part in (clips, stored_clips))
    assert (
        nearest(frames, others) == nearest(frames, frames)
        and len(set(nearest(frames, frames))) > 10
    )


def nearest(frames, others):
    """Number of the one of `others` that each frame resembles most."""
    return [int(np.argmin(np.abs(frame - others).mean(axis=(1, 2, 3)))) for frame in frames]


def test_jpeg_trains_on_the_same_order(seen):
    (_, (steps, *_)), _, (_, (stored_steps, *_)) = seen
    for one, other in zip(steps, stored_steps):
        assert one["labels"].tolist() == other["labels"].tolist()
        assert (
            np.abs(one["clips"].mean(axis=(1, 2, 3)) - other["clips"].mean(axis=(1, 2, 3))).max()
            < 0.1
        )


def test_jpeg_reads_rows_together_as_one_by_one(built):
    config = stored(built, f"jpeg{SIDE}")
    images = splits.load_experiment_data(config).privacy_tasks["images"].train
    files = tfds_store.StoredFrameReader(
        images.paths, config.resolution, "raise", 0.0, frame_numbers=images.frame_numbers
    )
    rows, moments = tf.constant([1, 0], tf.int64), tf.constant([0.0, 0.5])
    windows = tf.constant([[[1.0, 0.0, 0.0]], [[0.5, 0.5, 1.0]]])
    pixels, used = files.read_some(rows, moments, windows)
    assert used.numpy().tolist() == [1, 0]
    for found, *one in zip(pixels, rows, moments, windows):
        np.testing.assert_array_equal(found, files.read(*one)[0])


def test_every_row_holds_its_file_and_its_labels(built):
    catalog = dataset_index.read_datasets(["pa_hmdb51"], built)[0].catalog
    folder = f"{built.data_dir}/tfds/pa_hmdb51/encoded/1.0.0"
    rows = (
        tfds_store.import_tfds()
        .builder_from_directory(folder)
        .as_data_source(tfds_store.SPLIT_NAME)
    )
    assert [row["path"].decode() for row in rows] == list(catalog.paths)
    for path, values, row in zip(catalog.paths, catalog.frame_values, rows):
        assert row["content"] == open(f"{catalog.root}/{path}", "rb").read()
        assert row["action"].decode() == path.split("/")[0]
        np.testing.assert_array_equal(row["frame_values"], values)
        assert row["splits"]["word"] == [b"test"]


@pytest.mark.parametrize("window", [(1.0, 0.0, 0.0), (0.6, 0.0, 1.0), (0.75, 0.5, 0.3)])
def test_cut_is_the_readers_window(tmp_path, window):
    y, x = np.mgrid[:64, :64]
    image = np.stack([2 * y + x, 190 - 2 * y, 3 * x], axis=-1).astype(np.uint8)
    array_writer.write_jpeg(tmp_path / "a.jpg", image, quality=100)
    expected = image_io.read_image(str(tmp_path / "a.jpg"), SIDE, SIDE, [window])
    found = (
        tfds_store.cut_window(tf.constant(image[None]), tf.constant(window), SIDE)
        .numpy()
        .astype(int)
    )
    assert found.shape == (1, SIDE, SIDE, 3)
    assert (
        np.abs(found - expected)[:, 1:-1, 1:-1].max() < 5
    )  # at the edge swscale weighs neighbours otherwise


def test_a_missing_or_broken_file_stops_the_build(built, tmp_path):
    folder = miniature_datasets.write_hmdb51(tmp_path)
    config = dataclasses.replace(built, data_dir=str(tmp_path), tfds_config="jpeg16")
    path = folder / next(iter(miniature_datasets.HMDB51))
    path.unlink()
    with pytest.raises(ValueError, match="1 of 16 files are not in .*hmdb51; the first: clap/#20"):
        tfds_store.build_dataset("hmdb51", config)
    path.write_bytes(b"broken")
    with pytest.raises(frame_reader.MediaError, match="#20_Rhythm.*no video"):
        tfds_store.build_dataset("hmdb51", config)
    with pytest.raises(
        ValueError, match="No built data set in .*jpeg16: `python -m tfanon.data build hmdb51"
    ):
        tfds_store.read_catalog("hmdb51", config)


@pytest.mark.parametrize(
    "name, changes, match",
    [
        (
            "synthetic",
            {},
            "has no data set synthetic; tfanon/data/builders/ has: hmdb51, pa_hmdb51, ucf101, vispr",
        ),
        (
            "hmdb51",
            {"tfds_config": "jpeg32", "resolution": 64},
            "frames of 32x32 pixels, fewer than --resolution=64",
        ),
    ],
)
def test_what_does_not_fit_is_named(built, name, changes, match):
    with pytest.raises(ValueError, match=match):
        tfds_store.read_catalog(name, dataclasses.replace(built, **changes))


def test_an_unknown_configuration(built):
    with pytest.raises(ValueError, match="--tfds_config=png is none of encoded, jpeg, jpeg16"):
        tfds_store.build_dataset("hmdb51", dataclasses.replace(built, tfds_config="png"))


def test_without_the_package_there_is_one_clear_line(built, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    tfds_store.open_store.cache_clear()
    with pytest.raises(
        ValueError, match=r"needs the package tensorflow_datasets: pip install 'tfanon\[tfds\]'"
    ):
        splits.load_experiment_data(stored(built, "encoded"))


def test_every_data_set_has_a_builder_with_instructions_and_a_licence():
    of_class = tfds_store.import_tfds().core.community.builder_cls_from_module
    sources = {
        name
        for name in registry.list_names("sources")
        if hasattr(registry.load_module("sources", name), "read")
    }
    assert set(registry.list_names("builders")) == sources
    for name in sources:
        builder = of_class(f"tfanon.data.builders.{name}")
        assert builder.name == name and list(builder.builder_configs)[:2] == ["encoded", "jpeg"]
        text = builder.MANUAL_DOWNLOAD_INSTRUCTIONS
        assert (
            "https://" in text
            and f"Licence: {builder.licence}" in text
            and len(builder.licence) > 10
        )
