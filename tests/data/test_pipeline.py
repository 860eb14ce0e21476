"""The batches of training and evaluation, on videos and images that the test writes."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import (
    config as tf_config,
)  # the public API has no way back from determinism

from tfanon.core.config import Config
from tfanon.data import batch, decode, pipeline
from tfanon.data.batch import Examples
from tfanon.media import array_writer

SIDE, VIDEOS, IMAGES = 16, 6, 5
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


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """(clips, images): video i has the label i and the red 40 i, frame t the green 20 t; image i is all blue 50 i."""
    folder = tmp_path_factory.mktemp("pipeline")
    for i in range(VIDEOS):
        frames = [np.full((24, 32, 3), (40 * i, 20 * t, 0), np.uint8) for t in range(12)]
        array_writer.write_video(folder / f"{i}.mp4", frames, gop=5)
    for i in range(IMAGES):
        array_writer.write_jpeg(folder / f"{i}.jpg", np.full((24, 20, 3), (0, 0, 50 * i), np.uint8))
    attributes = np.eye(VIDEOS, dtype=np.float32)
    clips = Examples(
        tuple(str(folder / f"{i}.mp4") for i in range(VIDEOS)),
        np.arange(VIDEOS, dtype=np.int32),
        tuple("abcdef"),
        attributes,
        tuple("uvwxyz"),
    )
    images = Examples(
        tuple(str(folder / f"{i}.jpg") for i in range(IMAGES)),
        attributes=attributes[:IMAGES, :3],
        attribute_names=tuple("uvw"),
    )
    return clips, images


def numpy(dataset):
    return [tf.nest.map_structure(lambda tensor: tensor.numpy(), element) for element in dataset]


def equal(one, other):
    pairs = zip(tf.nest.flatten(one), tf.nest.flatten(other), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


def make(kind, data, config, first, last):
    clips, images = data
    return {
        "anonymization": lambda: pipeline.make_anonymization_dataset(
            clips, images, config, first, last
        ),
        "same_batch": lambda: pipeline.make_anonymization_dataset(
            clips, images, dataclasses.replace(config, same_batch=True), first, last
        ),
        "reconstruction": lambda: pipeline.make_reconstruction_dataset(
            clips, images, config, first, last
        ),
        "actions": lambda: pipeline.make_action_dataset(clips, config, first, last),
        "attributes": lambda: pipeline.make_attribute_dataset(clips, config, first, last),
    }[kind]()


KINDS = ("anonymization", "same_batch", "reconstruction", "actions", "attributes")


@pytest.mark.parametrize("kind", KINDS)
def test_starting_in_the_middle_gives_the_rest_bit_for_bit(data, kind):
    full = numpy(make(kind, data, CONFIG, 0, 5))
    assert len(full) == 5
    assert equal(full[3:], numpy(make(kind, data, CONFIG, 3, 5)))
    assert all(
        tensor.min() >= 0 and tensor.max() <= 1
        for tensor in tf.nest.flatten(full)
        if tensor.ndim > 1
    )


@pytest.mark.parametrize("kind", ["images", "videos"])
def test_how_many_are_read_by_one_call_changes_nothing(data, monkeypatch, kind):
    examples, eight = data[kind == "images"], dataclasses.replace(CONFIG, batch_privacy=8)
    together = numpy(pipeline.make_attribute_dataset(examples, eight, 1, 3))
    monkeypatch.setattr(pipeline, "IMAGES_PER_CALL", 1)
    assert len(together) == 2 and equal(
        together, numpy(pipeline.make_attribute_dataset(examples, eight, 1, 3))
    )


def test_anonymization_batches(data):
    for one, two in numpy(pipeline.make_anonymization_dataset(*data, CONFIG, 0, 3)):
        assert batch.check_batch(one)["clips"].shape == (4, 4, SIDE, SIDE, 3)
        assert batch.check_batch(two)["pairs"].shape == (2, 2, SIDE, SIDE, 3)
        assert not equal(one, two)
    for one, two in numpy(make("same_batch", data, CONFIG, 0, 2)):
        assert equal(one, two)


def test_the_seed_decides_and_the_threads_do_not(data):
    one = numpy(make("actions", data, CONFIG, 0, 3))
    assert equal(
        one, numpy(make("actions", data, dataclasses.replace(CONFIG, read_threads=0), 0, 3))
    )
    assert not equal(one, numpy(make("actions", data, dataclasses.replace(CONFIG, seed=1), 0, 3)))


def test_two_batches_of_a_step_are_consecutive(data):
    # 3 steps of 2 batches of 4 clips: 24 positions, four epochs of the 6 videos.
    labels = [
        half["labels"]
        for step in numpy(pipeline.make_anonymization_dataset(*data, CONFIG, 0, 3))
        for half in step
    ]
    epochs = np.concatenate(labels).reshape(4, VIDEOS)
    assert np.sort(epochs).tolist() == [list(range(VIDEOS))] * 4
    assert len({tuple(epoch) for epoch in epochs.tolist()}) > 1


def test_views_of_a_pair_have_draws_of_their_own(data, tmp_path):
    picture = np.random.default_rng(0).integers(0, 255, (24, 24, 3)).astype(np.uint8)
    array_writer.write_jpeg(tmp_path / "noise.jpg", picture)
    images = Examples((str(tmp_path / "noise.jpg"),))
    one, two = numpy(pipeline.make_anonymization_dataset(data[0], images, CONFIG, 0, 1))[0]
    views = [view for half in (one, two) for pair in half["pairs"] for view in pair]
    assert len({view.tobytes() for view in views}) == 8


def test_evaluation_shows_every_clip_in_order(data):
    batches = numpy(pipeline.make_clip_evaluation_dataset(data[0], CONFIG))
    assert [len(labels) for _, labels, _ in batches] == [4, 4, 4]
    clips, labels, index = (np.concatenate(parts) for parts in zip(*batches))
    assert labels.tolist() == index.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    # RGB: red tells the video, green the frame: clip 0 shows 0 2 4 6, clip 1 (12 frames, 6 starts) 5 7 9 11.
    np.testing.assert_allclose(
        clips[:, :, 8, 8, 0] * 255, np.repeat(40 * labels[:, None], 4, axis=1), atol=8
    )
    for clip, numbers in ((0, [0, 2, 4, 6]), (1, [5, 7, 9, 11])):
        np.testing.assert_allclose(clips[clip, :, 8, 8, 1] * 255, 20 * np.array(numbers), atol=8)


def test_evaluation_of_images_and_of_frames(data):
    clips, images = data
    batches = numpy(pipeline.make_image_evaluation_dataset(images, CONFIG))
    pixels, attributes, index = (np.concatenate(parts) for parts in zip(*batches))
    assert index.tolist() == [0, 1, 2, 3, 4] and attributes.tolist() == images.attributes.tolist()
    np.testing.assert_allclose(pixels[:, 8, 8] * 255, [(0, 0, 50 * i) for i in range(5)], atol=4)
    pixels, _, index = (
        np.concatenate(parts)
        for parts in zip(*numpy(pipeline.make_image_evaluation_dataset(clips, CONFIG)))
    )
    assert index.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    np.testing.assert_allclose(pixels[:2, 8, 8, 1] * 255, [0, 220], atol=8)  # first and last frame


def test_reconstruction_alternates(data):
    frames = np.concatenate(
        numpy(
            pipeline.make_reconstruction_dataset(*data, dataclasses.replace(CONFIG, seed=3), 0, 4)
        )
    )
    assert frames.shape == (16, SIDE, SIDE, 3)
    # Images are blue, videos have no blue at all; hue may turn a little of it, greyscale all.
    blue = frames.mean(axis=(1, 2))[:, 2]
    assert blue[0::2].mean() > 0.15 and blue[1::2].mean() < 0.1


def test_short_videos_and_a_batch_larger_than_the_data(data):
    config = dataclasses.replace(CONFIG, frames=16, stride=4, batch_action=8)
    ((clips, labels),) = numpy(pipeline.make_action_dataset(data[0], config, 0, 1))
    assert clips.shape == (8, 16, SIDE, SIDE, 3) and sorted(labels[:6]) == list(range(6))


def test_a_broken_video_is_replaced_with_its_label(data, tmp_path):
    clips = data[0]
    (tmp_path / "broken.mp4").write_bytes(b"broken")
    broken = dataclasses.replace(
        clips, paths=(*clips.paths[:2], str(tmp_path / "broken.mp4"), *clips.paths[3:])
    )
    config = dataclasses.replace(CONFIG, max_bad_fraction=0.2)
    batches = numpy(pipeline.make_clip_evaluation_dataset(broken, config))
    assert np.concatenate([labels for _, labels, _ in batches]).tolist() == [
        0,
        0,
        1,
        1,
        3,
        3,
        3,
        3,
        4,
        4,
        5,
        5,
    ]
    with pytest.raises(ValueError, match="broken.mp4"), decode.unwrap_errors():
        numpy(
            pipeline.make_action_dataset(
                broken, dataclasses.replace(CONFIG, on_bad_video="raise"), 0, 2
            )
        )


@pytest.mark.parametrize(
    "kind, pairs", [("anonymization", 2), ("anonymization", 4), ("same_batch", 2)]
)
def test_two_replicas_share_the_same_global_batch(data, two_replicas, kind, pairs):
    # tf.distribute cuts batches in one way where clips and pairs are as many, in another where they are not.
    config = dataclasses.replace(CONFIG, batch_pairs=pairs)
    whole = numpy(make(kind, data, config, 0, 3))
    shared = two_replicas.experimental_distribute_dataset(make(kind, data, config, 0, 3))
    joined = [
        tf.nest.map_structure(
            lambda value: np.concatenate(two_replicas.experimental_local_results(value)), step
        )
        for step in shared
    ]
    assert equal(whole, joined)


def test_deterministic_ops_change_nothing(data):
    before = numpy(pipeline.make_action_dataset(data[0], CONFIG, 0, 2))
    tf.config.experimental.enable_op_determinism()
    try:
        assert equal(before, numpy(pipeline.make_action_dataset(data[0], CONFIG, 0, 2)))
    finally:
        tf_config.disable_op_determinism()


def test_attributes_stand_beside_what_they_are_of(data):
    plain = numpy(pipeline.make_anonymization_dataset(*data, CONFIG, 0, 2))
    full = numpy(
        pipeline.make_anonymization_dataset(*data, CONFIG, 0, 2, ("attributes", "clip_attributes"))
    )
    for step, whole in zip(plain, full):
        for half, more in zip(step, whole):
            assert equal(
                half, {name: batch.check_batch(more)[name] for name in half}
            )  # the rest is what it was
            # The clips' attributes are the rows of the unit matrix, as are the images' three: row i for label i.
            np.testing.assert_array_equal(
                more["clip_attributes"], np.eye(VIDEOS, dtype=np.float32)[half["labels"]]
            )
            blue = np.rint(half["pairs"].max((1, 2, 3))[:, 2] * 255 / 50)
            grey = np.abs(half["pairs"][..., 2] - half["pairs"][..., 0]).max((1, 2, 3)) < 0.02
            seen = [row for row in range(len(blue)) if not grey[row]]
            assert all(
                more["attributes"][row].argmax() == blue[row] for row in seen if blue[row] in (1, 2)
            )


def test_other_clips_of_the_same_video(data):
    # Green tells the moment, 20 a frame; jitter moves it by a tenth, greyscale and hue mix it with red.
    config = dataclasses.replace(CONFIG, frames=1, batch_clips=12)
    steps = numpy(pipeline.make_anonymization_dataset(*data, config, 0, 2, ("others",)))
    assert equal(
        steps[1:], numpy(pipeline.make_anonymization_dataset(*data, config, 1, 2, ("others",)))
    )
    clips, others = (
        np.concatenate([half[name] for step in steps for half in step])
        for name in ("clips", "others")
    )
    assert others.shape == (48, 2, 1, SIDE, SIDE, 3)
    green = [np.median(x[:, 0, ..., 1], axis=(-2, -1)) for x in (clips, others[:, 0], others[:, 1])]
    assert np.mean(np.abs(green[1] - green[0]) < 0.06) > 0.6  # the same frame
    assert (
        np.mean(np.abs(green[2] - green[0]) > 0.12) > 0.6
    )  # 12 starts, at least a quarter of them away: 3 * 20 / 255
    assert not np.allclose(clips, others[:, 0])
