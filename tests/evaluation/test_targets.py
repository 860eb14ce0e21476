import numpy as np
import pytest
import tensorflow as tf

from tfanon.data import decode
from tfanon.evaluation import targets
from tfanon.inference import network
from tfanon.inference.network import Network
from tfanon.media import array_writer, frame_reader


def draw_frames(*shape):
    return np.random.default_rng(0).random(shape, np.float32)


def keep(x, training=False):
    return x


@pytest.mark.parametrize("shape", [(3, 16, 16, 3), (2, 3, 16, 16, 3)])
def test_network_outside_the_graph(shape):
    shapes = []

    def invert(levels):
        shapes.append(levels.shape)
        return 255 - levels

    f_A = targets.ExternalNetwork(Network("double", "0" * 64, invert, batch=2))
    x = draw_frames(*shape)
    y = tf.function(lambda x: f_A(x, training=False))(x)
    np.testing.assert_allclose(y, 1 - np.rint(x * 255) / 255, atol=1e-6)
    assert y.shape == shape
    assert {shape[1:] for shape in shapes} == {(16, 16, 3)}
    assert max(shape[0] for shape in shapes) == 2


def test_frames_are_resized_for_a_network_of_one_size():
    inner = Network("double", "0" * 64, lambda levels: levels, (8, 8), fixed_size=True)
    grey = np.full((1, 16, 24, 3), 0.2, np.float32)
    y = targets.ExternalNetwork(inner)(grey)
    np.testing.assert_allclose(y, np.full_like(grey, 51 / 255), atol=1e-6)  # .2 is grey level 51


def test_wrong_output_of_an_external_network_is_one_line():
    f_A = targets.ExternalNetwork(Network("broken", "0" * 64, lambda levels: levels[:, 1:]))
    graph = tf.function(f_A)
    with pytest.raises(
        network.UnsafeOutputError,
        match=r"^broken returned shape \(2, 7, 8, 3\) for frames of shape \(2, 8, 8, 3\)\.$",
    ):
        with decode.unwrap_errors(network.UnsafeOutputError):
            graph(draw_frames(2, 8, 8, 3))


def test_h264(tmp_path):
    # A clip is compressed as a clip: the same pixels as from writer and reader, and closer to the
    # original with a smaller crf.
    x = np.cumsum(draw_frames(1, 6, 32, 32, 3), axis=1) / 6
    y = tf.function(targets.H264Anonymizer(keep, 23))(x).numpy()
    levels = np.rint(x[0] * 255).astype(np.uint8)
    array_writer.write_video(tmp_path / "a.mp4", levels, crf=23)
    expected = frame_reader.read_frames(str(tmp_path / "a.mp4"), range, 32, 32)
    np.testing.assert_array_equal(np.rint(y[0] * 255), expected)
    fine = targets.H264Anonymizer(keep, 5)(x)
    assert np.abs(fine - x).mean() < np.abs(y - x).mean() < 0.2
    image = targets.H264Anonymizer(keep, 5)(x[:, 0])
    assert image.shape == (1, 32, 32, 3) and np.abs(image - x[:, 0]).mean() < 0.1


def test_names():
    label, f_A, digest = targets.load_target("raw+h264", None, 23)
    assert label == "raw+h264" and isinstance(f_A, targets.H264Anonymizer) and digest == ""
    assert targets.load_target("f_A", lambda: ("mine", "ab"), 23) == ("f_A", "mine", "ab")
    with pytest.raises(ValueError, match="there is no file bluur, and: .*'bluur'"):
        targets.load_target("bluur", None, 23)
