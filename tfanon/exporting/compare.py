"""How far a file is from Keras on the same frames, each run by its own runtime."""

import keras
import numpy as np
import tensorflow as tf

from tfanon.exporting import onnx_file, saved_model, signatures
from tfanon.inference import network

HALF_LEVEL = 0.5 / 255  # what rounding to uint8 may add
JPEG_PSNR = 40.0  # one level of difference can move a coefficient of a JPEG by its whole step
SAME = 200.0  # dB: no PSNR is given as larger, since that of equal frames is infinite


class Refused(ValueError):
    """A file is too far from Keras to be kept; the message says how far."""


def load(path, threads=0):
    """The anonymizing.network.Network of any exported file or folder."""
    return (
        onnx_file.load(path, threads)
        if path.name == onnx_file.NAME
        else network.load_network(str(path), threads=threads)
    )


def answer_of_keras(f_A, levels):
    """f_A of uint8 [n, H, W, 3], or of clips [n, T, H, W, 3], one by one, as float32 in [0, 1]."""
    with tf.device("/CPU:0"):  # a GPU's TF32 would be compared, not the file
        answer = [f_A(frame[None] / np.float32(255), training=False) for frame in levels]
    return np.clip(np.concatenate([keras.ops.convert_to_numpy(frame) for frame in answer]), 0, 1)


def saved_model_files(folder, f_A, levels, tolerance):
    """{"saved_model:NAME": comparison} of each signature of the SavedModel in `folder`.  Raises Refused."""
    found, loaded = {}, tf.saved_model.load(str(folder)).signatures
    frames, values = answer_of_keras(f_A, levels), levels / np.float32(255)
    clip = answer_of_keras(f_A, levels[None])[
        0
    ]  # of a network that looks beyond a frame it is another one
    for signature, key, given, expected, rounding in (
        ("frames_uint8", "frames", levels, frames, HALF_LEVEL),
        ("frames_float", "frames", values, frames, 0),
        ("clip_uint8", "clips", levels[None], clip, HALF_LEVEL),
    ):
        name = f"{saved_model.NAME}:{signature}"
        with tf.device("/CPU:0"):
            answer = (
                loaded[signature](**{key: tf.constant(given)})["anonymized"]
                .numpy()
                .reshape(levels.shape)
            )
        found[name] = {
            **_about(key, "anonymized", given),
            **compare(name, answer, expected, tolerance + rounding),
        }
    name = f"{saved_model.NAME}:image_bytes"
    return found | {
        name: {
            "input": "image_bytes",
            "output": "anonymized_bytes",
            "shape": [len(levels)],
            "dtype": "string",
            **_compare_jpeg(name, loaded["image_bytes"], f_A, levels),
        }
    }


def file(path, f_A, levels, tolerance=None, psnr=None):
    """{name: comparison} of a TFLite or ONNX file.  Raises Refused beyond the tolerance or below the PSNR."""
    run = load(path).run  # before rounding, where the file does not round
    answer = np.concatenate([run(frame[None]) for frame in levels])
    return {
        path.name: {
            **_about("frames", "anonymized", levels[:1]),
            **compare(path.name, answer, answer_of_keras(f_A, levels), tolerance, psnr),
        }
    }


def compare(name, answer, expected, largest=None, psnr=None):
    """Largest and mean absolute difference on [0, 1], and PSNR in dB.

    answer: uint8, or float in [0, 1].  largest: the difference that is allowed.  psnr: the least that is.
    Raises Refused where one of them is not met, and where a difference is NaN.
    """
    answer = answer / 255 if answer.dtype == np.uint8 else answer.astype(np.float64)
    difference = np.abs(answer - expected)
    found = {
        "largest_difference": float(np.max(difference)),
        "mean_difference": float(np.mean(difference)),
        "psnr": _psnr(difference),
    }
    if largest is not None and not found["largest_difference"] <= largest:
        raise Refused(
            f"{name} differs from Keras by up to {found['largest_difference']:.3g} "
            f"(mean {found['mean_difference']:.3g}); {largest:.3g} is allowed"
        )
    if psnr is not None and not found["psnr"] >= psnr:
        raise Refused(
            f"{name} has a PSNR of {found['psnr']:.1f} dB to Keras; {psnr:.1f} dB is the least allowed"
        )
    return found | {
        name: value
        for name, value in (("allowed", largest), ("least_psnr", psnr))
        if value is not None
    }


def _compare_jpeg(name, signature, f_A, levels):
    """image_bytes, and Keras between the same decoder and the same encoder."""
    given = _encoded(levels)
    expected = np.round(answer_of_keras(f_A, _decoded(given)) * 255).astype(np.uint8)
    answer = signature(image_bytes=given)["anonymized_bytes"]
    return compare(name, _decoded(answer), _decoded(_encoded(expected)) / 255, psnr=JPEG_PSNR)


def _encoded(levels):
    return tf.stack([tf.io.encode_jpeg(frame, quality=signatures.JPEG_QUALITY) for frame in levels])


def _decoded(images):
    return np.stack([tf.io.decode_jpeg(image, channels=3) for image in images])


def _psnr(difference):
    """dB, of values in [0, 1]; NaN where one is."""
    mean_square = float(np.mean(np.square(difference)))
    return SAME if mean_square < 10 ** (-SAME / 10) else float(-10 * np.log10(mean_square))


def _about(given, answer, value):
    return {"input": given, "output": answer, "shape": list(value.shape), "dtype": value.dtype.name}
