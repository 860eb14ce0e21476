"""Finds networks, data sets, attacks and the like by name: the name of a component is a file name.

`load_module("anonymizers", "unetpp")` is the module tfanon/models/anonymizers/unetpp.py. A new
component is added by adding its file.
"""

import importlib
import pkgutil
from types import ModuleType

PACKAGES = {
    "anonymizers": "tfanon.models.anonymizers",
    "actions": "tfanon.models.actions",
    "privacy": "tfanon.models.privacy",
    "regions": "tfanon.models.regions",
    "objectives": "tfanon.training.objectives",
    "sources": "tfanon.data.sources",
    "builders": "tfanon.data.builders",
    "attackers": "tfanon.attacks",
    "protocols": "tfanon.attacks.protocols",
}


def list_names(kind: str) -> list[str]:
    """Return the names of all components of a kind in alphabetical order.

    Args:
        kind: A key of ``PACKAGES``.
    """
    package = importlib.import_module(PACKAGES[kind])
    names = []
    for module in pkgutil.iter_modules(package.__path__):
        # Folders, such as attacks/common, hold what the components share.
        if not module.ispkg and not module.name.startswith("_"):
            names.append(module.name)
    return sorted(names)


def check_name(kind: str, name: str) -> None:
    """Check that a component exists, without importing it and the packages that it needs.

    Args:
        kind: A key of ``PACKAGES``.
        name: Name of the component.

    Raises:
        ValueError: There is none of this name; the message lists all names.
    """
    names = list_names(kind)
    if name not in names:
        folder = PACKAGES[kind].replace(".", "/")
        raise ValueError(f"No {kind} called '{name}'. {folder}/ has: {', '.join(names)}.")


def load_module(kind: str, name: str) -> ModuleType:
    """Import the module of a component.

    Args:
        kind: A key of ``PACKAGES``.
        name: Name of the component.

    Raises:
        ValueError: There is none of this name; the message lists all names.
    """
    # An ImportError would not distinguish a misspelled name from a missing package.
    check_name(kind, name)
    return importlib.import_module(f"{PACKAGES[kind]}.{name}")
