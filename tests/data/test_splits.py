"""Which data set is trained on, which judges, which is measured: the paper's protocols on miniature data sets."""

import dataclasses

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
    folder = tmp_path_factory.mktemp("tables")
    for write in (
        miniature_datasets.write_ucf101,
        miniature_datasets.write_hmdb51,
        miniature_datasets.write_pa_hmdb51,
        miniature_datasets.write_vispr,
    ):
        write(folder)
    miniature_datasets.write_vp_labels(folder, "hmdb51")
    miniature_datasets.write_vp_labels(folder, "ucf101")
    return folder


def load(data_dir, config, **settings):
    return splits.load_experiment_data(
        dataclasses.replace(config, data_dir=str(data_dir), **settings)
    )


def test_known_actions_tested_on_pa_hmdb51(data_dir):
    loaded = load(data_dir, HMDB)
    assert (
        len(loaded.action_task.test) == 5
        and loaded.clips.test.paths != loaded.action_task.test.paths
    )
    assert loaded.action_task.train is loaded.clips.train
    assert (
        len(loaded.privacy_tasks["images"].test) == 66
        and "vispr" in loaded.privacy_tasks["images"].train.paths[0]
    )
    assert loaded.notes == ()


def test_the_paper_s_leak_is_said(data_dir, caplog):
    loaded = load(data_dir, HMDB, train_on_test_clips=True)
    assert loaded.notes[0] == "2 of the 5 files that the test of action looks at were trained on."
    assert loaded.notes[0] in caplog.text


def test_novel_actions_and_attributes(data_dir):
    loaded = load(data_dir, HMDB, clip_source="ucf101", eval_clip_source="hmdb51")
    assert (
        loaded.clips.train.classes[0] == "ApplyEyeMakeup"
        and loaded.action_task.train.classes[0] == "clap"
    )
    vp = load(
        data_dir,
        HMDB,
        clip_source="vp_hmdb51",
        eval_clip_source="vp_ucf101",
        attack_clips=True,
        test_clip_source="",
        test_image_source="",
        attribute_set="vispr2",
    )
    assert (
        vp.privacy_tasks["clips"].test.attributes.shape == (3, 5)
        and vp.action_task.test.classes[0] == "ApplyEyeMakeup"
    )
    assert vp.privacy_tasks["images"].test.attribute_names[0] == "a6_hair_color"


def test_frames_of_pa_hmdb51_are_read_by_number(data_dir):
    loaded = load(data_dir, HMDB)
    config = dataclasses.replace(HMDB, data_dir=str(data_dir), resolution=16, batch_privacy=32)
    images, attributes, index = (
        np.concatenate([tensor.numpy() for tensor in parts])
        for parts in zip(
            *pipeline.make_image_evaluation_dataset(loaded.privacy_tasks["images"].test, config)
        )
    )
    assert (
        images.shape == (66, 16, 16, 3)
        and attributes.shape == (66, 6)
        and index.tolist() == list(range(66))
    )
    first = [
        row
        for row, path in enumerate(loaded.privacy_tasks["images"].test.paths)
        if path.endswith("goo_2.avi")
    ]
    assert (
        np.abs(np.diff(images[first], axis=0)).mean((1, 2, 3)) > 0.01
    ).all()  # a moving clip, frame after frame


def test_clips_with_their_own_private_labels(data_dir, tmp_path):
    vp = load(data_dir, HMDB, clip_source="vp_hmdb51", test_clip_source="", private_labels="clips")
    assert (
        vp.clips.train.attributes.shape == (len(vp.clips.train), 5)
        and vp.clips.train.labels is not None
    )
    folder = tmp_path / "folder"
    folder.mkdir()
    rows = [
        ("a.mp4", "run", "train", "x", "test"),
        ("b.mp4", "run", "test", "y", "train"),
        ("c.mp4", "sit", "train", "y", "train"),
        ("d.mp4", "sit", "test", "x", "test"),
    ]
    for name, *_ in rows:
        (folder / name).touch()
    (folder / "labels.csv").write_text(
        "\n".join(map(",".join, [("path", "action", "split", "who", "other"), *rows]))
    )
    settings = dict(
        clip_source="labelled_folder",
        clip_folder="folder",
        image_source="labelled_folder",
        image_folder="folder",
        validation_split=0.0,
        private_labels="clips",
        clip_private_split_column="other",
    )
    found = load(tmp_path, Config(), **settings, clip_private_columns=("who",)).clips.train
    # The rows of the action's training split, whatever split the private column is attacked under.
    assert [path[-5:] for path in found.paths] == ["a.mp4", "c.mp4"]
    assert found.attribute_names == ("who=y",) and found.attributes.tolist() == [[0], [1]]
    assert load(tmp_path, Config(), **settings).clips.train.attributes is None


@pytest.mark.parametrize(
    "settings, message",
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
            "--test_clip_source=pa_hmdb51 has other classes than what is trained on: clap, hug",
        ),
        ({"attribute_set": "vispr1"}, "no labels for --attribute_set=vispr1"),
        (
            {"eval_clip_source": "ucf101", "init_action_from_raw": True},
            "--init_action_from_raw .* --eval_clip_source must be empty",
        ),
    ],
)
def test_what_does_not_go_together_is_named(data_dir, settings, message):
    with pytest.raises(ValueError, match=message):
        load(data_dir, HMDB, **settings)


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
