"""f_A under 8-bit rounding: as the TFLite file rounds, and better once it is fine-tuned."""

import keras
import numpy as np
import pytest

from tfanon.exporting import aware, compare, exporter, tflite
from tfanon.models import layers, per_frame

LOUD = 30.0  # times as large as the others is one channel, so that their steps are too coarse


def network(loud=1.0):
    """A small f_A with a sum in it; one of its channels is `loud`, and is weighed the less after it."""
    keras.utils.set_random_seed(3)
    frames = keras.Input((None, None, 3))
    x = layers.conv2d_bn(layers.make_imagenet_normalization()(frames), 8, name="first")
    y = keras.layers.Add()([x, layers.conv2d_bn(x, 8, relu=False, name="second")])
    x = layers.conv2d(keras.layers.ReLU()(y), 3, use_bias=True, name="head")
    f_A = per_frame.PerFrame(
        keras.Model(frames, keras.layers.Activation("sigmoid", name="output")(x), name="small")
    )
    if loud > 1:
        gain = np.ones(8, np.float32)
        gain[0] = loud
        for name in ("first_bn", "second_bn"):
            f_A.network.get_layer(name).gamma.assign(gain)
        for name in ("second", "head"):
            kernel = f_A.network.get_layer(name).kernel
            kernel.assign(np.array(kernel) / gain[:, None])
    return f_A


@pytest.fixture(scope="module")
def frames():
    """Random ramps, float32 [24, 16, 16, 3]."""
    ends = np.random.default_rng(0).random((24, 2, 1, 1, 3), np.float32)
    return (
        ends[:, 0] + (ends[:, 1] - ends[:, 0]) * np.linspace(0, 1, 16, dtype=np.float32)[:, None]
    ) * np.ones((16, 1, 1), np.float32)


def answer_of_the_file(f_A, frames, folder):
    path = folder / "anonymizer_int8.tflite"
    path.write_bytes(tflite.convert(f_A, frames.shape[1:3], "int8", frames))
    levels = np.round(frames * 255).astype(np.uint8)
    return np.concatenate([compare.load(path).run(frame[None]) for frame in levels]), levels


def psnr(one, other):
    return float(-10 * np.log10(np.mean(np.square(one - other))))


@pytest.mark.parametrize("loud", [1.0, LOUD])
def test_rounding_stands_in_for_the_file(frames, tmp_path, loud):
    f_A = network(loud)
    file, levels = answer_of_the_file(f_A, frames, tmp_path)
    plain = compare.answer_of_keras(f_A, levels)
    simulated = np.array(
        aware.answer(aware.with_rounding(f_A.network, frames), levels / np.float32(255))
    )
    # As far from Keras as the file is, to 3 dB.
    assert psnr(simulated, plain) == pytest.approx(psnr(file, plain), abs=3)


def test_fine_tuning_brings_a_file_back(frames, tmp_path):
    f_A = network(LOUD)
    before = f_A.get_weights()
    tuned = aware.fine_tuned(f_A, frames, steps=150, rate=3e-3)
    assert all(
        np.array_equal(one, other) for one, other in zip(before, f_A.get_weights(), strict=True)
    )
    (first, levels), (second, _) = (
        answer_of_the_file(net, frames, tmp_path) for net in (f_A, tuned)
    )
    plain = compare.answer_of_keras(f_A, levels)
    assert psnr(second, plain) > psnr(first, plain) + 2


def test_a_file_that_would_be_refused_is_fine_tuned_once(frames, tmp_path, monkeypatch):
    made = []

    def fine_tuned(f_A, seen, steps):
        made.append((len(seen), steps))
        return network()

    monkeypatch.setattr(aware, "fine_tuned", fine_tuned)
    # The loud network computes what the plain one computes, and only the plain one's file is near it.
    given = dict(formats=("tflite",), quantize=("int8",), representative=frames, psnr=35.0)
    record = exporter.export(network(LOUD), tmp_path / "none", frames, **given)
    assert (
        "has a PSNR of" in record["refused"]["anonymizer_int8.tflite"]
        and not made
        and not record["fine_tuned"]
    )
    record = exporter.export(network(LOUD), tmp_path / "some", frames, **given, aware_steps=7)
    assert (
        made == [(24, 7)]
        and not record["refused"]
        and (tmp_path / "some/anonymizer_int8.tflite").exists()
    )
    assert "35.0 dB is the least allowed" in record["fine_tuned"]["anonymizer_int8.tflite"]
