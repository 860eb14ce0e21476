"""Which flags a phase depends on: said in sharing.py, and watched while the phases run."""

import dataclasses

import pytest
from exporting import runs

from tfanon import experiment
from tfanon.core import checkpoint, registry
from tfanon.core.config import RUNTIME_FLAGS, Config
from tfanon.data import splits
from tfanon.data.sources import synthetic
from tfanon.training import distribution, phase_cache, phases

TINY = {
    "anonymizer": "tiny",
    "action_network": "tiny",
    "privacy_network": "tiny",
    "baselines": ("raw",),
}
OTHER = {
    "anonymizer": "unet",
    "action_network": "c3d",
    "privacy_network": "resnet18",
    "eval_action_network": "i3d",
    "attack_network": "resnet34",
    "penalty_reduction": "batch",
    "budget_batch_norm": "batch",
    "strategy": "mirrored",
    "precision": "mixed_float16",
    "data_format": "tfds",
    "attribute_set": "vispr2",
    "on_bad_video": "raise",
    "anonymizer_output": "linear",
}


def other_value(field, value):
    """Another value of the flag that is as valid."""
    if field in OTHER:
        return OTHER[field]
    if isinstance(value, bool):
        return not value
    return (
        value + ("x",)
        if isinstance(value, tuple)
        else value + type(value)(1)
        if not isinstance(value, str)
        else "x"
    )


def changes(phase, **settings):
    """The flags that make a phase another one."""
    config = Config(**settings)
    return {
        field.name
        for field in dataclasses.fields(Config)
        if phase_cache.get_relevant_flags(phase, config)
        != phase_cache.get_relevant_flags(
            phase,
            dataclasses.replace(
                config, **{field.name: other_value(field.name, getattr(config, field.name))}
            ),
        )
    }


def test_what_each_phase_depends_on():
    everything = (
        {field.name for field in dataclasses.fields(Config)} - set(RUNTIME_FLAGS) - {"baselines"}
    )
    game = (
        phase_cache.MINIMAX_FLAGS | phase_cache.ANONYMIZER_FLAGS | phase_cache.INITIALIZATION_FLAGS
    )
    judges = (
        phase_cache.ACTION_EVALUATOR_FLAGS
        | phase_cache.ATTACKER_FLAGS
        | phase_cache.CLIP_PRIVACY_FLAGS
    )
    assert (
        changes("initialise")
        == everything - phase_cache.MINIMAX_FLAGS - judges - phase_cache.CLIP_FLAGS
    )
    assert changes("anonymize") == everything - judges
    assert (
        changes("anonymize", init_action_from_raw=True)
        == everything - phase_cache.ATTACKER_FLAGS - phase_cache.CLIP_PRIVACY_FLAGS
    )
    # The judge is f_T's network unless it is named.
    others = game | phase_cache.ATTACKER_FLAGS | phase_cache.CLIP_PRIVACY_FLAGS
    assert changes("action-blur") == everything - others | {"action_network"}
    assert changes("action-blur", eval_action_network="tiny") == everything - others
    assert changes("privacy-images-raw") == (
        everything
        - game
        - phase_cache.ACTION_EVALUATOR_FLAGS
        - phase_cache.CLIP_FLAGS
        - phase_cache.CLIP_PRIVACY_FLAGS
        | {"privacy_network"}
    )
    assert changes("pretrain-small3d") == changes("action-raw")
    assert (
        changes("action-f_A")
        == everything - phase_cache.ATTACKER_FLAGS - phase_cache.CLIP_PRIVACY_FLAGS
    )
    assert changes("privacy-clips-f_A") == everything - phase_cache.ACTION_EVALUATOR_FLAGS
    assert changes("attack") == everything - game | {"action_network", "privacy_network"}
    for phase in (
        "initialise",
        "anonymize",
        "action-raw",
        "privacy-images-raw",
        "action-f_A",
        "privacy-images-f_A",
    ):
        assert {
            "seed",
            "data_dir",
            "clip_source",
            "image_source",
            "validation_split",
            "precision",
        } <= changes(phase)
    with pytest.raises(ValueError, match="No phase is called 'judge'"):
        phase_cache.get_relevant_flags("judge", Config())


class Watched(Config):
    """A Config that notes which of its fields are read; a copy of it notes in the same place."""

    read = set()

    def __getattribute__(self, name):
        if name in Config.__dataclass_fields__:
            Watched.read.add(name)
        return super().__getattribute__(name)


def test_phases_read_no_flag_that_they_are_said_not_to_depend_on(monkeypatch, tmp_path):
    runs.add_tiny_networks(monkeypatch)
    synthetic.write(
        tmp_path / "data" / "synthetic",
        synthetic.Size(
            train_people=2,
            test_people=1,
            train_images=8,
            test_images=4,
            shortest=20,
            longest=24,
            side=32,
        ),
    )
    config = Watched(
        **TINY,
        workdir=str(tmp_path / "run"),
        data_dir=str(tmp_path / "data"),
        resolution=32,
        frames=2,
        eval_clips=1,
        epochs_reconstruct=1,
        epochs_action=1,
        epochs_privacy=1,
        batch_privacy=4,
        batch_action=4,
        batch_reconstruct=4,
    )
    copy = dataclasses.replace

    def quiet(settings, **more):  # to copy a field is not to look at it
        before = set(Watched.read)
        try:
            return copy(settings, **more)
        finally:
            Watched.read = before

    monkeypatch.setattr(dataclasses, "replace", quiet)

    def reads(work):
        Watched.read = set()
        run = phases.TrainingRun(
            config, splits.load(config), distribution.make_strategy("one_device")
        )
        work(run)
        return (
            Watched.read - set(RUNTIME_FLAGS) - {"baselines"}
        )  # they are read for a phase's number alone

    raw = registry.load_module("anonymizers", "raw").build()
    for phase, work in (
        (
            "initialise",
            lambda run: phases.initialize_anonymizer(run, experiment.make_anonymizer(run)),
        ),
        ("action-raw", lambda run: phases.measure_utility(run, "raw", raw)),
        ("privacy-images-raw", lambda run: phases.measure_leakage(run, "raw", raw, "images")),
    ):
        extra = reads(work) - set(phase_cache.get_relevant_flags(phase, config))
        # The game's network is the judge's where none is named; --init_action_from_raw and --epochs_pretrain are read to number the
        # phases, and --private_labels and those of PRIVATE_CLIPS to load what other phases look at.
        assert extra <= {
            "init_action_from_raw",
            "epochs_pretrain",
            "action_network",
            "privacy_network",
            "private_labels",
            *phase_cache.CLIP_PRIVACY_FLAGS,
        }, (phase, extra)
        assert (tmp_path / "run" / "phases" / phase / "done.json").exists()


def finished(folder, *names, **settings):
    """A run with phases that are done."""
    for name in names:
        for file in ("logs", "phases"):
            (folder / file / name).mkdir(parents=True)
        (folder / "logs" / name / "events.1").write_text("curve")
        (folder / "phases" / name / "network.weights.h5").write_text(f"{folder.name} {name}")
        (folder / "phases" / name / "done.json").write_text('{"result": {}}')
    return Config(workdir=str(folder), **settings)


def test_finished_phases_are_shared_where_their_flags_are_equal(tmp_path):
    names = ("action-raw", "anonymize", "initialise", "privacy-images-raw")
    first = finished(tmp_path / "first", *names, penalty_bound=0.1)
    point = Config(workdir=str(tmp_path / "point"), penalty_bound=0.2)
    assert phase_cache.reuse_phases(point, [first]) == [
        "action-raw",
        "initialise",
        "privacy-images-raw",
    ]
    for name in ("action-raw", "initialise"):
        assert (
            tmp_path / "point/phases" / name / "network.weights.h5"
        ).read_text() == f"first {name}"
        assert (tmp_path / "point/logs" / name / "events.1").read_text() == "curve"
        assert (tmp_path / "point/phases" / name / "done.json").samefile(
            tmp_path / "first/phases" / name / "done.json"
        )
    assert not (tmp_path / "point/phases/anonymize").exists()
    assert phase_cache.reuse_phases(point, [first]) == []


def test_nothing_is_shared_between_seeds_or_data_or_from_an_unfinished_phase(tmp_path):
    first = finished(tmp_path / "first", "initialise", "action-raw")
    for other in ({"seed": 1}, {"data_dir": "elsewhere"}, {"resolution": 112}):
        assert (
            phase_cache.reuse_phases(Config(workdir=str(tmp_path / "point"), **other), [first])
            == []
        )
    (tmp_path / "first/phases/initialise/done.json").unlink()
    assert phase_cache.reuse_phases(Config(workdir=str(tmp_path / "point")), [first]) == [
        "action-raw"
    ]


@pytest.mark.parametrize(
    "played, asked, shared",
    [
        pytest.param(
            {"penalty_bound": 0.3},
            {"penalty_bound": 0.2, "penalty_weight": 5.0},
            True,
            id="no clip changed so much",
        ),
        pytest.param({"penalty_bound": 0.3}, {"penalty_bound": 0.16}, True, id="just that much"),
        pytest.param({"penalty_bound": 0.3}, {"penalty_bound": 0.1}, False, id="more"),
        pytest.param(
            {"penalty_bound": 0.3},
            {"penalty_bound": 0.1, "penalty_weight": 0.0},
            True,
            id="SPAct wanted",
        ),
        pytest.param(
            {"penalty_bound": 0.1, "penalty_weight": 0.0},
            {"penalty_bound": 0.2},
            True,
            id="SPAct there",
        ),
        pytest.param(
            {"penalty_bound": 0.1}, {"penalty_bound": 0.2}, False, id="the penalty pulled there"
        ),
        pytest.param(
            {"penalty_bound": 0.3},
            {"penalty_bound": 0.2, "penalty_reduction": "frame"},
            False,
            id="other norm",
        ),
        pytest.param(
            {"penalty_bound": 0.3, "objective": "new"},
            {"penalty_bound": 0.2, "objective": "new"},
            False,
            id="not Eq. 3",
        ),
    ],
)
def test_a_game_in_which_B_is_never_reached_is_played_once(tmp_path, played, asked, shared):
    first = finished(tmp_path / "first", "anonymize", "privacy-images-f_A", **played)
    checkpoint.write_json(
        tmp_path / "first/phases/anonymize/done.json",
        {"result": {"largest_change": 0.16}, "sha256": ""},
    )
    found = phase_cache.reuse_phases(Config(workdir=str(tmp_path / "point"), **asked), [first])
    assert found == (["anonymize", "privacy-images-f_A"] if shared else [])


def test_the_largest_change_of_an_earlier_version_is_not_guessed(tmp_path):
    first = finished(tmp_path / "first", "anonymize", penalty_bound=0.9)
    assert (
        phase_cache.reuse_phases(
            Config(workdir=str(tmp_path / "point"), penalty_bound=0.8), [first]
        )
        == []
    )


def test_a_lock_is_not_shared(tmp_path):
    first = finished(tmp_path / "first", "action-raw")
    (tmp_path / "first/phases/action-raw/.lock").touch()
    assert phase_cache.reuse_phases(
        Config(workdir=str(tmp_path / "point"), processes=2), [first]
    ) == ["action-raw"]
    assert not (tmp_path / "point/phases/action-raw/.lock").exists()


def test_a_disk_without_links_gets_copies(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError("no links here")

    first = finished(tmp_path / "first", "initialise")
    monkeypatch.setattr("os.link", refuse)
    assert phase_cache.reuse_phases(Config(workdir=str(tmp_path / "point")), [first]) == [
        "initialise"
    ]
    given, taken = (
        tmp_path / name / "phases/initialise/network.weights.h5" for name in ("first", "point")
    )
    assert taken.read_text() == "first initialise" and not taken.samefile(given)
