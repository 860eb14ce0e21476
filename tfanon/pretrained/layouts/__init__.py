"""One file per way in which published weights are named; a layout is added by adding its file."""

import importlib
import pkgutil


def find_layouts(network):
    """name -> layout of every file here that knows `network`.  Raises ValueError where none does."""
    modules = {
        entry.name: importlib.import_module(f"{__name__}.{entry.name}")
        for entry in pkgutil.iter_modules(__path__)
    }
    fitting = {
        name: module.LAYOUT for name, module in modules.items() if network in module.LAYOUT.networks
    }
    if not fitting:
        known = sorted({known for module in modules.values() for known in module.LAYOUT.networks})
        raise ValueError(
            f"No published weights are known for a network '{network}'; there are some for {', '.join(known)}."
        )
    return fitting
