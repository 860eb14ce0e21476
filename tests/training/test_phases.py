import dataclasses

import helpers
import numpy as np
import pytest
from exporting import runs

from tfanon import experiment
from tfanon.core import registry
from tfanon.core.config import Config
from tfanon.data import splits
from tfanon.data.sources import synthetic
from tfanon.metrics import criteria
from tfanon.summaries import samples
from tfanon.training import distribution, loop, phases


class Probes:
    probes = {"images": None}


def run(**settings):
    return phases.TrainingRun(Config(**settings), Probes(), None)


def test_the_phases_in_their_order():
    assert run(baselines=("blur",)).names() == [
        "initialise",
        "anonymize",
        "action-blur",
        "privacy-images-blur",
        "action-f_A",
        "privacy-images-f_A",
    ]
    assert run(baselines=("raw",), init_action_from_raw=True).names() == [
        "initialise",
        "action-raw",
        "anonymize",
        "privacy-images-raw",
        "action-f_A",
        "privacy-images-f_A",
    ]
    assert run(baselines=("raw",), epochs_pretrain=3, eval_action_network="tiny").names() == [
        "initialise",
        "pretrain-tiny",
        "anonymize",
        "action-raw",
        "privacy-images-raw",
        "action-f_A",
        "privacy-images-f_A",
    ]


def test_a_baseline_with_settings_has_a_folder_of_its_own(tmp_path):
    phase = run(workdir=str(tmp_path), baselines=("downsample:factor=2",)).get_phase(
        "action-downsample:factor=2"
    )
    assert phase.folder == tmp_path / "phases" / "action-downsample-factor=2"
    assert phase.log_folder == tmp_path / "logs" / "action-downsample-factor=2"


def test_a_wrong_baseline_stops_the_run_before_it_begins(tmp_path):
    with pytest.raises(ValueError, match="downsample has no setting 'faktor'"):
        experiment.run_experiment(
            Config(workdir=str(tmp_path), baselines=("raw", "downsample:faktor=2"))
        )


def test_a_finished_phase_gives_its_network_back(tmp_path):
    phase = run(workdir=str(tmp_path)).get_phase("initialise")
    assert phase.load_result() is None
    network = helpers.judge(2, 3)
    phase.save_result(network, {"score": 0.5})
    other = helpers.judge(2, 3)
    assert phase.load_result(other) == {"score": 0.5}
    assert helpers.same(
        [w.numpy() for w in network.weights[:6]], [w.numpy() for w in other.weights[:6]]
    )
    assert [path.name for path in sorted(phase.folder.iterdir())] == [
        "done.json",
        "network.weights.h5",
    ]


def test_a_phase_is_one_process_s_at_a_time(tmp_path):
    phase = run(workdir=str(tmp_path)).get_phase("initialise")
    assert not phase.is_locked()
    with phase.acquire_lock():
        assert phase.is_locked()
    assert not phase.is_locked()


def test_processes_beside_one_of_several_workers_are_refused(tmp_path):
    with pytest.raises(
        ValueError, match="--processes=2 judges beside one worker: give --processes=1"
    ):
        experiment.run_experiment(
            Config(workdir=str(tmp_path), processes=2, strategy="multi_worker")
        )


def test_first_weights_follow_from_seed_and_phase_alone():
    def drawn(seed, name):
        run(seed=seed).seed_for_phase(name)
        return helpers.judge(2, 3).weights[0].numpy().tolist()

    assert drawn(0, "action") == drawn(0, "action")
    assert drawn(0, "action") != drawn(1, "action") and drawn(0, "action") != drawn(0, "anonymize")


def test_the_rate_rises_and_falls(tmp_path):
    # 10 epochs of 10 steps, 1 of warm-up: the rate is at its peak at step 10 and at zero at step 100.
    config = dataclasses.replace(Config(), warmup_epochs=1, workdir=str(tmp_path))
    plan = run(workdir=str(tmp_path)).get_phase("initialise").make_plan(80, 8, 10)
    rate = phases.make_cosine_schedule(0.2, plan, config)
    assert float(rate(0)) == pytest.approx(0.002)
    assert float(rate(10)) == pytest.approx(0.2)
    assert float(rate(55)) == pytest.approx(0.1)
    assert float(rate(100)) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param(
            {"objective": "vita", "ensemble": ("tiny",), "restart_every": 2},
            id="vita",
            marks=pytest.mark.large,
        ),
        pytest.param({"objective": "ted_spad"}, id="ted_spad", marks=pytest.mark.large),
        pytest.param(
            {"objective": "mass", "suppressed": ("hat",)}, id="mass", marks=pytest.mark.large
        ),
        pytest.param(
            {
                "objective": "stprivacy",
                "private_labels": "clips",
                "anonymizer": "tubelet_vit",
                "anonymizer_width": 0.1,
            },
            id="stprivacy",
            marks=pytest.mark.large,
        ),
    ],
)
def test_another_objective_from_files_to_weights(monkeypatch, tmp_path, settings):
    runs.add_tiny_networks(monkeypatch)
    synthetic.write(
        tmp_path / "synthetic",
        synthetic.Size(
            train_people=1,
            test_people=1,
            train_images=8,
            test_images=2,
            shortest=12,
            longest=12,
            side=32,
        ),
    )
    config = Config(
        **{
            "workdir": str(tmp_path / "run"),
            "data_dir": str(tmp_path),
            "anonymizer": "tiny",
            "action_network": "tiny",
            "privacy_network": "tiny",
            "resolution": 32,
            "frames": 2,
            "stride": 1,
            "batch_clips": 2,
            "batch_pairs": 2,
            "validation_split": 0.0,
            "epochs_anonymize": 2,
            "log_every": 1,
            **settings,
        }
    )
    whole = phases.TrainingRun(
        config, splits.load(config), distribution.make_strategy("one_device")
    )
    f_A = experiment.make_anonymizer(whole)
    before, seen = helpers.values(f_A), []
    objective = phases.make_objective(config, whole.tables)
    phases.train_anonymizer(
        whole,
        f_A,
        [
            *samples.watchers(whole.tables, config, objective.extra_batch_keys),
            lambda step, minimax: seen.append(float(minimax.means["L_A"].result())),
        ],
    )
    assert (
        len(seen) == 4 and np.isfinite(seen).all()
    )  # 8 clips are two steps of two batches of two, twice
    assert not helpers.same(before, helpers.values(f_A))
    assert (tmp_path / "run/phases/anonymize/done.json").exists()


@pytest.mark.parametrize("more", [{}, {"epochs_pretrain": 1}])
def test_the_game_begins_alike_whether_its_judge_was_there_or_not(monkeypatch, tmp_path, more):
    runs.add_tiny_networks(monkeypatch)
    synthetic.write(
        tmp_path / "synthetic",
        synthetic.Size(
            train_people=1,
            test_people=1,
            train_images=2,
            test_images=2,
            shortest=12,
            longest=12,
            side=32,
        ),
    )
    config = Config(
        workdir=str(tmp_path / "run"),
        data_dir=str(tmp_path),
        anonymizer="tiny",
        action_network="tiny",
        privacy_network="tiny",
        resolution=32,
        frames=2,
        stride=1,
        batch_action=4,
        validation_split=0.0,
        eval_clips=1,
        epochs_action=1,
        init_action_from_raw=True,
        **more,
    )
    run, began, fit = (
        phases.TrainingRun(config, splits.load(config), distribution.make_strategy("one_device")),
        [],
        loop.fit,
    )

    def watched(learner, dataset, plan, **kept):
        if "anonymize" not in plan.title:
            return fit(learner, dataset, plan, **kept)
        began.append([*learner.f_T.get_weights(), *learner.f_B.get_weights()])
        raise KeyboardInterrupt

    monkeypatch.setattr(loop, "fit", watched)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            phases.train_anonymizer(run, experiment.make_anonymizer(run))
    assert helpers.same(*began)


@pytest.mark.parametrize("enough, epoch", [(8, 1), (9, 5)])
def test_only_what_others_start_from_ends_early(monkeypatch, tmp_path, capsys, enough, epoch):
    """Eight held-out clips, each right from the first epoch on: a judge is trained to the end, whichever epoch it takes."""
    runs.add_tiny_networks(monkeypatch)
    monkeypatch.setattr(criteria, "score_action_top1", lambda learner, held_out: 1.0)
    monkeypatch.setattr(phases, "MIN_HELD_OUT", enough)
    synthetic.write(
        tmp_path / "synthetic",
        synthetic.Size(
            train_people=2,
            test_people=1,
            train_images=2,
            test_images=2,
            shortest=12,
            longest=12,
            side=32,
        ),
    )
    config = Config(
        workdir=str(tmp_path / "run"),
        data_dir=str(tmp_path),
        action_network="tiny",
        resolution=32,
        frames=2,
        stride=1,
        batch_action=8,
        validation_split=0.5,
        epochs_pretrain=4,
        epochs_action=5,
        eval_clips=1,
    )
    whole = phases.TrainingRun(
        config, splits.load(config), distribution.make_strategy("one_device")
    )
    found = phases.measure_utility(whole, "raw", registry.load_module("anonymizers", "raw").build())
    assert found["selected"] == {"epoch": epoch, "score": 1.0}
    assert whole.get_phase("pretrain-tiny").load_result()["selected"] == {"epoch": 1, "score": 1.0}
    assert [line for line in capsys.readouterr().err.splitlines() if "nothing beats" in line] == [
        "[2/11] pretrain-tiny: nothing beats 1 on the held-out slice, reached at step 1 of 4."
    ]


def test_judges_of_the_action_start_from_what_raw_clips_left(monkeypatch, tmp_path):
    """With --epochs_pretrain every judge, that of raw clips too, starts from one network; without, afresh."""
    runs.add_tiny_networks(monkeypatch)
    synthetic.write(
        tmp_path / "synthetic",
        synthetic.Size(
            train_people=1,
            test_people=1,
            train_images=2,
            test_images=2,
            shortest=12,
            longest=12,
            side=32,
        ),
    )
    settings = {
        "data_dir": str(tmp_path),
        "action_network": "tiny",
        "resolution": 32,
        "frames": 2,
        "stride": 1,
        "batch_action": 4,
        "validation_split": 0.0,
        "epochs_action": 1,
        "eval_clips": 1,
        "baselines": ("raw", "blur"),
    }
    began, fit = {}, loop.fit

    def watched(learner, dataset, plan, **more):
        began[plan.title.split()[1], plan.epochs] = [
            np.array(weight) for weight in learner.network.get_weights()
        ]
        return fit(learner, dataset, plan, **more)

    monkeypatch.setattr(loop, "fit", watched)
    for pretrain in (0, 2):
        config = Config(
            workdir=str(tmp_path / f"run{pretrain}"), epochs_pretrain=pretrain, **settings
        )
        whole = phases.TrainingRun(
            config, splits.load(config), distribution.make_strategy("one_device")
        )
        for name in config.baselines:
            phases.measure_utility(whole, name, registry.load_module("anonymizers", name).build())
            fresh = began.setdefault(
                "fresh", began["action-raw", 1]
            )  # of the first judge of the first run
            assert helpers.same(fresh, began[f"action-{name}", 1]) == (pretrain == 0)
    assert helpers.same(fresh, began["pretrain-tiny", 2])
    left = registry.load_module("actions", "tiny").build(
        classes=len(whole.tables.action.train.classes)
    )
    whole.get_phase("pretrain-tiny").load_result(left)
    assert helpers.same(left.get_weights(), began["action-raw", 1])
    assert helpers.same(left.get_weights(), began["action-blur", 1])


@pytest.mark.parametrize(
    "precision, kind", [("float32", "Adam"), ("mixed_float16", "LossScaleOptimizer")]
)
def test_float16_scales_its_losses(precision, kind):
    assert type(phases.make_optimizer(Config(precision=precision), 1e-3)).__name__ == kind
