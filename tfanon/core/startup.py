"""Before TensorFlow is imported: its environment variables, and what its start-up log shows.

This runs while `tfanon` itself is imported, so every command, tool and worker process gets it
without doing anything. Nothing here imports TensorFlow.
"""

import contextlib
import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence

from tfanon.core import import_hook

# Presence of one of these means that the driver of an NVIDIA GPU is loaded (the last one: WSL).
GPU_DEVICES = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg")
VERBOSITY = re.compile(r"--?(?:verbosity|v)=(-?\d+)")
# Folders of packages that log progress at INFO, such as "Assets written to" and "fingerprint".
CHATTY_PACKAGES = re.compile(r"[/\\](?:tensorflow|keras|tf2onnx|jax)[/\\]")
# Lines that TensorFlow writes while it is imported, whatever TF_CPP_MIN_LOG_LEVEL says: its log is
# not initialized yet. The last group are errors about CUDA on a machine without a GPU.
IMPORT_NOISE = re.compile(
    rb"All log messages before absl::InitializeLog"
    rb"|oneDNN custom operations are on"
    rb"|To enable the following instructions"
    rb"|rebuild TensorFlow with the appropriate compiler flags"
    rb"|binary is optimized to use available CPU instructions"
    rb"|Could not find (?:cuda drivers|TensorRT)"
    rb"|Unable to register cu(?:FFT|DNN|BLAS) factory"
    rb"|computation placer already registered"
)


def open_standard_streams() -> None:
    """Open the null device for each standard stream that this process was started without.

    Otherwise the next file that is opened would get its number, and the error messages of some
    library. Call it before anything else is opened.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one


def prepare_tensorflow() -> None:
    """Set the variables that TensorFlow reads while it is imported; those of the user are kept.

    Without a GPU even its errors are start-up noise (a CUDA library without a device, oneDNN
    kernels that the processor lacks); what really fails is raised as a Python exception anyway.
    `--verbosity=1` on the command line shows everything.
    """
    # TensorFlow enables oneDNN by itself only with AVX-512; with AVX2 the compact f_A trains 2.4
    # times faster with it.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    # The command line wins over the environment.
    if is_verbose(sys.argv):
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "0"
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2" if has_gpu() else "3")
    if "tensorflow" in sys.modules:
        _quiet_python_loggers()
    import_hook.surround_import("tensorflow", _import_quietly)


def has_gpu() -> bool:
    """Return whether the driver of an NVIDIA GPU is loaded, by its device files, without CUDA."""
    return any(os.path.exists(path) for path in GPU_DEVICES)


def is_verbose(arguments: Sequence[str]) -> bool:
    """Return whether a command line requests debug output: `--verbosity=1` or more.

    Args:
        arguments: `sys.argv`; flags have not been parsed when TensorFlow is imported.
    """
    levels = [VERBOSITY.fullmatch(argument) for argument in arguments]
    return any(level is not None and int(level[1]) > 0 for level in levels)


@contextlib.contextmanager
def hide_import_noise() -> Iterator[None]:
    """Drop the lines of IMPORT_NOISE that the block writes to standard error; others follow it.

    The file descriptor is redirected, since the lines come from C++.
    """
    try:
        shown = os.dup(2)
    except OSError:  # closed: nothing is shown anyway
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(shown, 2)
            os.close(shown)
            held.seek(0)
            # Written even if the import failed: the lines may say why.
            lines = held.read().splitlines(keepends=True)
            os.write(2, b"".join(line for line in lines if not IMPORT_NOISE.search(line)))


@contextlib.contextmanager
def _import_quietly() -> Iterator[None]:
    """Hide what TensorFlow writes while it is imported and what its loggers show afterwards."""
    with hide_import_noise():
        yield
    _quiet_python_loggers()


def _quiet_python_loggers() -> None:
    """Hide what TensorFlow's Python code logs below WARNING."""
    # TensorFlow imports it too; up here it would slow down every `import tfanon`.
    from absl import logging as absl_logging

    # Keras logs through absl's logger, TensorFlow through both.
    for logger in (absl_logging.get_absl_logger(), logging.getLogger("tensorflow")):
        if not any(isinstance(installed, _QuietTensorFlow) for installed in logger.filters):
            logger.addFilter(_QuietTensorFlow())


class _QuietTensorFlow(logging.Filter):
    """Drops what TensorFlow and its companions log below WARNING; our own lines pass."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is shown."""
        if record.levelno >= logging.WARNING:
            return True
        return not CHATTY_PACKAGES.search(record.pathname)
