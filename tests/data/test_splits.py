"""Which data set is trained on, evaluated and tested: the paper's protocols on miniature data."""

import dataclasses
import pathlib
from typing import Any

import miniature_datasets
import numpy as np
import pytest

from tfanon.core.config import Config
from tfanon.data import pipeline, splits

HMDB = Config(
    clip_source="hmdb51",
    image_source="vispr",
    attribute_set="pa_hmdb51",
    test_clip_source="pa_hmdb51",
    test_image_source="pa_hmdb51",
    validation_split=0.3,
)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("splits")
    miniature_datasets.write_all(folder)
    return folder


def load(data_dir: pathlib.Path, config: Config, **flags: Any) -> splits.ExperimentData:
    config = dataclasses.replace(config, data_dir=str(data_dir), **flags)
    return splits.load_experiment_data(config)


def test_known_actions_tested_on_pa_hmdb51(data_dir):
    data = load(data_dir, HMDB)
    assert len(data.action_task.test) == 5
    assert data.clips.test.paths != data.action_task.test.paths
    assert data.action_task.train is data.clips.train
    assert len(data.privacy_tasks["images"].test) == 66
    assert "vispr" in data.privacy_tasks["images"].train.paths[0]
    assert data.notes == ()


def test_training_on_test_clips_is_noted_and_logged(data_dir, caplog):
    data = load(data_dir, HMDB, train_on_test_clips=True)
    assert data.notes[0] == "2 of the 5 test files of action were trained on."
    assert data.notes[0] in caplog.text


def test_novel_actions_and_attributes(data_dir):
    data = load(data_dir, HMDB, clip_source="ucf101", eval_clip_source="hmdb51")
    assert data.clips.train.classes[0] == "ApplyEyeMakeup"
    assert data.action_task.train.classes[0] == "clap"
    flags = {
        "clip_source": "vp_hmdb51",
        "eval_clip_source": "vp_ucf101",
        "attack_clips": True,
        "test_clip_source": "",
        "test_image_source": "",
        "attribute_set": "vispr2",
    }
    vp_data = load(data_dir, HMDB, **flags)
    assert vp_data.privacy_tasks["clips"].test.attributes.shape == (3, 5)
    assert vp_data.action_task.test.classes[0] == "ApplyEyeMakeup"
    assert vp_data.privacy_tasks["images"].test.attribute_names[0] == "a6_hair_color"


def test_frames_of_pa_hmdb51_are_read_by_number(data_dir):
    test = load(data_dir, HMDB).privacy_tasks["images"].test
    config = dataclasses.replace(HMDB, data_dir=str(data_dir), resolution=16, batch_privacy=32)
    batches = pipeline.make_image_evaluation_dataset(test, config).as_numpy_iterator()
    images, attributes, index = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    assert images.shape == (66, 16, 16, 3) and attributes.shape == (66, 6)
    assert index.tolist() == list(range(66))
    is_first_clip = [path.endswith("goo_2.avi") for path in test.paths]
    # The clip moves, and its rows are consecutive frames.
    changes = np.abs(np.diff(images[is_first_clip], axis=0)).mean((1, 2, 3))
    assert (changes > 0.01).all()


def test_clips_with_their_own_private_labels(data_dir, tmp_path):
    flags = {"clip_source": "vp_hmdb51", "test_clip_source": "", "private_labels": "clips"}
    train = load(data_dir, HMDB, **flags).clips.train
    assert train.attributes.shape == (len(train), 5) and train.labels is not None
    folder = tmp_path / "folder"
    folder.mkdir()
    rows = [
        ("path", "action", "split", "who", "other"),
        ("a.mp4", "run", "train", "x", "test"),
        ("b.mp4", "run", "test", "y", "train"),
        ("c.mp4", "sit", "train", "y", "train"),
        ("d.mp4", "sit", "test", "x", "test"),
    ]
    for name, *_ in rows[1:]:
        (folder / name).touch()
    (folder / "labels.csv").write_text("\n".join(map(",".join, rows)))
    flags = {
        "clip_source": "labelled_folder",
        "clip_folder": "folder",
        "image_source": "labelled_folder",
        "image_folder": "folder",
        "validation_split": 0.0,
        "private_labels": "clips",
        "clip_private_split_column": "other",
    }
    train = load(tmp_path, Config(), **flags, clip_private_columns=("who",)).clips.train
    # The rows of the action's training split, whatever split the private column is attacked under.
    assert [path[-5:] for path in train.paths] == ["a.mp4", "c.mp4"]
    assert train.attribute_names == ("who=y",) and train.attributes.tolist() == [[0], [1]]
    assert load(tmp_path, Config(), **flags).clips.train.attributes is None


@pytest.mark.parametrize(
    "flags, message",
    [
        (
            {"clip_source": "hmdb51", "private_labels": "clips"},
            "hmdb51 has no 'private_clips'; it has clips",
        ),
        (
            {"clip_source": "pa_hmdb51"},
            "pa_hmdb51 is for evaluation only: .* --test_clip_source or --test_image_source",
        ),
        (
            {"clip_source": "ucf101"},
            "--test_clip_source=pa_hmdb51 has other classes than the training data: clap, hug",
        ),
        ({"attribute_set": "vispr1"}, "no labels for --attribute_set=vispr1"),
        (
            {"eval_clip_source": "ucf101", "init_action_from_raw": True},
            "--init_action_from_raw .* --eval_clip_source must be empty",
        ),
    ],
)
def test_error_names_flags_that_contradict_each_other(data_dir, flags, message):
    with pytest.raises(ValueError, match=message):
        load(data_dir, HMDB, **flags)


def test_missing_files_are_counted(tmp_path, caplog):
    miniature_datasets.write_pa_hmdb51(tmp_path)
    miniature_datasets.write_vispr(tmp_path)
    folder = miniature_datasets.write_hmdb51(tmp_path)
    (folder / "wave/BLACK_HAWK_DOWN_wave_u_nm_np1_ba_goo_19.avi").unlink()
    with pytest.raises(ValueError, match="1 of 8 files are missing; the first: .*BLACK_HAWK"):
        load(tmp_path, HMDB)
    with pytest.raises(ValueError, match="1 of 8 files are missing"):
        load(tmp_path, HMDB, max_bad_fraction=0.2, on_bad_video="raise")
    load(tmp_path, HMDB, max_bad_fraction=0.2)
    assert "1 of 8 files are missing" in caplog.text
