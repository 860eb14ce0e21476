"""What each objective makes f_A, f_T and f_B descend; each trains on one device and on two."""

import dataclasses
import pathlib

import helpers
import keras
import numpy as np
import pytest
import tensorflow as tf
from absl import flags
from helpers import NAMES, fit, full_batch, minimax, same, values

from tfanon.core import registry
from tfanon.core.config import Config, define_flags, from_flags
from tfanon.data.synthetic import renderer
from tfanon.models import ensemble, per_frame
from tfanon.training import losses
from tfanon.training.objectives import _supervised

ROOT = pathlib.Path(__file__).parents[3]
EVERY = {
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
    pytest.param({"objective": name, **settings}, id=name) for name, settings in EVERY.items()
]
LARGE = (
    "negative_entropy",
    "k_beam",
    "ted_spad",
    "stprivacy",
    "mass",
)  # tracing takes seconds each


def make(name, **settings):
    return registry.load_module("objectives", name).build(Config(objective=name, **settings), NAMES)


def batch_for(settings):
    """Function of a seed: a batch with what the objective asks for and no more."""
    extras = (
        registry.load_module("objectives", settings["objective"])
        .build(Config(**settings), NAMES)
        .extra_batch_keys
    )
    names = ("clips", "labels", "pairs", *extras)
    return lambda seed: {key: value for key, value in full_batch(seed).items() if key in names}


def test_every_file_is_tested():
    assert {settings.get("objective", name) for name, settings in EVERY.items()} == set(
        registry.list_names("objectives")
    )


@pytest.mark.parametrize("settings", SETTINGS)
def test_what_stands_still_is_bit_for_bit_what_it_was(settings):
    model, data = minimax(**settings), batch_for(settings)(0)
    networks = {name: getattr(model, name) for name in ("f_A", "f_T", "f_B")}
    before = {name: values(network) for name, network in networks.items()}
    model._step_1_anonymizer(data)
    assert same(before["f_T"], values(model.f_T)) and same(before["f_B"], values(model.f_B))
    moved = {name: values(network) for name, network in networks.items()}
    assert not same(before["f_A"], moved["f_A"])
    model._step_2_adversaries(data)
    assert same(moved["f_A"], values(model.f_A))
    assert not same(before["f_T"], values(model.f_T)) and not same(before["f_B"], values(model.f_B))


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param(*one.values, id=one.id, marks=pytest.mark.large if one.id in LARGE else ())
        for one in SETTINGS[1:]
    ],
)
def test_one_replica_and_two_take_the_same_steps(two_replicas, settings):
    alone, make = minimax(**settings), batch_for(settings)
    for step in range(2):
        logs = alone.train_step((make(2 * step), make(2 * step + 1)))
    with two_replicas.scope():
        together, logs_together = fit(make=batch_for(settings), **settings)
    assert logs_together == pytest.approx(
        {name: float(value) for name, value in logs.items()}, rel=1e-4
    )
    for a, b in zip(values(alone), values(together), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)


def test_every_member_of_an_ensemble_learns():
    model = minimax(objective="vita", ensemble=("a", "b"))
    before = [values(member) for member in model.f_B.members]
    model._step_2_adversaries(full_batch(0))
    assert not any(same(old, values(member)) for old, member in zip(before, model.f_B.members))


LOGITS = np.array(
    [[[0.0, np.log(3)], [np.log(3), np.log(3)]]], np.float32
)  # p = (1/2, 3/4) and (3/4, 3/4): [1, 2, 2]
TRUTH = np.array([[[1.0, 0.0], [1.0, 0.0]]], np.float32)
SURE, UNSURE, WRONG = -np.log(0.75), np.log(2), -np.log(0.25)


@pytest.mark.parametrize(
    "name, settings, expected",
    [
        # To "all there" the first member lacks more: (ln 2 - ln 3/4) / 2 against -ln 3/4.
        ("vita", {}, (UNSURE + SURE) / 2),
        # The second is surer: twice 3/4 ln 3/4 + 1/4 ln 1/4.
        ("vita", {"vita_variant": "negative_entropy"}, 0.75 * np.log(0.75) + 0.25 * np.log(0.25)),
        # The truth is (1, 0): the second is nearer to it, (-ln 3/4 - ln 1/4) / 2 against (ln 2 - ln 1/4) / 2.
        ("vita", {"vita_variant": "k_beam"}, -(SURE + WRONG) / 2),
        ("stprivacy", {}, -(SURE + WRONG) / 2),
    ],
)
def test_what_f_A_descends_by_hand(name, settings, expected):
    objective = make(name, **settings)
    np.testing.assert_allclose(objective.adversarial_loss(TRUTH, LOGITS), [expected], rtol=1e-6)


def test_mass_by_hand():
    # Three attributes, one f_B: the suppressed one away from its truth, the mean of the others at theirs, weighed by 2.
    truth, logits = (
        np.array([[[1.0, 0.0, 1.0]]], np.float32),
        np.array([[[0.0, np.log(3), np.log(3)]]], np.float32),
    )
    objective = make("mass", suppressed=("glasses",), kept_weight=2.0)
    np.testing.assert_allclose(
        objective.adversarial_loss(truth, logits), [2 * (UNSURE + SURE) / 2 - WRONG], rtol=1e-6
    )
    with tf.GradientTape() as tape:
        x = tf.constant(logits)
        tape.watch(x)
        value = objective.adversarial_loss(truth, x)
    # d/dz of the cross-entropy is p - y: kept -1/2 and -1/4, suppressed -(3/4 - 0).
    np.testing.assert_allclose(tape.gradient(value, x), [[[-0.5, -0.75, -0.25]]], rtol=1e-6)
    np.testing.assert_allclose(
        make("mass").adversarial_loss(truth, logits), [-(UNSURE + WRONG + SURE) / 3], rtol=1e-6
    )


def test_the_weights_of_a_supervised_objective():
    # f_B answers 0 to everything: all_ones is ln 2, and so is L_B.
    model = minimax(objective="vita", utility_weight=0.5, budget_weight=3.0)
    model.f_B.layers[-1].kernel.assign(tf.zeros_like(model.f_B.layers[-1].kernel))
    data = full_batch(0)
    L_A, terms = model.objective.anonymizer_loss(model.f_T, model.f_B, data, data)
    assert float(terms["L_adv"]) == pytest.approx(np.log(2)) and float(
        terms["L_B"]
    ) == pytest.approx(np.log(2))
    assert float(L_A) == pytest.approx(0.5 * float(terms["L_T"]) + 3 * np.log(2))


def test_both_views_of_an_image_carry_its_labels():
    # f_B reads the mean colour of a view; attribute 0 is there where red is.
    data = full_batch(0, n=2)
    data["pairs"][:] = 0
    data["pairs"][1, :, :, :, 0] = 1
    data["attributes"] = np.array([[0, 0, 0], [1, 0, 0]], np.float32)
    model = minimax(objective="vita")
    truth, logits = model.objective._labels_and_logits(
        None, data, data, lambda x: tf.reduce_mean(x, (1, 2))
    )
    np.testing.assert_array_equal(truth[:, 0], logits[:, 0])
    assert truth.shape == (4, 1, 3)


def test_clips_are_read_frame_by_frame_or_whole():
    clips = full_batch(0)["clips"]
    image_judge = helpers.judge(2, 3)
    expected = np.mean([image_judge(clips[:, t]) for t in range(2)], axis=0)
    np.testing.assert_allclose(
        _supervised.predict_clip_logits(image_judge, tf.constant(clips), image_judge),
        expected,
        rtol=1e-5,
    )
    features, pooled = keras.Input((None, None, 3)), keras.Input((4,))
    video_judge = per_frame.OverTime(
        keras.Model(
            features, keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 1)(features))
        ),
        keras.Model(pooled, keras.layers.Dense(3)(pooled)),
    )
    np.testing.assert_array_equal(
        _supervised.predict_clip_logits(video_judge, tf.constant(clips), video_judge),
        video_judge(clips),
    )
    assert ensemble.Ensemble([video_judge, video_judge]).takes_clips
    assert not ensemble.Ensemble([video_judge, image_judge]).takes_clips


def test_ted_spad_adds_the_triplet_loss():
    # Three times the same clip: both distances are 0, the triplet loss is its margin.
    model, data = (
        minimax(objective="ted_spad", temporal_weight=0.25, triplet_margin=2.0),
        full_batch(0),
    )
    data["others"] = np.stack([data["clips"]] * 2, axis=1)
    L_T, logits = model.objective.action_loss(model.f_T, data, data, training=False)
    cross_entropy = np.mean(losses.action_cross_entropy(data["labels"], logits))
    assert float(L_T) == pytest.approx(cross_entropy + 0.25 * 2.0, rel=1e-5)
    np.testing.assert_allclose(logits, model.f_T(data["clips"], training=False)[0], rtol=1e-5)


def test_ted_spad_s_projection():
    model = minimax(objective="ted_spad", f_T=helpers.judge(3, 5, dropout=0.5), penalty_weight=9.0)
    assert model.objective.config.penalty_weight == 0
    dropout = next(layer for layer in model.f_T.layers if isinstance(layer, keras.layers.Dropout))
    assert (
        model.f_T.get_layer("projector_0").input is dropout.input
    )  # nothing is dropped on the way to it
    _, z = model.f_T(full_batch(0)["clips"])
    assert z.shape == (4, 128)
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize(
    "name, settings, names, match",
    [
        (
            "vita",
            {"image_source": "labelled_folder"},
            (),
            "the images of labelled_folder have none: .*--private_columns",
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
            NAMES,
            "--suppressed=hats: the private attributes are hat, glasses, beard",
        ),
        (
            "penalty",
            {"ensemble": ("resnet18",)},
            NAMES,
            r"--ensemble is for .*vita.*, not for --objective=penalty",
        ),
        ("ted_spad", {"ensemble": ("resnet18",)}, NAMES, "not for --objective=ted_spad"),
    ],
)
def test_what_an_objective_cannot_do_is_said(name, settings, names, match):
    config = dataclasses.replace(Config(objective=name), **settings)
    with pytest.raises(ValueError, match=match):
        registry.load_module("objectives", name).build(config, names)


def test_a_wrong_name_shows_the_folder():
    with pytest.raises(
        ValueError,
        match="tfanon/training/objectives/ has: mass, penalty, stprivacy, ted_spad, vita",
    ):
        registry.load_module("objectives", "spact")


def test_every_objective_has_a_quickstart(monkeypatch):
    monkeypatch.chdir(ROOT)

    def read(path):
        holder = flags.FlagValues()
        define_flags(Config, holder)
        holder(["train", f"--flagfile={path}"])
        return from_flags(Config, holder)

    found, ours = {}, read("configs/quickstart.flags")
    for path in sorted(pathlib.Path("configs").glob("quickstart_*.flags")):
        config = read(path)
        registry.load_module("objectives", config.objective).build(config, renderer.NAMES)
        assert (
            config.workdir == f"runs/{path.stem}"
            and config.epochs_anonymize == ours.epochs_anonymize
        )  # one budget
        found[path.stem.removeprefix("quickstart_")] = config
    assert found.keys() == {*registry.list_names("objectives"), "spact"} - {"penalty"}
    assert found.pop("spact").objective == "penalty"
    assert all(config.objective == name for name, config in found.items())
