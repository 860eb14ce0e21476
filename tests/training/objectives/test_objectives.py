"""Losses of every objective, and their train steps on one and two replicas."""

import dataclasses
import pathlib
from collections.abc import Callable
from typing import Any

import helpers
import keras
import numpy as np
import pytest
import tensorflow as tf
from absl import flags
from helpers import (
    ATTRIBUTE_NAMES,
    are_equal,
    fit_minimax,
    make_full_batch,
    make_minimax,
    read_values,
)

from tfanon.core import registry
from tfanon.core.config import Config, define_flags, from_flags
from tfanon.data.synthetic import renderer
from tfanon.models import ensemble, per_frame
from tfanon.training import losses
from tfanon.training.objectives import _supervised, penalty

ROOT = pathlib.Path(__file__).parents[3]
VARIANTS = {
    "penalty": {},
    "vita": {"ensemble": ("a", "b")},
    "negative_entropy": {"objective": "vita", "vita_variant": "negative_entropy"},
    "k_beam": {
        "objective": "vita",
        "vita_variant": "k_beam",
        "ensemble": ("a",),
        "budget_batch_norm": "batch",
    },
    "ted_spad": {},
    "stprivacy": {"private_labels": "clips"},
    "mass": {"suppressed": ("glasses",)},
}
SETTINGS = [
    pytest.param({"objective": name, **settings}, id=name) for name, settings in VARIANTS.items()
]
# Tracing takes seconds each.
LARGE = ("negative_entropy", "k_beam", "ted_spad", "stprivacy", "mass")


def make_objective(name: str, **settings: Any) -> penalty.PenaltyObjective:
    return registry.load_module("objectives", name).build(
        Config(objective=name, **settings), ATTRIBUTE_NAMES
    )


def make_batch_function(settings: dict[str, Any]) -> Callable[[int], dict[str, np.ndarray]]:
    """Function of a seed to a batch with exactly the keys that the objective needs."""
    extras = (
        registry.load_module("objectives", settings["objective"])
        .build(Config(**settings), ATTRIBUTE_NAMES)
        .extra_batch_keys
    )
    names = ("clips", "labels", "pairs", *extras)
    return lambda seed: {key: value for key, value in make_full_batch(seed).items() if key in names}


def test_every_objective_is_tested():
    tested = {settings.get("objective", name) for name, settings in VARIANTS.items()}
    assert tested == set(registry.list_names("objectives"))


@pytest.mark.parametrize("settings", SETTINGS)
def test_frozen_networks_are_bit_for_bit_unchanged(settings):
    model, data = make_minimax(**settings), make_batch_function(settings)(0)
    networks = {name: getattr(model, name) for name in ("f_A", "f_T", "f_B")}
    before = {name: read_values(network) for name, network in networks.items()}
    model._step_1_anonymizer(data)
    assert are_equal(before["f_T"], read_values(model.f_T)) and are_equal(
        before["f_B"], read_values(model.f_B)
    )
    moved = {name: read_values(network) for name, network in networks.items()}
    assert not are_equal(before["f_A"], moved["f_A"])
    model._step_2_adversaries(data)
    assert are_equal(moved["f_A"], read_values(model.f_A))
    assert not are_equal(before["f_T"], read_values(model.f_T)) and not are_equal(
        before["f_B"], read_values(model.f_B)
    )


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param(*case.values, id=case.id, marks=pytest.mark.large if case.id in LARGE else ())
        for case in SETTINGS[1:]
    ],
)
def test_one_and_two_replicas_take_the_same_steps(two_replicas, settings):
    on_one, make = make_minimax(**settings), make_batch_function(settings)
    for step in range(2):
        logs = on_one.train_step((make(2 * step), make(2 * step + 1)))
    with two_replicas.scope():
        on_two, logs_on_two = fit_minimax(make=make_batch_function(settings), **settings)
    assert logs_on_two == pytest.approx(
        {name: float(value) for name, value in logs.items()}, rel=1e-4
    )
    for a, b in zip(read_values(on_one), read_values(on_two), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)


def test_every_member_of_an_ensemble_learns():
    model = make_minimax(objective="vita", ensemble=("a", "b"))
    before = [read_values(member) for member in model.f_B.members]
    model._step_2_adversaries(make_full_batch(0))
    assert not any(
        are_equal(old, read_values(member)) for old, member in zip(before, model.f_B.members)
    )


# One example, two members, two attributes: p = (1/2, 3/4) and (3/4, 3/4).
LOGITS = np.array([[[0.0, np.log(3)], [np.log(3), np.log(3)]]], np.float32)
TRUTH = np.array([[[1.0, 0.0], [1.0, 0.0]]], np.float32)
CORRECT, UNDECIDED, WRONG = -np.log(0.75), np.log(2), -np.log(0.25)


@pytest.mark.parametrize(
    "name, settings, expected",
    [
        # To "all present" the first member is farther: (ln 2 - ln 3/4) / 2 against -ln 3/4.
        ("vita", {}, (UNDECIDED + CORRECT) / 2),
        # The second is more certain: twice 3/4 ln 3/4 + 1/4 ln 1/4.
        ("vita", {"vita_variant": "negative_entropy"}, 0.75 * np.log(0.75) + 0.25 * np.log(0.25)),
        # The truth is (1, 0). The second is closer to it: (-ln 3/4 - ln 1/4) / 2 against
        # (ln 2 - ln 1/4) / 2.
        ("vita", {"vita_variant": "k_beam"}, -(CORRECT + WRONG) / 2),
        ("stprivacy", {}, -(CORRECT + WRONG) / 2),
    ],
)
def test_adversarial_loss_equals_a_hand_calculation(name, settings, expected):
    objective = make_objective(name, **settings)
    np.testing.assert_allclose(objective.adversarial_loss(TRUTH, LOGITS), [expected], rtol=1e-6)


def test_mass_equals_a_hand_calculation():
    # Three attributes, one f_B: the mean of the kept ones, weighted by 2, minus the suppressed one.
    truth, logits = (
        np.array([[[1.0, 0.0, 1.0]]], np.float32),
        np.array([[[0.0, np.log(3), np.log(3)]]], np.float32),
    )
    objective = make_objective("mass", suppressed=("glasses",), kept_weight=2.0)
    np.testing.assert_allclose(
        objective.adversarial_loss(truth, logits),
        [2 * (UNDECIDED + CORRECT) / 2 - WRONG],
        rtol=1e-6,
    )
    with tf.GradientTape() as tape:
        x = tf.constant(logits)
        tape.watch(x)
        value = objective.adversarial_loss(truth, x)
    # d/dz of the cross-entropy is p - y: kept -1/2 and -1/4, suppressed -(3/4 - 0).
    np.testing.assert_allclose(tape.gradient(value, x), [[[-0.5, -0.75, -0.25]]], rtol=1e-6)
    np.testing.assert_allclose(
        make_objective("mass").adversarial_loss(truth, logits),
        [-(UNDECIDED + WRONG + CORRECT) / 3],
        rtol=1e-6,
    )


def test_supervised_objective_applies_its_weights():
    # All logits of f_B are 0: all_ones is ln 2, and so is L_B.
    model = make_minimax(objective="vita", utility_weight=0.5, budget_weight=3.0)
    model.f_B.layers[-1].kernel.assign(tf.zeros_like(model.f_B.layers[-1].kernel))
    data = make_full_batch(0)
    L_A, terms = model.objective.anonymizer_loss(model.f_T, model.f_B, data, data)
    assert float(terms["L_adv"]) == pytest.approx(np.log(2)) and float(
        terms["L_B"]
    ) == pytest.approx(np.log(2))
    assert float(L_A) == pytest.approx(0.5 * float(terms["L_T"]) + 3 * np.log(2))


def test_both_views_of_an_image_have_its_labels():
    # f_B predicts the mean color of a view; attribute 0 is present where the view is red.
    data = make_full_batch(0, n=2)
    data["pairs"][:] = 0
    data["pairs"][1, :, :, :, 0] = 1
    data["attributes"] = np.array([[0, 0, 0], [1, 0, 0]], np.float32)
    model = make_minimax(objective="vita")
    truth, logits = model.objective._labels_and_logits(
        None, data, data, lambda x: tf.reduce_mean(x, (1, 2))
    )
    np.testing.assert_array_equal(truth[:, 0], logits[:, 0])
    assert truth.shape == (4, 1, 3)


def test_clip_logits_average_frames_or_use_whole_clips():
    clips = make_full_batch(0)["clips"]
    image_network = helpers.make_adversary(2, 3)
    expected = np.mean([image_network(clips[:, t]) for t in range(2)], axis=0)
    np.testing.assert_allclose(
        _supervised.predict_clip_logits(image_network, tf.constant(clips), image_network),
        expected,
        rtol=1e-5,
    )
    features, pooled = keras.Input((None, None, 3)), keras.Input((4,))
    clip_network = per_frame.OverTime(
        keras.Model(
            features, keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 1)(features))
        ),
        keras.Model(pooled, keras.layers.Dense(3)(pooled)),
    )
    np.testing.assert_array_equal(
        _supervised.predict_clip_logits(clip_network, tf.constant(clips), clip_network),
        clip_network(clips),
    )
    assert ensemble.Ensemble([clip_network, clip_network]).takes_clips
    assert not ensemble.Ensemble([clip_network, image_network]).takes_clips


def test_ted_spad_adds_the_triplet_loss():
    # Three times the same clip: both distances are 0, the triplet loss is its margin.
    model, data = (
        make_minimax(objective="ted_spad", temporal_weight=0.25, triplet_margin=2.0),
        make_full_batch(0),
    )
    data["others"] = np.stack([data["clips"]] * 2, axis=1)
    L_T, logits = model.objective.action_loss(model.f_T, data, data, training=False)
    cross_entropy = np.mean(losses.action_cross_entropy(data["labels"], logits))
    assert float(L_T) == pytest.approx(cross_entropy + 0.25 * 2.0, rel=1e-5)
    np.testing.assert_allclose(logits, model.f_T(data["clips"], training=False)[0], rtol=1e-5)


def test_ted_spad_projects_features_without_dropout():
    model = make_minimax(
        objective="ted_spad", f_T=helpers.make_adversary(3, 5, dropout=0.5), penalty_weight=9.0
    )
    assert model.objective.config.penalty_weight == 0
    dropout = next(layer for layer in model.f_T.layers if isinstance(layer, keras.layers.Dropout))
    assert model.f_T.get_layer("projector_0").input is dropout.input
    _, z = model.f_T(make_full_batch(0)["clips"])
    assert z.shape == (4, 128)
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize(
    "name, settings, names, match",
    [
        (
            "vita",
            {"image_source": "labelled_folder"},
            (),
            "the images of labelled_folder have none.*--private_columns",
        ),
        (
            "mass",
            {"private_labels": "clips", "clip_source": "ucf101"},
            (),
            "the clips of ucf101 have none",
        ),
        (
            "mass",
            {"suppressed": ("hats",)},
            ATTRIBUTE_NAMES,
            "--suppressed=hats is not among the private attributes: hat, glasses, beard",
        ),
        (
            "penalty",
            {"ensemble": ("resnet18",)},
            ATTRIBUTE_NAMES,
            r"--ensemble needs .*vita.*, not --objective=penalty",
        ),
        ("ted_spad", {"ensemble": ("resnet18",)}, ATTRIBUTE_NAMES, "not --objective=ted_spad"),
    ],
)
def test_unsupported_configuration_raises_an_error(name, settings, names, match):
    config = dataclasses.replace(Config(objective=name), **settings)
    with pytest.raises(ValueError, match=match):
        registry.load_module("objectives", name).build(config, names)


def test_unknown_name_lists_the_objectives():
    with pytest.raises(
        ValueError,
        match="tfanon/training/objectives/ has: mass, penalty, stprivacy, ted_spad, vita",
    ):
        registry.load_module("objectives", "spact")


def test_every_objective_has_a_quickstart(monkeypatch):
    monkeypatch.chdir(ROOT)

    def read_config(path: pathlib.Path | str) -> Config:
        holder = flags.FlagValues()
        define_flags(Config, holder)
        holder(["train", f"--flagfile={path}"])
        return from_flags(Config, holder)

    configs, quickstart = {}, read_config("configs/quickstart.flags")
    for path in sorted(pathlib.Path("configs").glob("quickstart_*.flags")):
        config = read_config(path)
        registry.load_module("objectives", config.objective).build(config, renderer.ATTRIBUTE_NAMES)
        assert config.workdir == f"runs/{path.stem}"
        assert config.epochs_anonymize == quickstart.epochs_anonymize  # all have the same budget
        configs[path.stem.removeprefix("quickstart_")] = config
    assert configs.keys() == {*registry.list_names("objectives"), "spact"} - {"penalty"}
    assert configs.pop("spact").objective == "penalty"
    assert all(config.objective == name for name, config in configs.items())
