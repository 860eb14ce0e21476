"""How far an exported file is from Keras on the same frames, each run by its own runtime."""

import pathlib
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfanon.exporting import saved_model, signatures
from tfanon.inference import loaders
from tfanon.inference.network import Network

ROUNDING_DIFFERENCE = 0.5 / 255  # added by rounding to uint8
MIN_JPEG_PSNR = 40.0  # dB; one grey level can move a JPEG coefficient by its whole step
MAX_PSNR = 200.0  # dB; stands in for the infinite PSNR of equal frames

Comparison = dict[str, Any]


class QualityError(ValueError):
    """An exported file is not good enough to be kept; the message says by how much."""


def load_exported(path: pathlib.Path, threads: int = 0) -> Network:
    """Load any exported file or folder in its own runtime.

    Args:
        path: A SavedModel folder, a .tflite or an .onnx file.
        threads: Number of threads; 0 leaves it to the runtime.
    """
    return loaders.load_network(str(path), threads=threads, accept_onnx=True)


def run_keras(f_A: keras.Model, levels: np.ndarray) -> np.ndarray:
    """Run f_A on the CPU, one example at a time.

    Args:
        f_A: The anonymizer.
        levels: uint8 frames `[n, H, W, 3]` or clips `[n, T, H, W, 3]`.

    Returns:
        Anonymized frames or clips, float32 in [0, 1], same shape.
    """
    # One by one, as the files are run.
    outputs = []
    with tf.device("/CPU:0"):  # a GPU would compute in TF32, which no file does
        for example in levels:
            output = f_A(example[None] / np.float32(255), training=False)
            outputs.append(keras.ops.convert_to_numpy(output))
    # Files clip their output too.
    return np.clip(np.concatenate(outputs), 0, 1)


def compare_saved_model(
    folder: pathlib.Path, f_A: keras.Model, levels: np.ndarray, tolerance: float
) -> dict[str, Comparison]:
    """Compare each signature of a SavedModel with Keras.

    Args:
        folder: Folder of the SavedModel.
        f_A: The anonymizer that it was written from.
        levels: uint8 frames `[n, H, W, 3]`.
        tolerance: Largest difference of a pixel, on [0, 1], rounding aside.

    Returns:
        A comparison per signature, by `saved_model:NAME`.

    Raises:
        QualityError: A signature differs by more.
    """
    # Loaded by TensorFlow alone, as a server does.
    loaded = tf.saved_model.load(str(folder)).signatures
    frames = run_keras(f_A, levels)
    # A network that looks beyond one frame treats a clip differently from single frames.
    clip = run_keras(f_A, levels[None])[0]
    values = levels / np.float32(255)
    comparisons = {}
    for signature, key, inputs, expected, rounding in (
        ("frames_uint8", "frames", levels, frames, ROUNDING_DIFFERENCE),
        ("frames_float", "frames", values, frames, 0),
        ("clip_uint8", "clips", levels[None], clip, ROUNDING_DIFFERENCE),
    ):
        name = f"{saved_model.SAVED_MODEL_FOLDER}:{signature}"
        with tf.device("/CPU:0"):
            output = loaded[signature](**{key: tf.constant(inputs)})["anonymized"].numpy()
        comparisons[name] = {
            **_describe_tensors(key, "anonymized", inputs),
            # A clip has one axis more than its frames.
            **compare_outputs(name, output.reshape(levels.shape), expected, tolerance + rounding),
        }
    name = f"{saved_model.SAVED_MODEL_FOLDER}:image_bytes"
    comparisons[name] = {
        "input": "image_bytes",
        "output": "anonymized_bytes",
        "shape": [len(levels)],
        "dtype": "string",
        **_compare_jpegs(name, loaded["image_bytes"], f_A, levels),
    }
    return comparisons


def compare_file(
    path: pathlib.Path,
    f_A: keras.Model,
    levels: np.ndarray,
    tolerance: float | None = None,
    psnr: float | None = None,
) -> dict[str, Comparison]:
    """Compare a TFLite or ONNX file with Keras.

    Args:
        path: The file.
        f_A: The anonymizer that it was written from.
        levels: uint8 frames `[n, H, W, 3]`.
        tolerance: Largest difference of a pixel, on [0, 1]; None: any.
        psnr: Smallest PSNR in dB; None: any.

    Returns:
        The comparison by the name of the file.

    Raises:
        QualityError: A bound is not met.
    """
    run = load_exported(path).run  # its own output, before Network rounds it to uint8
    output = np.concatenate([run(frame[None]) for frame in levels])
    comparison = compare_outputs(path.name, output, run_keras(f_A, levels), tolerance, psnr)
    return {path.name: {**_describe_tensors("frames", "anonymized", levels[:1]), **comparison}}


def compare_outputs(
    name: str,
    output: np.ndarray,
    expected: np.ndarray,
    largest: float | None = None,
    psnr: float | None = None,
) -> Comparison:
    """Compare two arrays of pixels.

    Args:
        name: What is compared, for the message.
        output: uint8, or floating point in [0, 1].
        expected: Floating point in [0, 1].
        largest: Largest difference that is allowed, on [0, 1]; None: any.
        psnr: Smallest PSNR that is allowed, in dB; None: any.

    Returns:
        Largest and mean absolute difference on [0, 1], PSNR in dB, and the bounds.

    Raises:
        QualityError: A bound is not met, or a difference is NaN.
    """
    values = output / 255 if output.dtype == np.uint8 else output.astype(np.float64)
    difference = np.abs(values - expected)
    comparison: Comparison = {
        "largest_difference": float(np.max(difference)),
        "mean_difference": float(np.mean(difference)),
        "psnr": _compute_psnr(difference),
    }
    # "not <=" instead of ">": NaN fails both bounds.
    if largest is not None and not comparison["largest_difference"] <= largest:
        raise QualityError(
            f"{name} differs from Keras by up to {comparison['largest_difference']:.3g} "
            f"(mean {comparison['mean_difference']:.3g}); {largest:.3g} is allowed"
        )
    if psnr is not None and not comparison["psnr"] >= psnr:
        raise QualityError(
            f"{name} has a PSNR of {comparison['psnr']:.1f} dB to Keras; {psnr:.1f} dB is the "
            "least allowed"
        )
    if largest is not None:
        comparison["allowed"] = largest
    if psnr is not None:
        comparison["least_psnr"] = psnr
    return comparison


def _compare_jpegs(name: str, signature: Any, f_A: keras.Model, levels: np.ndarray) -> Comparison:
    """Compare image_bytes with Keras between the same decoder and the same encoder."""
    images = _encode_jpegs(levels)
    # Keras gets the decoded JPEGs, not the frames, so that only the network is compared.
    expected = np.round(run_keras(f_A, _decode_jpegs(images)) * 255).astype(np.uint8)
    output = _decode_jpegs(signature(image_bytes=images)["anonymized_bytes"])
    expected_decoded = _decode_jpegs(_encode_jpegs(expected)) / 255
    return compare_outputs(name, output, expected_decoded, psnr=MIN_JPEG_PSNR)


def _encode_jpegs(levels: np.ndarray) -> tf.Tensor:
    quality = signatures.JPEG_QUALITY
    return tf.stack([tf.io.encode_jpeg(frame, quality=quality) for frame in levels])


def _decode_jpegs(images: tf.Tensor) -> np.ndarray:
    return np.stack([tf.io.decode_jpeg(image, channels=3) for image in images])


def _compute_psnr(difference: np.ndarray) -> float:
    """Return the PSNR in dB of differences on [0, 1], at most MAX_PSNR; NaN if one is NaN."""
    mean_square = float(np.mean(np.square(difference)))
    # Equal frames have an infinite PSNR, which JSON cannot store.
    if mean_square < 10 ** (-MAX_PSNR / 10):
        return MAX_PSNR
    return float(-10 * np.log10(mean_square))


def _describe_tensors(input_name: str, output_name: str, value: np.ndarray) -> Comparison:
    """Return names, shape and dtype as export.json records them."""
    return {
        "input": input_name,
        "output": output_name,
        "shape": list(value.shape),
        "dtype": value.dtype.name,
    }
