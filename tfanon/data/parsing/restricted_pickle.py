"""Arrays of whole numbers out of a pickle, without running anything that the pickle names."""

import os
import pickle

import numpy as np

from tfanon.data.parsing import text_lists

PICKLE_ERRORS = (
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


def read_integer_arrays(path):
    """{text: array of whole numbers, flat} of a pickled dict.  Raises ValueError for anything else."""
    if os.path.getsize(path) > text_lists.MAX_LIST_BYTES:
        raise ValueError(
            f"{path} has more than {text_lists.MAX_LIST_BYTES} bytes: it is no list of labels."
        )
    try:
        with open(path, "rb") as file:
            return {
                str(name): array.numbers()
                for name, array in _RestrictedUnpickler(file).load().items()
            }
    except PICKLE_ERRORS as error:
        raise ValueError(
            f"{path} is no pickle of names and arrays of whole numbers: {error}."
        ) from None


class _RestrictedUnpickler(pickle.Unpickler):
    """Dicts, texts and numbers. What numpy's arrays are made by is replaced by what only keeps the bytes."""

    def find_class(self, module, name):
        known = {
            "_reconstruct": lambda *_: _ArrayStub(),
            "_frombuffer": _make_array,
            "ndarray": _ArrayStub,
            "dtype": _DtypeStub,
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


class _DtypeStub:
    """A numpy dtype, by its code; its state tells the order of the bytes."""

    def __init__(self, code, *_):
        if code not in ("i8", "i4", "u1", "i1"):
            raise pickle.UnpicklingError(f"numbers of the type {code!r}")
        self.code = f"<{code}"

    def __setstate__(self, state):
        self.code = (">" if state[1] == ">" else "<") + self.code[1:]


class _ArrayStub:
    """A numpy array, by its type and its bytes."""

    def __setstate__(self, state):
        _, _, self.type, _, self.raw = state

    def numbers(self):
        return np.frombuffer(self.raw, self.type.code)


def _make_array(raw, dtype, *_):
    array = _ArrayStub()
    array.type, array.raw = dtype, raw
    return array
