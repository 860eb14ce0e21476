"""A name is a file name: find("anonymizers", "unetpp") is the module tfanon/models/anonymizers/unetpp.py."""

import importlib
import pkgutil

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


def list_names(kind):
    """The choices of a kind, in alphabetical order."""
    folder = importlib.import_module(PACKAGES[kind])
    return sorted(
        module.name for module in pkgutil.iter_modules(folder.__path__) if module.name[0] != "_"
    )


def check_name(kind, name):
    """Raises ValueError that shows the folder where no choice is called that; what it needs is not imported."""
    if name not in list_names(kind):
        path = PACKAGES[kind].replace(".", "/")
        raise ValueError(f"No {kind} called '{name}'. {path}/ has: {', '.join(list_names(kind))}.")


def load_module(kind, name):
    """The module that holds a choice.

    kind: a key of FOLDERS.  name: a file of that folder, without `.py`.
    Raises ValueError that shows the folder where there is no such file.
    """
    check_name(kind, name)
    return importlib.import_module(f"{PACKAGES[kind]}.{name}")
