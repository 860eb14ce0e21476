"""Anonymizers in ONNX files, as the exporter writes them, on ONNX Runtime (extra `onnx`)."""

import pathlib

import numpy as np

from tfanon.core import files
from tfanon.inference.network import Network

INPUT, OUTPUT = "frames", "anonymized"


def load_onnx(path: pathlib.Path, threads: int = 0) -> Network:
    """Load an exported ONNX file: `frames` float32 `[N, H, W, 3]` in [0, 1] to `anonymized`.

    Args:
        path: The file.
        threads: Threads of one operation; 0 leaves the number to ONNX Runtime.

    Returns:
        The network. Its output is float32: nothing is rounded before `Network` does.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    height, width = session.get_inputs()[0].shape[1:3]
    # A side that is open has a name instead of a number.
    fixed_size = isinstance(height, int)

    def run(frames: np.ndarray) -> np.ndarray:
        return session.run([OUTPUT], {INPUT: frames / np.float32(255)})[0]

    return Network(
        name=path.name,
        sha256=files.compute_sha256(path),
        run=run,
        size=(height, width) if fixed_size else None,
        fixed_size=fixed_size,
    )
