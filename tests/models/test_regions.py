import pathlib
import sys
import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import make_pixels

from tfanon.core import component_spec, registry
from tfanon.models.regions import _opencv

ANONYMIZERS_WITH_REGIONS = ["blacken", "blur", "pixelate", "weak_blur"]


@pytest.fixture
def boxes_file(tmp_path: pathlib.Path) -> str:
    """Two boxes: rows 2..5 and columns 4..7 of a frame of 8 x 16, and its last pixel."""
    (tmp_path / "door.json").write_text("[[0.25, 0.25, 0.75, 0.5], [0.875, 0.9375, 1, 1]]")
    return str(tmp_path / "door.json")


def make_expected_mask() -> np.ndarray:
    mask = np.zeros((8, 16), bool)
    mask[2:6, 4:8] = mask[7, 15] = True
    return mask


def test_boxes_are_relative_to_the_frame(boxes_file):
    mask = component_spec.build_component("regions", f"boxes:file={boxes_file}")(
        make_pixels(3, 8, 16, 3)
    )
    np.testing.assert_array_equal(
        mask, np.broadcast_to(make_expected_mask()[None, :, :, None], (3, 8, 16, 1))
    )


@pytest.mark.parametrize("name", ANONYMIZERS_WITH_REGIONS)
def test_only_pixels_inside_regions_change(name, boxes_file):
    # Inside, pixels are those of the whole frame's anonymization; outside, bit for bit the frame's.
    clips, inside = make_pixels(1, 2, 8, 16, 3), make_expected_mask()
    whole = component_spec.build_component("anonymizers", name)(clips).numpy()
    f_A = component_spec.build_component("anonymizers", f"{name}:regions=boxes:file={boxes_file}")
    part = f_A(clips).numpy()
    np.testing.assert_array_equal(part[:, :, inside], whole[:, :, inside])
    np.testing.assert_array_equal(part[:, :, ~inside], clips[:, :, ~inside])
    unknown = tf.function(f_A, input_signature=[tf.TensorSpec([None, None, None, 3])])
    np.testing.assert_allclose(unknown(clips[0]), part[0], atol=1e-6)


@pytest.mark.parametrize(
    "text, message",
    [
        (None, "No such file or directory"),
        ("{}", "holds no boxes. Write"),
        ("[[0, 0, 1]]", "holds no boxes"),
        ("[[0.5, 0, 0.5, 1]]", "0 <= top < bottom <= 1"),
        ("[[0, 0, 2, 1]]", "holds no boxes"),
        ("[[0, 0, 1, NaN]]", "holds no boxes"),
        ("people", "holds no boxes"),
        ("[]", "holds no boxes"),
    ],
)
def test_invalid_boxes_file_is_named(tmp_path, text, message):
    if text is not None:
        (tmp_path / "boxes.json").write_text(text)
    with pytest.raises(ValueError, match=f"boxes.json.*{message}"):
        component_spec.build_component(
            "anonymizers", f"blur:regions=boxes:file={tmp_path / 'boxes.json'}"
        )


def test_unknown_regions_raise_an_error():
    with pytest.raises(
        ValueError, match="tfanon/models/regions/ has: boxes, detector, haar, hog, whole"
    ):
        component_spec.build_component("anonymizers", "blur:regions=faces")
    with pytest.raises(ValueError, match="need a file: regions=boxes:file=boxes.json"):
        component_spec.build_component("anonymizers", "blur:regions=boxes")


@pytest.mark.parametrize("name", ["hog", "haar"])
def test_missing_opencv_raises_an_error_with_the_install_command(monkeypatch, name):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(
        ValueError, match=rf"'{name}' need OpenCV below version 5.*pip install 'tfanon\[regions\]'"
    ):
        registry.load_module("regions", name).build()


def test_boxes_of_the_enlarged_frame_are_scaled_back():
    # A frame of 64 x 128 is enlarged four times. A box at x 40, y 20 of 100 x 60 covers columns
    # 10..34 and rows 5..19 of the frame. The detector finds nothing in a black frame.
    cv2 = pytest.importorskip("cv2")

    def detect(grey: np.ndarray) -> _opencv.Boxes:
        assert grey.shape == (256, 512) and grey.dtype == np.uint8
        return [[40, 20, 100, 60]] if grey.any() else ()

    find_regions = tf.function(_opencv.make_mask_function(cv2, detect))
    mask = find_regions(tf.stack([tf.ones((64, 128, 3)), tf.zeros((64, 128, 3))])).numpy()
    assert mask.shape == (2, 64, 128, 1)
    assert mask[0, 5:20, 10:35].all() and mask[0].sum() == 15 * 25 and not mask[1].any()


@pytest.mark.parametrize("name", ["hog", "haar"])
def test_detectors_work_inside_a_graph(name):
    pytest.importorskip("cv2")
    f_A = component_spec.build_component("anonymizers", f"blacken:regions={name}")
    x = make_pixels(1, 2, 48, 64, 3)
    once, twice = (tf.function(f_A)(x).numpy() for _ in range(2))
    np.testing.assert_array_equal(once, twice)
    assert np.all((once == x) | (once == 0))


def test_face_is_detected():
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
    mask = (
        registry.load_module("regions", "haar")
        .build()(blurred[None].astype(np.float32) / 255)
        .numpy()[0, :, :, 0]
    )
    assert mask[50, 48] and not mask[:8].any()


class FakeDetector:
    """KerasHub's interface; in an image of 100 x 200 it finds a person and a dog."""

    bounding_box_format = "xyxy"

    def __init__(self) -> None:
        self.prediction_decoder = types.SimpleNamespace(confidence_threshold=0.5)
        self.preprocessor = self.Preprocessor()

    class Preprocessor:
        image_converter = types.SimpleNamespace(image_size=(100, 200))

        def __call__(self, picture: tf.Tensor) -> tf.Tensor:
            assert picture.shape == (1, 100, 200, 3)
            return picture / 255

    def __call__(self, picture: tf.Tensor, training: bool) -> tf.Tensor:
        assert not training
        return tf.reduce_max(picture)

    def decode_predictions(self, brightest: tf.Tensor, picture: tf.Tensor) -> dict[str, tf.Tensor]:
        label = tf.where(brightest > 0, 1, -1)  # no person in a black image
        return {
            "boxes": tf.constant([[[26.0, 10, 50, 30], [0, 0, 200, 100], [-1, -1, -1, -1]]]),
            "labels": tf.stack([label, 18, -1])[None],
            "confidence": tf.constant([[0.4, 0.9, -1]]),
        }


@pytest.fixture
def fake_hub(monkeypatch: pytest.MonkeyPatch) -> list[FakeDetector]:
    """keras_hub with one preset, 'people'; returns the list of detectors that it loads."""
    detectors: list[FakeDetector] = []

    def from_preset(name: str) -> FakeDetector:
        if name != "people":
            raise OSError(f"no {name}\nand more lines")
        detectors.append(FakeDetector())
        return detectors[0]

    models = types.SimpleNamespace(ObjectDetector=types.SimpleNamespace(from_preset=from_preset))
    monkeypatch.setitem(sys.modules, "keras_hub", types.SimpleNamespace(models=models))
    return detectors


def test_boxes_of_a_kerashub_detector_are_scaled_back(fake_hub):
    # A frame of 40 x 50 becomes 100 x 125, 2.5 times as large. The person's columns 26..50 and rows
    # 10..30 are 10.4..20 and 4..12 of the frame; all pixels that they touch are masked. The dog,
    # all over the frame, is ignored.
    find_regions = component_spec.build_component("regions", "detector:preset=people")
    expected = np.zeros((40, 50, 1), bool)
    expected[4:12, 10:20] = True
    x = np.stack([np.ones((40, 50, 3), np.float32), np.zeros((40, 50, 3), np.float32)])
    unknown = tf.function(find_regions, input_signature=[tf.TensorSpec([None, None, None, 3])])
    for mask in (find_regions(x).numpy(), unknown(x).numpy()):
        np.testing.assert_array_equal(mask, [expected, np.zeros_like(expected)])


def test_confidence_threshold_is_configurable(fake_hub):
    component_spec.build_component("regions", "detector:preset=people")
    assert fake_hub[0].prediction_decoder.confidence_threshold == 0.3
    registry.load_module("regions", "detector").build("people", confidence=0.7)
    assert fake_hub[0].prediction_decoder.confidence_threshold == 0.7
    with pytest.raises(ValueError, match="detector: confidence must be in 0..1, not 2"):
        registry.load_module("regions", "detector").build("people", confidence=2.0)


def test_unavailable_detector_raises_an_error_of_one_line(fake_hub, monkeypatch):
    with pytest.raises(ValueError, match="The detector 'cars' could not be loaded: no cars$"):
        component_spec.build_component("regions", "detector:preset=cars")
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    with pytest.raises(
        ValueError, match=r"'detector' need KerasHub: pip install 'tfanon\[detector\]'"
    ):
        component_spec.build_component("anonymizers", "blur:regions=detector")


@pytest.mark.large
def test_retinanet_of_kerashub_gives_the_boxes_of_its_predict(tmp_path):
    """A small RetinaNet with random weights, saved as a preset and loaded from it."""
    keras_hub = pytest.importorskip("keras_hub")
    keras.utils.set_random_seed(0)
    hub = keras_hub.models
    encoder = hub.ResNetBackbone(
        [64], [7], [64] * 4, [1] * 4, [1, 2, 2, 2], "basic_block", image_shape=(None, None, 3)
    )
    backbone = hub.RetinaNetBackbone(
        encoder, min_level=3, max_level=5, use_p5=False, image_shape=(None, None, 3)
    )
    converter = keras_hub.layers.RetinaNetImageConverter(image_size=(128, 128), scale=1 / 255)
    retinanet = hub.RetinaNetObjectDetector(
        backbone,
        num_classes=3,
        bounding_box_format="xywh",
        prediction_decoder=keras_hub.layers.NonMaxSuppression(
            "xywh", from_logits=True, max_detections=5
        ),
        preprocessor=hub.RetinaNetObjectDetectorPreprocessor(image_converter=converter),
    )
    keras.utils.set_random_seed(2)  # gives a head that predicts people
    for variable in retinanet.classification_head.trainable_variables:
        variable.assign(keras.random.normal(variable.shape, stddev=0.05))
    # With weights of 0 the boxes are the anchors, which have realistic sizes.
    for variable in retinanet.box_head.trainable_variables:
        variable.assign(tf.zeros_like(variable))
    retinanet.save_to_preset(str(tmp_path / "preset"))
    retinanet.prediction_decoder.confidence_threshold = 0.0

    x = make_pixels(2, 64, 64, 3)
    mask = (
        registry.load_module("regions", "detector")
        .build(str(tmp_path / "preset"), confidence=0.0)(x)
        .numpy()
    )
    predictions = retinanet.predict(tf.image.resize(255 * x, (128, 128)), batch_size=1, verbose=0)
    for index in range(2):
        is_person = predictions["labels"][index] == 1
        people = predictions["boxes"][index][is_person] / 2  # [n, (left, top, width, height)]
        expected = np.zeros((64, 64), bool)
        for left, top, width, height in people:
            expected[
                max(0, int(np.floor(top))) : int(np.ceil(top + height)),
                max(0, int(np.floor(left))) : int(np.ceil(left + width)),
            ] = True
        assert len(people) and 0 < expected.mean() < 1
        np.testing.assert_array_equal(mask[index, :, :, 0], expected)
