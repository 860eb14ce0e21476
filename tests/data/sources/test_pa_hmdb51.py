import json
import pathlib

import miniature_datasets
import numpy as np
import pytest

from tfanon.core.config import Config
from tfanon.data.batch import Examples
from tfanon.data.parsing import annotations, attribute_sets
from tfanon.data.sources import pa_hmdb51


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    miniature_datasets.write_hmdb51(tmp_path, media=False)
    return miniature_datasets.write_pa_hmdb51(tmp_path)


def load(
    folder: pathlib.Path, kind: str = "images", attribute_set: str = "pa_hmdb51"
) -> dict[str, Examples]:
    config = Config(data_dir=str(folder.parent), attribute_set=attribute_set)
    return pa_hmdb51.load(kind, str(folder), config)


def test_clips_are_files_of_hmdb51_and_only_for_tests(folder):
    splits = load(folder, "clips")
    assert set(splits) == {"test"} and splits["test"].classes == ("clap", "hug", "situp", "wave")
    assert set(splits["test"].paths) == {
        str(folder.parent / "hmdb51" / path) for path in miniature_datasets.ANNOTATED
    }


def test_each_labelled_frame_is_a_row(folder):
    test = load(folder)["test"]
    assert len(test) == 14 * 5 - 4  # the first four frames of BuddhaPainter have no label
    buddha = np.array(["Buddha" in path for path in test.paths])
    assert (
        test.frame_numbers[buddha].tolist() == list(range(4, 14))
        and test.frame_numbers[~buddha].max() == 13
    )


def test_values_become_the_attributes_of_each_set(folder):
    # Columns: skin, face, gender, nudity, relationship. Bit v stands for the value v: 1 is the
    # value 0, 2 the value 1, 4 the value 2.
    values = np.array(
        [[1, 1, 1, 1, 1], [2, 2, 2, 2, 2], [8, 4, 6, 4, 1], [2, 6, 3, 1, 1]], np.uint8
    )
    assert attribute_sets.convert_pa_hmdb51_values(values, "pa_hmdb51").tolist() == [
        [0, 0, 0, 0, 0, 0],
        [1, 1, 0, 1, 0, 1],
        [1, 1, 1, 0, 1, 0],
        [1, 1, 1, 1, 0, 0],
    ]
    assert attribute_sets.convert_pa_hmdb51_values(values, "vita").tolist() == [
        [0, 0, 0, 0, 0],
        [1, 1, 1, 1, 1],
        [1, 1, 1, 1, 0],
        [1, 1, 1, 0, 0],
    ]
    assert load(folder)["test"].attribute_names == (
        "a17_color",
        "a4_gender",
        "a9_face_complete",
        "a10_face_partial",
        "a12_semi_nudity",
        "a64_rel_personal",
    )
    assert len(load(folder, attribute_set="vita")["test"].attribute_names) == 5


def test_irregular_annotations_are_read(folder):
    values = annotations.read_frame_values(str(folder))
    gender = values[next(path for path in values if "Aishwarya" in path)][:, 2]
    assert (gender == 0b011).all()  # 0 and 1 at once
    face = values[next(path for path in values if "longue" in path)][:, 1]
    assert face.tolist() == [1] * 5 + [2] * 6 + [6] + [4] * 2  # frame 11 has both


@pytest.mark.parametrize(
    "segment", [[0, 5], [5, 0, 1], [0, 5, 4], [-1, 5, 1], [0, 10**9, 1], [0, 5, "1"], 7]
)
def test_a_wrong_segment_is_named(folder, segment):
    (folder / "PrivacyAttributes/wave.json").write_text(
        json.dumps({"a.avi": {"gender": [segment]}})
    )
    with pytest.raises(
        ValueError,
        match=r"wave.json: a.avi: gender .* must be \[first frame, last frame, value\] "
        "with the values 0 unidentifiable, 1 male, 2 female",
    ):
        load(folder)


def test_an_attribute_set_without_labels_is_named(folder):
    with pytest.raises(
        ValueError, match="no labels for --attribute_set=vispr1; use pa_hmdb51 or vita"
    ):
        load(folder, attribute_set="vispr1")


def test_invalid_json_and_file_names_are_named(folder):
    (folder / "PrivacyAttributes/wave.json").write_text("{")
    with pytest.raises(ValueError, match="wave.json is not valid JSON"):
        load(folder)
    (folder / "PrivacyAttributes/wave.json").write_text('{"../a.avi": {}}')
    with pytest.raises(ValueError, match="'../a.avi' is not a file name"):
        load(folder)
