"""The batches of training and evaluation, on videos and images that the test writes."""

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

# The public API cannot disable determinism again.
from tensorflow.python.framework import config as tf_config

from tfanon.core.config import Config
from tfanon.data import batch, decode, pipeline
from tfanon.data.batch import Examples
from tfanon.media import array_writer

SIDE, NUM_VIDEOS, NUM_IMAGES = 16, 6, 5
CONFIG = Config(
    frames=4,
    stride=2,
    resolution=SIDE,
    batch_clips=4,
    batch_pairs=2,
    batch_reconstruct=4,
    batch_action=4,
    batch_privacy=4,
    eval_clips=2,
    read_threads=2,
    eval_crop=1.0,
)
Data = tuple[Examples, Examples]
DATASETS = ("anonymization", "same_batch", "reconstruction", "actions", "attributes")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """(clips, images).

    Video i has the label i and the red 40 i, its frame t the green 20 t; image i has the blue 50 i.
    """
    folder = tmp_path_factory.mktemp("pipeline")
    video_paths: list[str] = []
    image_paths: list[str] = []
    for i in range(NUM_VIDEOS):
        frames = [np.full((24, 32, 3), (40 * i, 20 * t, 0), np.uint8) for t in range(12)]
        video_paths.append(str(folder / f"{i}.mp4"))
        array_writer.write_video(video_paths[-1], frames, gop=5)
    for i in range(NUM_IMAGES):
        image_paths.append(str(folder / f"{i}.jpg"))
        picture = np.full((24, 20, 3), (0, 0, 50 * i), np.uint8)
        array_writer.write_jpeg(folder / f"{i}.jpg", picture)
    attributes = np.eye(NUM_VIDEOS, dtype=np.float32)
    labels = np.arange(NUM_VIDEOS, dtype=np.int32)
    clips = Examples(
        tuple(video_paths), labels, tuple("abcdef"), attributes, attribute_names=tuple("uvwxyz")
    )
    images = Examples(
        tuple(image_paths), attributes=attributes[:NUM_IMAGES, :3], attribute_names=tuple("uvw")
    )
    return clips, images


def to_numpy(dataset: tf.data.Dataset) -> list[Any]:
    return [tf.nest.map_structure(lambda tensor: tensor.numpy(), element) for element in dataset]


def concatenate(elements: Iterable[tuple[np.ndarray, ...]]) -> list[np.ndarray]:
    """Join the batches of each component."""
    return [np.concatenate(parts) for parts in zip(*elements, strict=True)]


def are_equal(one: Any, other: Any) -> bool:
    pairs = zip(tf.nest.flatten(one), tf.nest.flatten(other), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


def make_dataset(name: str, data: Data, config: Config, first: int, last: int) -> tf.data.Dataset:
    clips, images = data
    if name == "same_batch":
        config = dataclasses.replace(config, same_batch=True)
    if name in ("anonymization", "same_batch"):
        return pipeline.make_anonymization_dataset(clips, images, config, first, last)
    if name == "reconstruction":
        return pipeline.make_reconstruction_dataset(clips, images, config, first, last)
    if name == "actions":
        return pipeline.make_action_dataset(clips, config, first, last)
    return pipeline.make_attribute_dataset(clips, config, first, last)


def read(name: str, data: Data, config: Config, first: int, last: int) -> list[Any]:
    return to_numpy(make_dataset(name, data, config, first, last))


@pytest.mark.parametrize("name", DATASETS)
def test_starting_in_the_middle_gives_the_remaining_steps_bit_for_bit(data, name):
    all_steps = read(name, data, CONFIG, 0, 5)
    assert len(all_steps) == 5
    assert are_equal(all_steps[3:], read(name, data, CONFIG, 3, 5))
    tensors = [tensor for tensor in tf.nest.flatten(all_steps) if tensor.ndim > 1]
    assert all(tensor.min() >= 0 and tensor.max() <= 1 for tensor in tensors)


@pytest.mark.parametrize("kind", ["images", "videos"])
def test_number_of_images_per_call_changes_nothing(data, monkeypatch, kind):
    examples = data[kind == "images"]
    config = dataclasses.replace(CONFIG, batch_privacy=8)
    together = to_numpy(pipeline.make_attribute_dataset(examples, config, 1, 3))
    monkeypatch.setattr(pipeline, "IMAGES_PER_CALL", 1)
    one_by_one = to_numpy(pipeline.make_attribute_dataset(examples, config, 1, 3))
    assert len(together) == 2 and are_equal(together, one_by_one)


def test_anonymization_batches(data):
    for first, second in read("anonymization", data, CONFIG, 0, 3):
        assert batch.check_batch(first)["clips"].shape == (4, 4, SIDE, SIDE, 3)
        assert batch.check_batch(second)["pairs"].shape == (2, 2, SIDE, SIDE, 3)
        assert not are_equal(first, second)
    for first, second in read("same_batch", data, CONFIG, 0, 2):
        assert are_equal(first, second)


def test_batches_depend_on_the_seed_but_not_on_the_number_of_threads(data):
    steps = read("actions", data, CONFIG, 0, 3)
    other_threads = dataclasses.replace(CONFIG, read_threads=0)
    assert are_equal(steps, read("actions", data, other_threads, 0, 3))
    other_seed = dataclasses.replace(CONFIG, seed=1)
    assert not are_equal(steps, read("actions", data, other_seed, 0, 3))


def test_two_batches_of_a_step_are_consecutive(data):
    # 3 steps of 2 batches of 4 clips: 24 positions, four epochs of the 6 videos.
    labels = []
    for step in read("anonymization", data, CONFIG, 0, 3):
        labels += [half["labels"] for half in step]
    epochs = np.concatenate(labels).reshape(4, NUM_VIDEOS)
    assert np.sort(epochs).tolist() == [list(range(NUM_VIDEOS))] * 4
    assert len({tuple(epoch) for epoch in epochs.tolist()}) > 1


def test_views_of_a_pair_are_augmented_independently(data, tmp_path):
    picture = np.random.default_rng(0).integers(0, 255, (24, 24, 3)).astype(np.uint8)
    array_writer.write_jpeg(tmp_path / "noise.jpg", picture)
    images = Examples((str(tmp_path / "noise.jpg"),))
    ((first, second),) = read("anonymization", (data[0], images), CONFIG, 0, 1)
    views = np.concatenate([first["pairs"], second["pairs"]]).reshape(-1, SIDE, SIDE, 3)
    assert len({view.tobytes() for view in views}) == 8


def test_evaluation_shows_every_clip_in_order(data):
    batches = to_numpy(pipeline.make_clip_evaluation_dataset(data[0], CONFIG))
    assert [len(labels) for _, labels, _ in batches] == [4, 4, 4]
    clips, labels, index = concatenate(batches)
    assert labels.tolist() == index.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    # RGB: red is the video, green the frame: clip 0 shows 0 2 4 6, clip 1 (12 frames, 6 starts)
    # 5 7 9 11.
    red = np.repeat(40 * labels[:, None], 4, axis=1)
    np.testing.assert_allclose(clips[:, :, 8, 8, 0] * 255, red, atol=8)
    for clip, numbers in ((0, [0, 2, 4, 6]), (1, [5, 7, 9, 11])):
        np.testing.assert_allclose(clips[clip, :, 8, 8, 1] * 255, 20 * np.array(numbers), atol=8)


def test_evaluation_of_images_and_of_frames(data):
    clips, images = data
    batches = to_numpy(pipeline.make_image_evaluation_dataset(images, CONFIG))
    pixels, attributes, index = concatenate(batches)
    assert index.tolist() == [0, 1, 2, 3, 4] and attributes.tolist() == images.attributes.tolist()
    np.testing.assert_allclose(pixels[:, 8, 8] * 255, [(0, 0, 50 * i) for i in range(5)], atol=4)
    batches = to_numpy(pipeline.make_image_evaluation_dataset(clips, CONFIG))
    pixels, _, index = concatenate(batches)
    assert index.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    np.testing.assert_allclose(pixels[:2, 8, 8, 1] * 255, [0, 220], atol=8)  # first and last frame


def test_reconstruction_alternates_images_and_frames(data):
    config = dataclasses.replace(CONFIG, seed=3)
    frames = np.concatenate(read("reconstruction", data, config, 0, 4))
    assert frames.shape == (16, SIDE, SIDE, 3)
    # Images are blue, videos have no blue at all; hue may change a little of it, greyscale all.
    blue = frames.mean(axis=(1, 2))[:, 2]
    assert blue[0::2].mean() > 0.15 and blue[1::2].mean() < 0.1


def test_short_videos_and_a_batch_larger_than_the_data(data):
    config = dataclasses.replace(CONFIG, frames=16, stride=4, batch_action=8)
    ((clips, labels),) = read("actions", data, config, 0, 1)
    assert clips.shape == (8, 16, SIDE, SIDE, 3) and sorted(labels[:6]) == list(range(6))


def test_broken_video_is_replaced_together_with_its_label(data, tmp_path):
    clips = data[0]
    (tmp_path / "broken.mp4").write_bytes(b"broken")
    paths = (*clips.paths[:2], str(tmp_path / "broken.mp4"), *clips.paths[3:])
    broken = dataclasses.replace(clips, paths=paths)
    config = dataclasses.replace(CONFIG, max_bad_fraction=0.2)
    batches = to_numpy(pipeline.make_clip_evaluation_dataset(broken, config))
    _, labels, _ = concatenate(batches)
    assert labels.tolist() == [0, 0, 1, 1, 3, 3, 3, 3, 4, 4, 5, 5]
    strict = dataclasses.replace(CONFIG, on_bad_video="raise")
    with pytest.raises(ValueError, match="broken.mp4"), decode.unwrap_errors():
        to_numpy(pipeline.make_action_dataset(broken, strict, 0, 2))


@pytest.mark.parametrize(
    "name, pairs", [("anonymization", 2), ("anonymization", 4), ("same_batch", 2)]
)
def test_two_replicas_share_the_same_global_batch(data, two_replicas, name, pairs):
    # tf.distribute splits batches in one way if there are as many clips as pairs, else in another.
    config = dataclasses.replace(CONFIG, batch_pairs=pairs)
    expected = read(name, data, config, 0, 3)
    dataset = make_dataset(name, data, config, 0, 3)

    def join(value: Any) -> np.ndarray:
        return np.concatenate(two_replicas.experimental_local_results(value))

    distributed = two_replicas.experimental_distribute_dataset(dataset)
    joined = [tf.nest.map_structure(join, step) for step in distributed]
    assert are_equal(expected, joined)


def test_deterministic_ops_change_nothing(data):
    before = read("actions", data, CONFIG, 0, 2)
    tf.config.experimental.enable_op_determinism()
    try:
        assert are_equal(before, read("actions", data, CONFIG, 0, 2))
    finally:
        tf_config.disable_op_determinism()


def test_extra_attributes_belong_to_their_clips_and_images(data):
    keys = ("attributes", "clip_attributes")
    plain_steps = read("anonymization", data, CONFIG, 0, 2)
    steps = to_numpy(pipeline.make_anonymization_dataset(*data, CONFIG, 0, 2, keys))
    for plain_step, step in zip(plain_steps, steps, strict=True):
        for plain, half in zip(plain_step, step, strict=True):
            batch.check_batch(half)
            # The extra keys do not change the others.
            assert are_equal(plain, {name: half[name] for name in plain})
            # The attributes of clips are the rows of the unit matrix, and so are the three of
            # images: row i for label i.
            expected = np.eye(NUM_VIDEOS, dtype=np.float32)[half["labels"]]
            np.testing.assert_array_equal(half["clip_attributes"], expected)
            blue = np.rint(half["pairs"].max((1, 2, 3))[:, 2] * 255 / 50)
            contrast = np.abs(half["pairs"][..., 2] - half["pairs"][..., 0]).max((1, 2, 3))
            for row in range(len(blue)):
                is_grey = contrast[row] < 0.02
                if not is_grey and blue[row] in (1, 2):
                    assert half["attributes"][row].argmax() == blue[row]


def test_other_clips_of_the_same_video(data):
    # Green is the moment, 20 per frame; jitter moves it by a tenth, greyscale and hue mix it with
    # red.
    config = dataclasses.replace(CONFIG, frames=1, batch_clips=12)
    steps = to_numpy(pipeline.make_anonymization_dataset(*data, config, 0, 2, ("others",)))
    second_step = to_numpy(pipeline.make_anonymization_dataset(*data, config, 1, 2, ("others",)))
    assert are_equal(steps[1:], second_step)
    halves = [half for step in steps for half in step]
    clips = np.concatenate([half["clips"] for half in halves])
    others = np.concatenate([half["others"] for half in halves])
    assert others.shape == (48, 2, 1, SIDE, SIDE, 3)
    green, same_green, other_green = [
        np.median(x[:, 0, ..., 1], axis=(-2, -1)) for x in (clips, others[:, 0], others[:, 1])
    ]
    assert np.mean(np.abs(same_green - green) < 0.06) > 0.6  # the same frame
    # 12 starts, at least a quarter of them away: 3 * 20 / 255.
    assert np.mean(np.abs(other_green - green) > 0.12) > 0.6
    assert not np.allclose(clips, others[:, 0])
