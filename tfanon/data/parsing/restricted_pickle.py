"""Arrays of whole numbers out of a pickle, without running anything that the pickle names."""

import os
import pickle

import numpy as np

from tfanon.data.parsing import text_lists

BROKEN = (
    pickle.UnpicklingError,
    AttributeError,
    EOFError,
    IndexError,
    KeyError,
    MemoryError,
    OverflowError,
    TypeError,
    ValueError,
)


def read(path):
    """{text: array of whole numbers, flat} of a pickled dict.  Raises ValueError for anything else."""
    if os.path.getsize(path) > text_lists.LARGEST:
        raise ValueError(
            f"{path} has more than {text_lists.LARGEST} bytes: it is no list of labels."
        )
    try:
        with open(path, "rb") as file:
            return {str(name): array.numbers() for name, array in _Plain(file).load().items()}
    except BROKEN as error:
        raise ValueError(
            f"{path} is no pickle of names and arrays of whole numbers: {error}."
        ) from None


class _Plain(pickle.Unpickler):
    """Dicts, texts and numbers. What numpy's arrays are made by is replaced by what only keeps the bytes."""

    def find_class(self, module, name):
        known = {
            "_reconstruct": lambda *_: _Array(),
            "_frombuffer": _from_buffer,
            "ndarray": _Array,
            "dtype": _Type,
        }
        if module.split(".")[0] == "numpy" and name in known:
            return known[name]
        if (module, name) in (
            ("_codecs", "encode"),
            ("__builtin__", "bytes"),
            ("builtins", "bytes"),
        ):
            return lambda text="", encoding=None: text.encode(
                "latin1"
            )  # how old protocols write bytes
        raise pickle.UnpicklingError(f"it names {module}.{name}")


class _Type:
    """A numpy dtype, by its code; its state tells the order of the bytes."""

    def __init__(self, code, *_):
        if code not in ("i8", "i4", "u1", "i1"):
            raise pickle.UnpicklingError(f"numbers of the type {code!r}")
        self.code = f"<{code}"

    def __setstate__(self, state):
        self.code = (">" if state[1] == ">" else "<") + self.code[1:]


class _Array:
    """A numpy array, by its type and its bytes."""

    def __setstate__(self, state):
        _, _, self.type, _, self.raw = state

    def numbers(self):
        return np.frombuffer(self.raw, self.type.code)


def _from_buffer(raw, dtype, *_):
    array = _Array()
    array.type, array.raw = dtype, raw
    return array
