"""An anonymizer as an ONNX file; needs the extra `onnx`."""

import importlib.util
import pathlib

import tensorflow as tf

from tfanon.exporting.signatures import ServingModule

ONNX_FILE = "anonymizer.onnx"
OPSET = 17


def check_onnx_packages() -> None:
    """Refuse to start without the packages that write such a file and run it for the comparison.

    Raises:
        ValueError: A package is not installed.
    """
    packages = ("tf2onnx", "onnxruntime")
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        raise ValueError(
            "ONNX needs the extra `onnx`: pip install 'tfanon[onnx]' "
            f"({', '.join(missing)} not found)."
        )


def write_onnx(module: ServingModule, path: pathlib.Path, fixed: bool = False) -> None:
    """Write `frames` `[N, H, W, 3]`, float32 in [0, 1], to `anonymized` of the same shape.

    Args:
        module: The anonymizer with its signatures.
        path: File to write.
        fixed: Accept the module's H x W only.
    """
    import tf2onnx

    size = module.size if fixed else (None, None)
    spec = [tf.TensorSpec([None, *size, 3], tf.float32, name="frames")]
    concrete = module.make_concrete_function("frames", spec[0].shape, tf.float32)
    function = tf.function(concrete, input_signature=spec, autograph=False)
    tf2onnx.convert.from_function(function, spec, opset=OPSET, output_path=str(path))
