"""A block of code around the first import of a module, by whichever module it is imported."""

import contextlib
import importlib.abc
import importlib.util
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

# Makes the context manager inside which a module is executed.
MakeContext = Callable[[], contextlib.AbstractContextManager[None]]


def surround_import(name: str, make_context: MakeContext) -> None:
    """Execute a module inside a context manager when it is first imported.

    Does nothing if the module has been imported, or if this was called for it before.

    Args:
        name: Name of a top-level module.
        make_context: Returns the context manager.
    """
    finders = [finder for finder in sys.meta_path if isinstance(finder, _SurroundingFinder)]
    prepared = any(finder.name == name for finder in finders)
    if name not in sys.modules and not prepared:
        # First: after Python's own finders this one would never be called.
        sys.meta_path.insert(0, _SurroundingFinder(name, make_context))


class _SurroundingFinder(importlib.abc.MetaPathFinder):
    """Finds a module where Python would, and has it executed inside a context manager."""

    def __init__(self, name: str, make_context: MakeContext) -> None:
        self.name = name
        self.make_context = make_context
        self.searching = False

    def find_spec(
        self, fullname: str, path: Any = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Called by Python for each module that is imported."""
        if fullname != self.name or self.searching:
            return None
        # find_spec calls every finder again, this one included.
        self.searching = True
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self.searching = False
        if spec is not None and spec.loader is not None:
            self._surround(spec.loader)
        return spec

    def _surround(self, loader: Any) -> None:
        exec_module = loader.exec_module

        def exec_inside(module: ModuleType) -> None:
            with self.make_context():
                exec_module(module)

        loader.exec_module = exec_inside
