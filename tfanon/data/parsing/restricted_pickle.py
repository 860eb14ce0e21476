"""Reads integer arrays from a pickle without executing anything that the pickle names.

The authors of the VP data sets distribute their labels as pickles, which may run any code when they
are loaded by `pickle.load`.
"""

import os
import pickle
from typing import Any

import numpy as np

from tfanon.data.parsing import text_lists

# What numpy writes for int64, int32, uint8 and int8; the published labels are int64.
INTEGER_CODES = ("i8", "i4", "u1", "i1")  # of the numpy dtypes that are read
# What a damaged or hostile file may raise in the unpickler and in the stand-ins below.
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


def read_integer_arrays(path: str) -> dict[str, np.ndarray]:
    """Read a pickled dictionary of integer arrays.

    Args:
        path: The pickle, of any protocol.

    Returns:
        Flat integer arrays by name.

    Raises:
        ValueError: The file is too large or holds anything else.
    """
    # Before it is unpickled into memory.
    if os.path.getsize(path) > text_lists.MAX_LIST_BYTES:
        raise ValueError(
            f"{path} is too large for a list of labels: more than {text_lists.MAX_LIST_BYTES} "
            "bytes."
        )
    try:
        with open(path, "rb") as file:
            stubs = _RestrictedUnpickler(file).load()
        return {str(name): stub.to_numpy() for name, stub in stubs.items()}
    except PICKLE_ERRORS as error:
        raise ValueError(f"{path} is not a pickle of names and integer arrays: {error}.") from None


class _DtypeStub:
    """Stands for a numpy dtype: its code, and the byte order from its state."""

    def __init__(self, code: str, *_: object) -> None:
        if code not in INTEGER_CODES:
            raise pickle.UnpicklingError(f"it holds numbers of the type {code!r}")
        self.code = f"<{code}"

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        # "|" marks types of one byte; everything but ">" is read as little-endian.
        byte_order = ">" if state[1] == ">" else "<"
        self.code = byte_order + self.code[1:]


class _ArrayStub:
    """Stands for a numpy array: its dtype and its bytes."""

    dtype: _DtypeStub
    content: bytes

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        # numpy's state: version, shape, dtype, is Fortran order, bytes.
        _, _, self.dtype, _, self.content = state

    def to_numpy(self) -> np.ndarray:
        """Return the numbers as a flat array."""
        return np.frombuffer(self.content, self.dtype.code)


def _reconstruct_array(*_: object) -> _ArrayStub:
    """Stand for numpy's `_reconstruct`; the state follows in the pickle."""
    return _ArrayStub()


def _make_array(content: bytes, dtype: _DtypeStub, *_: object) -> _ArrayStub:
    """Stand for numpy's `_frombuffer`, which protocol 5 uses."""
    array = _ArrayStub()
    array.dtype, array.content = dtype, content
    return array


def _encode_latin1(text: str = "", encoding: str | None = None) -> bytes:
    """Stand for `codecs.encode`: old protocols write bytes as a text and its encoding."""
    return text.encode("latin1")


_NUMPY_STUBS = {
    "_reconstruct": _reconstruct_array,
    "_frombuffer": _make_array,
    "ndarray": _ArrayStub,
    "dtype": _DtypeStub,
}
_BYTES_NAMES = (("_codecs", "encode"), ("__builtin__", "bytes"), ("builtins", "bytes"))


class _RestrictedUnpickler(pickle.Unpickler):
    """Loads dictionaries, texts and numbers; numpy's arrays become stubs that keep the bytes."""

    def find_class(self, module: str, name: str) -> Any:
        """Return the stub for a global that the pickle names; refuse all others."""
        # numpy.core became numpy._core in version 2.
        if module.split(".", maxsplit=1)[0] == "numpy" and name in _NUMPY_STUBS:
            return _NUMPY_STUBS[name]
        if (module, name) in _BYTES_NAMES:
            return _encode_latin1
        raise pickle.UnpicklingError(f"it names {module}.{name}")
