"""One file per way of naming published weights; adding a file adds a layout."""

import importlib
import pkgutil

from tfanon.pretrained.layout import Layout


def find_layouts(network: str) -> dict[str, Layout]:
    """Find all layouts that apply to a network.

    Args:
        network: Name of one of our networks.

    Returns:
        Layouts by the name of their file.

    Raises:
        ValueError: There is none.
    """
    layouts: dict[str, Layout] = {}
    for entry in pkgutil.iter_modules(__path__):
        # The name of a file is the name of its layout.
        module = importlib.import_module(f"{__name__}.{entry.name}")
        layouts[entry.name] = module.LAYOUT
    matching = {name: layout for name, layout in layouts.items() if network in layout.networks}
    if not matching:
        supported: set[str] = set()
        for layout in layouts.values():
            supported.update(layout.networks)
        raise ValueError(
            f"No layout of published weights fits the network '{network}'; supported networks: "
            f"{', '.join(sorted(supported))}."
        )
    return matching
