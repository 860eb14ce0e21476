"""One frame does not reveal the action, motion does.

Shown by arithmetic on poses, and by classifiers trained on drawn frames.
"""

import keras
import numpy as np
import pytest

from tfanon.data.synthetic import poses, renderer

CHANCE = 1 / len(poses.ACTIONS)
LabelledClips = tuple[np.ndarray, np.ndarray]  # [N, T, H, W, 3] in [0, 1] and [N]


def draw_clips(people: int, seed: int, frames: int = 29, size: int = 40) -> LabelledClips:
    """Draw every action by each of some people."""
    rng = np.random.default_rng(seed)
    clips, labels = [], []
    for _ in range(people):
        person = renderer.draw_person(rng)
        for label, action in enumerate(poses.ACTIONS):
            phases = poses.draw_phases(action, frames, rng)
            clips.append(renderer.draw_frames(person, phases, size))
            labels.append(label)
    return np.stack(clips).astype(np.float32) / 255, np.array(labels)


@pytest.fixture(scope="module")
def data():
    """(training clips, test clips)."""
    return draw_clips(people=40, seed=1), draw_clips(people=20, seed=2)


def train_classifier(
    network: keras.Model, train: LabelledClips, test: LabelledClips, epochs: int
) -> tuple[float, float]:
    """Return the accuracies on the training and the test examples."""
    network.compile(
        keras.optimizers.Adam(3e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    network.fit(*train, epochs=epochs, batch_size=32, verbose=0)
    accuracies = []
    for x, labels in (train, test):
        accuracies.append(np.mean(network.predict(x, verbose=0).argmax(-1) == labels))
    train_accuracy, test_accuracy = accuracies
    print(f"accuracy {train_accuracy:.3f}, on test data {test_accuracy:.3f}; chance {CHANCE:.3f}")
    return train_accuracy, test_accuracy


@pytest.mark.parametrize("action", poses.ACTIONS)
@pytest.mark.parametrize("frame", [0, 30, 59])
def test_poses_have_the_same_distribution_in_every_frame_of_every_action(action, frame):
    # Uniform phases: every mean of exp(2 pi i (k a + m l)) except that at k = m = 0 is 0, and the
    # deviation of a mean of n such numbers is 1 / sqrt(n) = .032; the limit is four of those.
    rng = np.random.default_rng(frame)
    phases = np.array([poses.draw_phases(action, 60, rng)[frame] for _ in range(1000)])
    waves = [(1, 0), (0, 1), (1, 1), (1, -1), (2, 0), (0, 2)]
    means = np.exp(2j * np.pi * phases @ np.transpose(waves)).mean(0)
    assert np.abs(means).max() < 4 / np.sqrt(1000)


@pytest.mark.large  # a quarter of a minute
def test_classifier_of_single_frames_stays_near_chance(data):
    # Four frames of each clip, so that it sees 1280 labelled frames; it learns those by heart.
    def select_frames(clips: np.ndarray, labels: np.ndarray) -> LabelledClips:
        return clips[:, ::9].reshape(-1, *clips.shape[2:]), np.repeat(labels, 4)

    layers = []
    for channels in (16, 32, 64):
        layers += [
            keras.layers.Conv2D(channels, 3, strides=2, padding="same"),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
        ]
    layers += [keras.layers.Flatten(), keras.layers.Dense(len(poses.ACTIONS))]
    train, test = (select_frames(*split) for split in data)
    train_accuracy, test_accuracy = train_classifier(
        keras.Sequential(layers), train, test, epochs=20
    )
    assert train_accuracy > 4 * CHANCE and test_accuracy < 1.5 * CHANCE


@pytest.mark.large  # a quarter of a minute
def test_classifier_of_motion_exceeds_chance(data):
    # How much each place changes from frame to frame, on a grid of 10 x 10, to a linear classifier.
    def measure_changes(clips: np.ndarray, labels: np.ndarray) -> LabelledClips:
        changes = np.abs(np.diff(clips[:, ::2], axis=1)).mean((1, 4))
        grid = changes.reshape(-1, 10, 4, 10, 4).mean((2, 4))
        return np.log(1e-3 + grid).reshape(len(clips), -1), labels

    network = keras.Sequential(
        [keras.layers.BatchNormalization(), keras.layers.Dense(len(poses.ACTIONS))]
    )
    train, test = (measure_changes(*split) for split in data)
    _, test_accuracy = train_classifier(network, train, test, epochs=60)
    assert test_accuracy > 4 * CHANCE


def test_mirroring_only_exchanges_the_sides():
    phases = np.array([[0.1, 0.3], [0.6, 0.8]])
    joints = poses.compute_joints(phases, moving_leg=1)
    mirrored = poses.compute_joints(phases, moving_leg=-1)
    for name, joint in joints.items():
        swapped = name.replace("left", "x").replace("right", "left").replace("x", "right")
        np.testing.assert_allclose(mirrored[swapped], joint * (-1, 1), atol=1e-12)


def test_pose_by_hand():
    # Arm phase 0: upper arm 85 - 70 = 15 degrees outward, forearm straight down.
    hand = poses.compute_joints(np.zeros((1, 2)), moving_leg=1)["right_hand"][0]
    x = 0.115 + 0.18 * np.sin(np.radians(15))
    y = 0.735 - 0.18 * np.cos(np.radians(15)) - 0.17
    assert hand == pytest.approx((x, y))
