"""The networks of a run measure on a file what they measured on f_A."""

import numpy as np
import pytest

from tfanon.data import pipeline
from tfanon.exporting import compare, exporter, quality_check
from tfanon.metrics import criteria
from tfanon.training import (
    losses,
    run_folder,
    trainer,
)


def test_f_A_scores_as_in_the_run(workdir):
    run = run_folder.load_run(workdir)
    f_A, f_T, f_B = (
        run_folder.load_anonymizer(run),
        run_folder.load_action_evaluator(run),
        run_folder.load_attacker(run, "images"),
    )
    measured = quality_check.QualityCheck(run, (32, 32)).measure(quality_check.wrap_keras(f_A))
    action, privacy = (
        trainer.SupervisedModel(f_T, losses.action_cross_entropy, f_A),
        trainer.SupervisedModel(f_B, losses.attribute_cross_entropy, f_A),
    )
    action.forward, privacy.forward = action.call, privacy.call
    images = pipeline.make_image_evaluation_dataset(run.data.images.test, run.config)
    assert (
        measured["action_top1"]
        == criteria.score_action(
            action,
            pipeline.make_clip_evaluation_dataset(run.data.action_task.test, run.config),
            run.data.action_task.test,
        )["action_top1"]
    )
    assert measured["images"]["cmap"] == pytest.approx(criteria.score_privacy_cmap(privacy, images))


def test_a_file_at_another_network_size(workdir, tmp_path):
    run = run_folder.load_run(workdir)
    f_A = run_folder.load_anonymizer(run)
    frames = run_folder.sample_frames(run, "test", 4, (48, 64))
    assert frames.shape == (4, 48, 64, 3) and 0 <= frames.min() < frames.max() <= 1
    exporter.export_anonymizer(f_A, tmp_path / "export", frames, formats=("tflite",))
    quality = quality_check.QualityCheck(run, (48, 64), eval_clips=1)
    keras = quality.measure(quality_check.wrap_keras(f_A))
    measured = quality.measure(
        quality_check.wrap_exported(tmp_path / "export" / "anonymizer.tflite")
    )
    assert measured["images"]["cmap"] == pytest.approx(
        keras["images"]["cmap"], abs=0.05
    )  # grey levels are rounded
    assert abs(measured["action_top1"] - keras["action_top1"]) <= 1 / 8


def test_frames_are_sampled_by_the_seed(workdir):
    run = run_folder.load_run(workdir)
    one, two = (run_folder.sample_frames(run, "train", 6, (32, 32)) for _ in range(2))
    assert np.array_equal(one, two) and len(one) == 6
    everything = len(run.data.clips.train) + len(run.data.images.train)
    assert len(run_folder.sample_frames(run, "train", 1000, (32, 32))) == everything


@pytest.mark.parametrize(
    "measured, message",
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
def test_a_worse_file_is_refused(measured, message):
    keras = {"action_top1": 0.5, "images": {"cmap": 0.6}}
    quality_check.check_metric_drop(
        "f", {"action_top1": 0.495, "images": {"cmap": 0.605}}, keras, max_drop=1.0
    )
    with pytest.raises(compare.QualityError, match=message):
        quality_check.check_metric_drop("f", measured, keras, max_drop=1.0)


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(ValueError, match="There is no run in .*run.flags is missing"):
        run_folder.load_run(tmp_path)


def test_an_unfinished_run_is_refused(workdir, tmp_path):
    (tmp_path / "run.flags").write_text((workdir / "run.flags").read_text())
    with pytest.raises(
        ValueError,
        match="is not finished: its phase anonymize is missing. Resume it with tfanon-train",
    ):
        run_folder.load_run(tmp_path)
