"""The judges of a run see through a file what they saw through f_A."""

import pathlib
import sys

import numpy as np
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from runs import workdir  # noqa: E402, F401  a fixture
from tfanon import evaluation, losses, trainer  # noqa: E402
from tfanon.data import pipeline  # noqa: E402
from tfanon.exporting import compare, exporter, finished, judging  # noqa: E402


def test_judges_score_f_A_as_the_run_did(workdir):
    run = finished.load(workdir)
    f_A, f_T, f_B = finished.anonymizer(run), finished.action_judge(run), finished.privacy_judge(run, "images")
    found = judging.Judges(run, (32, 32)).scores(judging.of_keras(f_A))
    action, privacy = trainer.Learner(f_T, losses.action, f_A), trainer.Learner(f_B, losses.attributes, f_A)
    action.forward, privacy.forward = action.call, privacy.call
    images = pipeline.evaluation_images(run.tables.images.test, run.config)
    assert found["action_top1"] == evaluation.action_scores(
        action, pipeline.evaluation_clips(run.tables.action.test, run.config), run.tables.action.test)["action_top1"]
    assert found["images"]["cmap"] == pytest.approx(evaluation.privacy_cmap(privacy, images))


def test_a_file_and_another_working_size(workdir, tmp_path):
    run = finished.load(workdir)
    f_A = finished.anonymizer(run)
    frames = finished.frames(run, "test", 4, (48, 64))
    assert frames.shape == (4, 48, 64, 3) and 0 <= frames.min() < frames.max() <= 1
    exporter.export(f_A, tmp_path / "export", frames, formats=("tflite",))
    judges = judging.Judges(run, (48, 64), eval_clips=1)
    keras = judges.scores(judging.of_keras(f_A))
    found = judges.scores(judging.of_file(tmp_path / "export" / "anonymizer.tflite"))
    assert found["images"]["cmap"] == pytest.approx(keras["images"]["cmap"], abs=0.05)  # grey levels are rounded
    assert abs(found["action_top1"] - keras["action_top1"]) <= 1 / 8


def test_frames_are_drawn_by_the_seed(workdir):
    run = finished.load(workdir)
    one, two = (finished.frames(run, "train", 6, (32, 32)) for _ in range(2))
    assert np.array_equal(one, two) and len(one) == 6
    everything = len(run.tables.clips.train) + len(run.tables.images.train)
    assert len(finished.frames(run, "train", 1000, (32, 32))) == everything


@pytest.mark.parametrize("found, message", [
    ({"action_top1": 0.485, "images": {"cmap": 0.6}}, r"f loses 1.5 points of action top-1 against Keras; 1 are"),
    ({"action_top1": 0.5, "images": {"cmap": 0.62}}, r"f leaks 2.0 points of cMAP more than Keras \(images\)")])
def test_what_is_worse_is_refused(found, message):
    keras = {"action_top1": 0.5, "images": {"cmap": 0.6}}
    judging.check("f", {"action_top1": 0.495, "images": {"cmap": 0.605}}, keras, points=1.0)
    with pytest.raises(compare.Refused, match=message):
        judging.check("f", found, keras, points=1.0)


def test_a_folder_that_is_no_run(tmp_path):
    with pytest.raises(ValueError, match="holds no run: .*run.flags is missing"):
        finished.load(tmp_path)


def test_a_run_that_is_not_finished(workdir, tmp_path):
    (tmp_path / "run.flags").write_text((workdir / "run.flags").read_text())
    with pytest.raises(ValueError, match="is not finished: its phase anonymize is not done. python -m tfanon.train"):
        finished.load(tmp_path)
