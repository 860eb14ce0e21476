"""A finished run of tiny networks, as tfanon.train leaves it, without the training."""

import pathlib

import tfanon.models.actions
import tfanon.models.anonymizers
import tfanon.models.privacy
from tfanon.core import config, registry
from tfanon.data import splits
from tfanon.data.sources import synthetic
from tfanon.training import distribution, phases

TINY = pathlib.Path(__file__).parent / "tiny"
KINDS = (tfanon.models.actions, tfanon.models.anonymizers, tfanon.models.privacy)


def add_tiny_networks(monkeypatch):
    """The files of tests/tiny as choices."""
    for kind in KINDS:
        monkeypatch.setattr(
            kind, "__path__", [*kind.__path__, str(TINY / kind.__name__.rpartition(".")[2])]
        )


def write_finished_run(folder):
    """Write data and a finished run below `folder`; returns the run's folder."""
    synthetic.write_dataset(
        folder / "data" / "synthetic",
        synthetic.DatasetSize(
            train_people=2,
            test_people=1,
            train_images=8,
            test_images=6,
            shortest=20,
            longest=24,
            side=48,
        ),
    )
    workdir = folder / "run"
    workdir.mkdir()
    settings = config.Config(
        workdir=str(workdir),
        data_dir=str(folder / "data"),
        anonymizer="tiny",
        action_network="tiny",
        privacy_network="tiny",
        baselines=(),
        resolution=32,
        frames=4,
        eval_clips=2,
    )
    config.write_flagfile(settings, workdir / "run.flags")
    run = phases.TrainingRun(
        settings, splits.load_experiment_data(settings), distribution.make_strategy("one_device")
    )
    for phase, kind, given in (
        ("anonymize", "anonymizers", {}),
        ("action-f_A", "actions", {"classes": len(run.data.action_task.train.classes)}),
        (
            "privacy-images-f_A",
            "privacy",
            {"attributes": len(run.data.images.train.attribute_names)},
        ),
    ):
        run.seed_for_phase(phase)
        run.get_phase(phase).save_result(registry.load_module(kind, "tiny").build(**given), {})
    return workdir
