import types

import finished_runs
import helpers
import numpy as np
import pytest

from tfanon import experiment
from tfanon.core import registry
from tfanon.core.config import Config
from tfanon.data import splits
from tfanon.data.sources import synthetic
from tfanon.metrics import criteria
from tfanon.summaries import samples
from tfanon.training import distribution, loop, phases

# Clips of 12 frames, 32 pixels a side; tests say how many people and images there are.
TINY_DATASET = {"test_people": 1, "test_images": 2, "shortest": 12, "longest": 12, "side": 32}


def make_run(**flags):
    """A run whose data has only the names of its privacy tasks."""
    data = types.SimpleNamespace(privacy_tasks={"images": None})
    return phases.TrainingRun(Config(**flags), data, None)


def load_run(config):
    data = splits.load_experiment_data(config)
    return phases.TrainingRun(config, data, distribution.make_strategy("one_device"))


def write_dataset(folder, train_people, train_images):
    size = synthetic.DatasetSize(
        train_people=train_people, train_images=train_images, **TINY_DATASET
    )
    synthetic.write_dataset(folder / "synthetic", size)


def test_phases_are_listed_in_order():
    assert make_run(baselines=("blur",)).list_phases() == [
        "initialise",
        "anonymize",
        "action-blur",
        "privacy-images-blur",
        "action-f_A",
        "privacy-images-f_A",
    ]
    assert make_run(baselines=("raw",), init_action_from_raw=True).list_phases() == [
        "initialise",
        "action-raw",
        "anonymize",
        "privacy-images-raw",
        "action-f_A",
        "privacy-images-f_A",
    ]
    pretrained = make_run(baselines=("raw",), epochs_pretrain=3, eval_action_network="tiny")
    assert pretrained.list_phases() == [
        "initialise",
        "pretrain-tiny",
        "anonymize",
        "action-raw",
        "privacy-images-raw",
        "action-f_A",
        "privacy-images-f_A",
    ]


def test_baseline_with_options_has_its_own_folder(tmp_path):
    run = make_run(workdir=str(tmp_path), baselines=("downsample:factor=2",))
    phase = run.get_phase("action-downsample:factor=2")
    assert phase.folder == tmp_path / "phases" / "action-downsample-factor=2"
    assert phase.log_folder == tmp_path / "logs" / "action-downsample-factor=2"


def test_wrong_baseline_is_refused_before_training(tmp_path):
    config = Config(workdir=str(tmp_path), baselines=("raw", "downsample:faktor=2"))
    with pytest.raises(ValueError, match="downsample has no option 'faktor'"):
        experiment.run_experiment(config)


def test_finished_phase_fills_a_network(tmp_path):
    phase = make_run(workdir=str(tmp_path)).get_phase("initialise")
    assert phase.load_result() is None
    network = helpers.make_adversary(2, 3)
    phase.save_result(network, {"score": 0.5})
    other = helpers.make_adversary(2, 3)
    assert phase.load_result(other) == {"score": 0.5}
    saved = [weight.numpy() for weight in network.weights[:6]]
    assert helpers.are_equal(saved, [weight.numpy() for weight in other.weights[:6]])
    names = [path.name for path in sorted(phase.folder.iterdir())]
    assert names == ["done.json", "network.weights.h5"]


def test_phase_can_be_locked(tmp_path):
    phase = make_run(workdir=str(tmp_path)).get_phase("initialise")
    assert not phase.is_locked()
    with phase.acquire_lock():
        assert phase.is_locked()
    assert not phase.is_locked()


def test_several_processes_per_worker_are_refused(tmp_path):
    config = Config(workdir=str(tmp_path), processes=2, strategy="multi_worker")
    with pytest.raises(
        ValueError, match="--processes=2 cannot be combined with --strategy=multi_worker"
    ):
        experiment.run_experiment(config)


def test_initial_weights_depend_on_seed_and_phase_alone():
    def draw(seed, name):
        make_run(seed=seed).seed_for_phase(name)
        return helpers.make_adversary(2, 3).weights[0].numpy().tolist()

    assert draw(0, "action") == draw(0, "action")
    assert draw(0, "action") != draw(1, "action") and draw(0, "action") != draw(0, "anonymize")


def test_learning_rate_rises_and_falls(tmp_path):
    # 10 epochs of 10 steps, 1 of warm-up: the peak is at step 10, and step 100 is at zero.
    config = Config(warmup_epochs=1, workdir=str(tmp_path))
    plan = make_run(workdir=str(tmp_path)).get_phase("initialise").make_plan(80, 8, 10)
    learning_rate = phases.make_cosine_schedule(0.2, plan, config)
    assert float(learning_rate(0)) == pytest.approx(0.002)
    assert float(learning_rate(10)) == pytest.approx(0.2)
    assert float(learning_rate(55)) == pytest.approx(0.1)
    assert float(learning_rate(100)) == pytest.approx(0, abs=1e-6)


@pytest.mark.large
@pytest.mark.parametrize(
    "flags",
    [
        pytest.param({"objective": "vita", "ensemble": ("tiny",), "restart_every": 2}, id="vita"),
        pytest.param({"objective": "ted_spad"}, id="ted_spad"),
        pytest.param({"objective": "mass", "suppressed": ("hat",)}, id="mass"),
        pytest.param(
            {
                "objective": "stprivacy",
                "private_labels": "clips",
                "anonymizer": "tubelet_vit",
                "anonymizer_width": 0.1,
            },
            id="stprivacy",
        ),
    ],
)
def test_other_objectives_train_from_files_to_weights(monkeypatch, tmp_path, flags):
    finished_runs.add_tiny_networks(monkeypatch)
    write_dataset(tmp_path, train_people=1, train_images=8)
    defaults = {
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
    }
    config = Config(**{**defaults, **flags})
    run = load_run(config)
    f_A = experiment.make_anonymizer(run)
    before = helpers.read_values(f_A)
    logged_losses = []

    def log_loss(step, minimax):
        logged_losses.append(float(minimax.means["L_A"].result()))

    objective = phases.make_objective(config, run.data)
    log_samples = samples.make_log_callbacks(run.data, config, objective.extra_batch_keys)
    phases.train_anonymizer(run, f_A, [*log_samples, log_loss])
    # 8 clips are two steps of two batches of two, twice.
    assert len(logged_losses) == 4 and np.isfinite(logged_losses).all()
    assert not helpers.are_equal(before, helpers.read_values(f_A))
    assert (tmp_path / "run/phases/anonymize/done.json").exists()


@pytest.mark.parametrize("flags", [{}, {"epochs_pretrain": 1}])
def test_adversaries_start_alike_whether_pretraining_was_done_before(monkeypatch, tmp_path, flags):
    finished_runs.add_tiny_networks(monkeypatch)
    write_dataset(tmp_path, train_people=1, train_images=2)
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
        **flags,
    )
    run = load_run(config)
    fit = loop.fit
    initial_weights = []

    def stop_before_minimax(model, make_dataset, plan, **arguments):
        if "anonymize" not in plan.title:
            return fit(model, make_dataset, plan, **arguments)
        initial_weights.append([*model.f_T.get_weights(), *model.f_B.get_weights()])
        raise KeyboardInterrupt

    monkeypatch.setattr(loop, "fit", stop_before_minimax)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            phases.train_anonymizer(run, experiment.make_anonymizer(run))
    assert helpers.are_equal(*initial_weights)


@pytest.mark.parametrize("min_held_out, epoch", [(8, 1), (9, 5)])
def test_only_pretraining_ends_early(monkeypatch, tmp_path, capsys, min_held_out, epoch):
    """Eight held-out clips, all right from the first epoch on.

    The action evaluator is trained to the end, whichever epoch is selected.
    """
    finished_runs.add_tiny_networks(monkeypatch)
    monkeypatch.setattr(criteria, "score_action_top1", lambda model, held_out: 1.0)
    monkeypatch.setattr(phases, "MIN_HELD_OUT", min_held_out)
    write_dataset(tmp_path, train_people=2, train_images=2)
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
    run = load_run(config)
    raw = registry.load_module("anonymizers", "raw").build()
    utility = phases.measure_utility(run, "raw", raw)
    assert utility["selected"] == {"epoch": epoch, "score": 1.0}
    pretraining = run.get_phase("pretrain-tiny").load_result()
    assert pretraining["selected"] == {"epoch": 1, "score": 1.0}
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if "ended early" in line] == [
        "[2/11] pretrain-tiny: ended early at step 1 of 4; the score on the held-out split is 1, "
        "the highest possible."
    ]


def test_action_evaluators_start_from_pretraining(monkeypatch, tmp_path):
    """With --epochs_pretrain all start from one network, that of raw clips too; without, anew."""
    finished_runs.add_tiny_networks(monkeypatch)
    write_dataset(tmp_path, train_people=1, train_images=2)
    flags = {
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
    fit = loop.fit
    initial_weights = {}

    def record_initial_weights(model, make_dataset, plan, **arguments):
        weights = [np.array(weight) for weight in model.network.get_weights()]
        initial_weights[plan.title.split()[1], plan.epochs] = weights
        return fit(model, make_dataset, plan, **arguments)

    monkeypatch.setattr(loop, "fit", record_initial_weights)
    random_weights = None
    for epochs_pretrain in (0, 2):
        workdir = str(tmp_path / f"run{epochs_pretrain}")
        config = Config(workdir=workdir, epochs_pretrain=epochs_pretrain, **flags)
        run = load_run(config)
        for name in config.baselines:
            phases.measure_utility(run, name, registry.load_module("anonymizers", name).build())
            if random_weights is None:
                random_weights = initial_weights["action-raw", 1]
            starts_random = helpers.are_equal(random_weights, initial_weights[f"action-{name}", 1])
            assert starts_random == (epochs_pretrain == 0)
    assert helpers.are_equal(random_weights, initial_weights["pretrain-tiny", 2])
    pretrained = registry.load_module("actions", "tiny").build(
        classes=len(run.data.action_task.train.classes)
    )
    run.get_phase("pretrain-tiny").load_result(pretrained)
    assert helpers.are_equal(pretrained.get_weights(), initial_weights["action-raw", 1])
    assert helpers.are_equal(pretrained.get_weights(), initial_weights["action-blur", 1])


@pytest.mark.parametrize(
    "precision, kind", [("float32", "Adam"), ("mixed_float16", "LossScaleOptimizer")]
)
def test_float16_scales_its_losses(precision, kind):
    assert type(phases.make_optimizer(Config(precision=precision), 1e-3)).__name__ == kind
