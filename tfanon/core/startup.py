"""What happens before TensorFlow is imported: its switches and how much of its start-up log is shown.

This runs while `tfanon` itself is imported, so every command, tool and worker process gets it
without doing anything. Nothing here imports TensorFlow.
"""

import logging
import os
import re
import sys
from collections.abc import Sequence

# Presence of one of these means that the driver of an NVIDIA GPU is loaded (the last one: WSL).
GPU_DEVICES = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg")
VERBOSITY = re.compile(r"--?(?:verbosity|v)=(-?\d+)")
# Folders of packages that log progress at INFO, such as "Assets written to" and "fingerprint".
CHATTY_PACKAGES = re.compile(r"[/\\](?:tensorflow|keras|tf2onnx|jax)[/\\]")


def prepare_tensorflow() -> None:
    """Set the switches that TensorFlow reads while it is imported; variables that are set stay.

    Without a GPU even its errors are start-up noise (a CUDA library without a device, oneDNN
    kernels that the processor lacks); what really fails is raised as a Python exception anyway.
    `--verbosity=1` on the command line shows everything.
    """
    # TensorFlow enables oneDNN by itself only with AVX-512; with AVX2 the compact f_A trains 2.4
    # times faster with it.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    if is_verbose(sys.argv):
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "0"
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2" if has_gpu() else "3")
    quiet = _QuietTensorFlow()
    for name in ("absl", "tensorflow"):
        logger = logging.getLogger(name)
        if not any(isinstance(installed, _QuietTensorFlow) for installed in logger.filters):
            logger.addFilter(quiet)


def has_gpu() -> bool:
    """Whether the driver of an NVIDIA GPU is loaded; asks the file system, not CUDA."""
    return any(os.path.exists(path) for path in GPU_DEVICES)


def is_verbose(arguments: Sequence[str]) -> bool:
    """Whether a command line asks for debug output: `--verbosity=1` or more.

    Args:
        arguments: `sys.argv`; flags have not been parsed when TensorFlow is imported.
    """
    levels = [VERBOSITY.fullmatch(argument) for argument in arguments]
    return any(level is not None and int(level[1]) > 0 for level in levels)


class _QuietTensorFlow(logging.Filter):
    """Drops what TensorFlow and its companions log below WARNING; our own lines pass."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno >= logging.WARNING:
            return True
        return not CHATTY_PACKAGES.search(record.pathname)
