"""Train, evaluate and ship video anonymizers (arXiv 2504.14301, and past it).

`tfanon.Anonymizer` anonymizes frames from Python; everything else is a command
(`python -m tfanon.train`, `tfanon-anonymize`, ...) or lies in a folder of the package.
"""

from typing import Any

from tfanon.core import keras_setup, processes, startup

__version__ = "0.1.0"

startup.open_standard_streams()  # first: the next open file would take a closed one's number
startup.prepare_tensorflow()
keras_setup.prepare_keras_import()
processes.limit_threads()


def __getattr__(name: str) -> Any:
    """Import `tfanon.Anonymizer` on first use, so that `import tfanon` stays cheap."""
    if name == "Anonymizer":
        from tfanon.inference.anonymizer import Anonymizer

        return Anonymizer
    raise AttributeError(f"module 'tfanon' has no attribute '{name}'")
