"""One frame tells no action, motion does: by arithmetic on poses, and by classifiers trained on drawn frames."""

import keras
import numpy as np
import pytest

from tfanon.data.synthetic import poses as motions
from tfanon.data.synthetic import renderer

CHANCE = 1 / len(motions.ACTIONS)


def draw_clips(people, seed, frames=29, size=40):
    """Every action by each of some people: [N, T, H, W, 3] in [0, 1] and [N]."""
    rng = np.random.default_rng(seed)
    clips, labels = [], []
    for _ in range(people):
        person = renderer.draw_person(rng)
        for label, action in enumerate(motions.ACTIONS):
            clips.append(
                renderer.draw_frames(person, motions.draw_phases(action, frames, rng), size)
            )
            labels.append(label)
    return np.stack(clips).astype(np.float32) / 255, np.array(labels)


@pytest.fixture(scope="module")
def data():
    return draw_clips(people=40, seed=1), draw_clips(people=20, seed=2)


def accuracy(network, train, test, epochs):
    """Accuracies on the training and the test examples."""
    network.compile(
        keras.optimizers.Adam(3e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    network.fit(*train, epochs=epochs, batch_size=32, verbose=0)
    seen, unseen = (
        np.mean(network.predict(x, verbose=0).argmax(-1) == labels) for x, labels in (train, test)
    )
    print(f"accuracy {seen:.3f} on what was trained, {unseen:.3f} on others; chance {CHANCE:.3f}")
    return seen, unseen


@pytest.mark.parametrize("action", motions.ACTIONS)
@pytest.mark.parametrize("frame", [0, 30, 59])
def test_poses_are_distributed_alike_in_every_frame_of_every_action(action, frame):
    # Uniform phases: every mean of exp(2 pi i (k a + m l)) but the one at k = m = 0 is 0, the deviation of a mean of
    # n such numbers is 1 / sqrt(n) = .032; four of those.
    rng = np.random.default_rng(frame)
    poses = np.array([motions.draw_phases(action, 60, rng)[frame] for _ in range(1000)])
    waves = [(1, 0), (0, 1), (1, 1), (1, -1), (2, 0), (0, 2)]
    means = np.exp(2j * np.pi * poses @ np.transpose(waves)).mean(0)
    assert np.abs(means).max() < 4 / np.sqrt(1000)


@pytest.mark.large  # a quarter of a minute
def test_a_frame_only_classifier_stays_near_chance(data):
    # Four frames of each clip, so that it sees 1280 labelled frames; it learns those and no other.
    def frames(clips, labels):
        return clips[:, ::9].reshape(-1, *clips.shape[2:]), np.repeat(labels, 4)

    layers = []
    for channels in (16, 32, 64):
        layers += [
            keras.layers.Conv2D(channels, 3, strides=2, padding="same"),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
        ]
    network = keras.Sequential(
        [*layers, keras.layers.Flatten(), keras.layers.Dense(len(motions.ACTIONS))]
    )
    seen, unseen = accuracy(network, *(frames(*split) for split in data), epochs=20)
    assert seen > 4 * CHANCE and unseen < 1.5 * CHANCE


@pytest.mark.large  # a quarter of a minute
def test_a_classifier_that_sees_motion_does_not(data):
    # How much each place changes from frame to frame, on a grid of 10 x 10, to a linear classifier.
    def change(clips, labels):
        moved = np.abs(np.diff(clips[:, ::2], axis=1)).mean((1, 4))
        return np.log(1e-3 + moved.reshape(-1, 10, 4, 10, 4).mean((2, 4))).reshape(
            len(clips), -1
        ), labels

    network = keras.Sequential(
        [keras.layers.BatchNormalization(), keras.layers.Dense(len(motions.ACTIONS))]
    )
    _, unseen = accuracy(network, *(change(*split) for split in data), epochs=60)
    assert unseen > 4 * CHANCE


def test_mirroring_exchanges_the_sides_and_nothing_else():
    phases = np.array([[0.1, 0.3], [0.6, 0.8]])
    one, other = (
        motions.compute_joints(phases, moving_leg=1),
        motions.compute_joints(phases, moving_leg=-1),
    )
    for name, joint in one.items():
        swapped = name.replace("left", "x").replace("right", "left").replace("x", "right")
        np.testing.assert_allclose(other[swapped], joint * (-1, 1), atol=1e-12)


def test_a_pose_by_hand():
    # Arm phase 0: upper arm 85 - 70 = 15 degrees outward, forearm straight down.
    hand = motions.compute_joints(np.zeros((1, 2)), moving_leg=1)["right_hand"][0]
    assert hand == pytest.approx(
        (0.115 + 0.18 * np.sin(np.radians(15)), 0.735 - 0.18 * np.cos(np.radians(15)) - 0.17)
    )
