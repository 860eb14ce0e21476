"""The judges of a run see through a file what they saw through f_A."""

import pathlib
import sys

import numpy as np
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from runs import workdir  # noqa: E402, F401  a fixture

from tfanon.data import pipeline  # noqa: E402
from tfanon.exporting import compare, exporter, quality_check  # noqa: E402
from tfanon.metrics import criteria  # noqa: E402
from tfanon.training import (  # noqa: E402
    losses,
    run_folder,  # noqa: E402
    trainer,
)


def test_judges_score_f_A_as_the_run_did(workdir):
    run = run_folder.load_run(workdir)
    f_A, f_T, f_B = (
        run_folder.load_anonymizer(run),
        run_folder.load_action_evaluator(run),
        run_folder.load_attacker(run, "images"),
    )
    found = quality_check.Judges(run, (32, 32)).scores(quality_check.of_keras(f_A))
    action, privacy = (
        trainer.SupervisedModel(f_T, losses.action_cross_entropy, f_A),
        trainer.SupervisedModel(f_B, losses.attribute_cross_entropy, f_A),
    )
    action.forward, privacy.forward = action.call, privacy.call
    images = pipeline.evaluation_images(run.tables.images.test, run.config)
    assert (
        found["action_top1"]
        == criteria.score_action(
            action,
            pipeline.evaluation_clips(run.tables.action.test, run.config),
            run.tables.action.test,
        )["action_top1"]
    )
    assert found["images"]["cmap"] == pytest.approx(criteria.score_privacy_cmap(privacy, images))


def test_a_file_and_another_working_size(workdir, tmp_path):
    run = run_folder.load_run(workdir)
    f_A = run_folder.load_anonymizer(run)
    frames = run_folder.sample_frames(run, "test", 4, (48, 64))
    assert frames.shape == (4, 48, 64, 3) and 0 <= frames.min() < frames.max() <= 1
    exporter.export(f_A, tmp_path / "export", frames, formats=("tflite",))
    judges = quality_check.Judges(run, (48, 64), eval_clips=1)
    keras = judges.scores(quality_check.of_keras(f_A))
    found = judges.scores(quality_check.of_file(tmp_path / "export" / "anonymizer.tflite"))
    assert found["images"]["cmap"] == pytest.approx(
        keras["images"]["cmap"], abs=0.05
    )  # grey levels are rounded
    assert abs(found["action_top1"] - keras["action_top1"]) <= 1 / 8


def test_frames_are_drawn_by_the_seed(workdir):
    run = run_folder.load_run(workdir)
    one, two = (run_folder.sample_frames(run, "train", 6, (32, 32)) for _ in range(2))
    assert np.array_equal(one, two) and len(one) == 6
    everything = len(run.tables.clips.train) + len(run.tables.images.train)
    assert len(run_folder.sample_frames(run, "train", 1000, (32, 32))) == everything


@pytest.mark.parametrize(
    "found, message",
    [
        (
            {"action_top1": 0.485, "images": {"cmap": 0.6}},
            r"f loses 1.5 points of action top-1 against Keras; 1 are",
        ),
        (
            {"action_top1": 0.5, "images": {"cmap": 0.62}},
            r"f leaks 2.0 points of cMAP more than Keras \(images\)",
        ),
    ],
)
def test_what_is_worse_is_refused(found, message):
    keras = {"action_top1": 0.5, "images": {"cmap": 0.6}}
    quality_check.check("f", {"action_top1": 0.495, "images": {"cmap": 0.605}}, keras, points=1.0)
    with pytest.raises(compare.Refused, match=message):
        quality_check.check("f", found, keras, points=1.0)


def test_a_folder_that_is_no_run(tmp_path):
    with pytest.raises(ValueError, match="There is no run in .*run.flags is missing"):
        run_folder.load_run(tmp_path)


def test_a_run_that_is_not_finished(workdir, tmp_path):
    (tmp_path / "run.flags").write_text((workdir / "run.flags").read_text())
    with pytest.raises(
        ValueError, match="is not finished: its phase anonymize is missing. Resume it with tfanon-train"
    ):
        run_folder.load_run(tmp_path)
