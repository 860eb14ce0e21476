"""VP-HMDB51 and VP-UCF101: labels from an untrusted pickle, from CSV and from JSON."""

import json
import os
import pathlib
import pickle
from typing import Any

import miniature_datasets
import numpy as np
import pytest

from tfanon.core.config import Config
from tfanon.data.parsing import vp_annotations
from tfanon.data.sources import vp_hmdb51, vp_ucf101


@pytest.fixture
def data_dir(tmp_path: pathlib.Path) -> pathlib.Path:
    miniature_datasets.write_hmdb51(tmp_path, media=False)
    miniature_datasets.write_ucf101(tmp_path, media=False)
    return tmp_path


@pytest.mark.parametrize("ending", [".pickle", ".csv", ".json"])
@pytest.mark.parametrize(
    "name, source, paths",
    [
        ("hmdb51", vp_hmdb51, miniature_datasets.HMDB51),
        ("ucf101", vp_ucf101, miniature_datasets.UCF101),
    ],
)
def test_labels_are_matched_without_file_extension(data_dir, name, source, paths, ending):
    folder = miniature_datasets.write_vp_labels(data_dir, name, ending)
    splits = source.load("private_clips", str(folder), Config(data_dir=str(data_dir)))
    attributes = ("skin_color", "face", "gender", "nudity", "relationship")
    assert splits["train"].attribute_names == attributes
    numbers = {path: row for row, path in enumerate(sorted(paths))}
    for examples in splits.values():
        rows = zip(examples.paths, examples.attributes, examples.labels, strict=True)
        for path, values, label in rows:
            key = "/".join(path.split("/")[-2:])
            # miniature_datasets.write_vp_labels writes the bits of the row's number as labels.
            assert values.tolist() == [numbers[key] >> bit & 1 for bit in range(5)]
            assert examples.classes[label] == path.split("/")[-2]


class RunsCode:
    """Unpickled by `pickle.load`, it creates a folder."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("ran",)


@pytest.mark.parametrize(
    "content, message",
    [
        (pickle.dumps({"a": RunsCode()}), "it names (posix|nt).mkdir"),
        (pickle.dumps({"a": np.array([1.5])}), "numbers of the type 'f8'"),
        (pickle.dumps({"a": np.array([None])}), "numbers of the type 'O8'"),
        (pickle.dumps([1, 2]), "is not a pickle of names"),
        (b"\x80\x04", "is not a pickle of names"),
        (b"", "is not a pickle of names"),
    ],
)
def test_a_pickle_cannot_execute_code(data_dir, tmp_path, monkeypatch, content, message):
    monkeypatch.chdir(tmp_path)
    folder = miniature_datasets.write_vp_labels(data_dir, "hmdb51")
    (folder / "hmdb51_privacy_attribute_label.pickle").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        vp_hmdb51.load("clips", str(folder), Config(data_dir=str(data_dir)))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("dtype", ["<i8", ">i8", "<i4", "u1"])
def test_pickles_of_every_protocol(tmp_path, protocol, dtype):
    path = tmp_path / "a.pickle"
    path.write_bytes(pickle.dumps({"x/y.mp4": np.array([[1, 0, 1, 1, 0]], dtype)}, protocol))
    assert vp_annotations.LABEL_READERS[".pickle"](str(path))["x/y.mp4"].tolist() == [1, 0, 1, 1, 0]


def test_a_missing_and_a_wrong_label_are_named(data_dir):
    folder = miniature_datasets.write_vp_labels(data_dir, "hmdb51", ".json")
    path = folder / "hmdb51_privacy_attribute_label.json"
    labels = json.loads(path.read_text())
    first = next(iter(labels))
    path.write_text(json.dumps({**labels, first: [0, 1, 2, 0, 0]}))
    with pytest.raises(
        ValueError, match=r"must have 0 or 1 for each of skin_color, .*not \[0, 1, 2, 0, 0\]"
    ):
        vp_hmdb51.load("clips", str(folder), Config(data_dir=str(data_dir)))
    del labels[first]
    path.write_text(json.dumps(labels))
    with pytest.raises(ValueError, match="has no label for 1 of 16 videos"):
        vp_hmdb51.load("clips", str(folder), Config(data_dir=str(data_dir)))


def test_a_table_with_wrong_columns_is_named(data_dir):
    folder = miniature_datasets.write_vp_labels(data_dir, "hmdb51", ".csv")
    (folder / "hmdb51_privacy_attribute_label.csv").write_text("video,face\na,1\n")
    with pytest.raises(ValueError, match="must have the columns video, skin_color, face"):
        vp_hmdb51.load("clips", str(folder), Config(data_dir=str(data_dir)))
