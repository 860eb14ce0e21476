import numpy as np
import pytest
import tensorflow as tf

from tfanon.data import decode
from tfanon.evaluation import targets
from tfanon.inference import network
from tfanon.inference.network import Network
from tfanon.media import array_writer, frame_reader


def frames(*shape):
    return np.random.default_rng(0).random(shape, np.float32)


@pytest.mark.parametrize("shape", [(3, 16, 16, 3), (2, 3, 16, 16, 3)])
def test_a_network_outside_the_graph(shape):
    seen = []

    def invert(levels):
        seen.append(levels.shape)
        return 255 - levels

    f_A = targets.ExternalNetwork(Network("double", "0" * 64, invert, batch=2))
    x = frames(*shape)
    y = tf.function(lambda x: f_A(x, training=False))(x)
    np.testing.assert_allclose(y, 1 - np.rint(x * 255) / 255, atol=1e-6)
    assert (
        y.shape == shape
        and {sizes[1:] for sizes in seen} == {(16, 16, 3)}
        and max(s[0] for s in seen) == 2
    )


def test_frames_are_resized_to_the_one_size_that_a_file_takes():
    f_A = targets.ExternalNetwork(
        Network("double", "0" * 64, lambda levels: levels, (8, 8), fixed_size=True)
    )
    grey = np.full((1, 16, 24, 3), 0.2, np.float32)
    np.testing.assert_allclose(
        f_A(grey), np.full_like(grey, 51 / 255), atol=1e-6
    )  # .2 is the grey level 51


def test_what_an_outside_network_does_wrong_is_one_line():
    f_A = targets.ExternalNetwork(Network("broken", "0" * 64, lambda levels: levels[:, 1:]))
    graph = tf.function(f_A)
    with pytest.raises(
        network.UnsafeOutputError, match=r"^broken made \(2, 7, 8, 3\) of \(2, 8, 8, 3\)\.$"
    ):
        with decode.clear_errors(network.UnsafeOutputError):
            graph(frames(2, 8, 8, 3))


def test_what_h264_leaves(tmp_path):
    # A clip is coded as a clip: the same bytes as writer and reader make of it, and closer to it with a smaller crf.
    x = np.cumsum(frames(1, 6, 32, 32, 3), axis=1) / 6
    y = tf.function(lambda x: targets.H264Anonymizer(lambda x, training: x, 23)(x))(x).numpy()
    levels = np.rint(x[0] * 255).astype(np.uint8)
    array_writer.write_video(tmp_path / "a.mp4", levels, crf=23)
    np.testing.assert_array_equal(
        np.rint(y[0] * 255), frame_reader.read_frames(str(tmp_path / "a.mp4"), range, 32, 32)
    )
    fine = targets.H264Anonymizer(lambda x, training: x, 5)(x)
    assert np.abs(fine - x).mean() < np.abs(y - x).mean() < 0.2
    image = targets.H264Anonymizer(lambda x, training: x, 5)(x[:, 0])
    assert image.shape == (1, 32, 32, 3) and np.abs(image - x[:, 0]).mean() < 0.1


def test_names():
    label, f_A, digest = targets.load_target("raw+h264", None, 23)
    assert label == "raw+h264" and isinstance(f_A, targets.H264Anonymizer) and digest == ""
    assert targets.load_target("f_A", lambda: ("mine", "ab"), 23) == ("f_A", "mine", "ab")
    with pytest.raises(
        ValueError, match="there is no file bluur, and: No anonymizers called 'bluur'"
    ):
        targets.load_target("bluur", None, 23)
