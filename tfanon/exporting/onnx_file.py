"""f_A as an ONNX file, for those who run ONNX Runtime; needs the extra `onnx`."""

import importlib.util

import numpy as np

from tfanon.core import files
from tfanon.inference.network import Network

NAME = "anonymizer.onnx"
OPSET = 17


def check():
    """Raises ValueError where the extra is not installed: what writes such a file, and what runs it for the proof."""
    if missing := [
        name for name in ("tf2onnx", "onnxruntime") if importlib.util.find_spec(name) is None
    ]:
        raise ValueError(
            f"ONNX needs the extra `onnx`: pip install 'tfanon[onnx]' ({', '.join(missing)} not found)."
        )


def write(module, path, fixed=False):
    """Write a signatures.Anonymizer: `frames` [N, H, W, 3] float32 in [0, 1] -> `anonymized`, the same shape."""
    import tensorflow as tf  # not to run such a file, and its memory is measured
    import tf2onnx

    spec = [
        tf.TensorSpec(
            [None, *(module.size if fixed else (None, None)), 3], tf.float32, name="frames"
        )
    ]
    concrete = module.concrete("frames", spec[0].shape, tf.float32)
    tf2onnx.convert.from_function(
        tf.function(concrete, input_signature=spec, autograph=False),
        spec,
        opset=OPSET,
        output_path=str(path),
    )


def load(path, threads=0):
    """The Network of such a file.  threads: 0 leaves their number to ONNX Runtime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    height, width = session.get_inputs()[0].shape[1:3]
    fixed = isinstance(height, int)

    def run(frames):
        return session.run(["anonymized"], {"frames": frames / np.float32(255)})[0]

    return Network(
        path.name,
        files.compute_sha256(path),
        run,
        (height, width) if fixed else None,
        fixed_size=fixed,
    )
