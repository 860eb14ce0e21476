import sys

import numpy as np
import pytest
import tensorflow as tf

from tfanon import registry, specs
from tfanon.models.regions import _opencv

REGIONAL = ["blacken", "blur", "pixelate", "weak_blur"]


def frames(*shape):
    return np.random.default_rng(0).random(shape, "float32")


@pytest.fixture
def door(tmp_path):
    """A file with two boxes: of a frame of 8 x 16 the rows 2..5 and columns 4..7, and the last pixel."""
    (tmp_path / "door.json").write_text("[[0.25, 0.25, 0.75, 0.5], [0.875, 0.9375, 1, 1]]")
    return str(tmp_path / "door.json")


def expected_mask():
    mask = np.zeros((8, 16), bool)
    mask[2:6, 4:8] = mask[7, 15] = True
    return mask


def test_boxes_are_shares_of_the_frame(door):
    mask = specs.build("regions", f"boxes:file={door}")(frames(3, 8, 16, 3))
    np.testing.assert_array_equal(mask, np.broadcast_to(expected_mask()[None, :, :, None], (3, 8, 16, 1)))


@pytest.mark.parametrize("name", REGIONAL)
def test_only_regions_change(name, door):
    # Inside as the whole frame would be changed, outside bit for bit the frame; clips as frames.
    clips, inside = frames(1, 2, 8, 16, 3), expected_mask()
    whole = specs.build("anonymizers", name)(clips).numpy()
    f_A = specs.build("anonymizers", f"{name}:regions=boxes:file={door}")
    part = f_A(clips).numpy()
    np.testing.assert_array_equal(part[:, :, inside], whole[:, :, inside])
    np.testing.assert_array_equal(part[:, :, ~inside], clips[:, :, ~inside])
    unknown = tf.function(f_A, input_signature=[tf.TensorSpec([None, None, None, 3])])
    np.testing.assert_allclose(unknown(clips[0]), part[0], atol=1e-6)


@pytest.mark.parametrize("text, message", [
    (None, "No such file or directory"), ("{}", "holds no boxes: write"), ("[[0, 0, 1]]", "holds no boxes"),
    ("[[0.5, 0, 0.5, 1]]", "0 <= top < bottom <= 1"), ("[[0, 0, 2, 1]]", "holds no boxes"),
    ("[[0, 0, 1, NaN]]", "holds no boxes"), ("people", "holds no boxes"), ("[]", "holds no boxes")])
def test_a_bad_file_of_boxes_is_named(tmp_path, text, message):
    if text is not None:
        (tmp_path / "boxes.json").write_text(text)
    with pytest.raises(ValueError, match=f"boxes.json.*{message}"):
        specs.build("anonymizers", f"blur:regions=boxes:file={tmp_path / 'boxes.json'}")


def test_regions_that_are_not_there():
    with pytest.raises(ValueError, match="tfanon/models/regions/ has: boxes, haar, hog, whole"):
        specs.build("anonymizers", "blur:regions=faces")
    with pytest.raises(ValueError, match="need a file: regions=boxes:file=boxes.json"):
        specs.build("anonymizers", "blur:regions=boxes")


@pytest.mark.parametrize("name", ["hog", "haar"])
def test_a_missing_opencv_is_one_line(monkeypatch, name):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(ValueError, match=rf"'{name}' need OpenCV below version 5.*pip install 'tfanon\[regions\]'"):
        registry.find("regions", name).build()


def test_boxes_of_a_detector_come_back_to_the_frame():
    # A frame of 64 x 128 is looked at four times as large; a find of x 40, y 20, 100 x 60 there covers the columns
    # 10..34 and the rows 5..19 of the frame. The detector finds nothing in a black frame.
    cv2 = pytest.importorskip("cv2")

    def detect(grey):
        assert grey.shape == (256, 512) and grey.dtype == np.uint8
        return [[40, 20, 100, 60]] if grey.any() else ()

    find = tf.function(_opencv.masks(cv2, detect))
    mask = find(tf.stack([tf.ones((64, 128, 3)), tf.zeros((64, 128, 3))])).numpy()
    assert mask.shape == (2, 64, 128, 1)
    assert mask[0, 5:20, 10:35].all() and mask[0].sum() == 15 * 25 and not mask[1].any()


@pytest.mark.parametrize("name", ["hog", "haar"])
def test_detectors_work_inside_a_graph(name):
    pytest.importorskip("cv2")
    f_A = specs.build("anonymizers", f"blacken:regions={name}")
    x = frames(1, 2, 48, 64, 3)
    once, twice = (tf.function(f_A)(x).numpy() for _ in range(2))
    np.testing.assert_array_equal(once, twice)
    assert np.all((once == x) | (once == 0))


def test_a_face_is_found():
    """A drawn face: brows and eyes darker than the skin, a lit nose, a dark mouth."""
    cv2 = pytest.importorskip("cv2")
    face = np.full((96, 96, 3), 90, np.uint8)
    cv2.ellipse(face, (48, 50), (26, 34), 0, 0, 360, (205, 180, 165), -1)
    for x in (37, 59):
        cv2.ellipse(face, (x, 42), (7, 4), 0, 0, 360, (60, 40, 40), -1)
        cv2.line(face, (x - 8, 34), (x + 8, 34), (70, 50, 40), 3)
    cv2.line(face, (48, 42), (48, 58), (235, 215, 205), 5)
    cv2.ellipse(face, (48, 70), (10, 3), 0, 0, 360, (110, 50, 50), -1)
    blurred = cv2.GaussianBlur(face, (0, 0), 1.5)
    mask = registry.find("regions", "haar").build()(blurred[None].astype(np.float32) / 255).numpy()[0, :, :, 0]
    assert mask[50, 48] and not mask[:8].any()
