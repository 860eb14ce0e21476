"""Read component specs: the name of a component with its options, such as `downsample:factor=2`.

    name                        the component with its default options
    name:key=value              with an option
    name:key=value;key=value    with several (quote it in a shell)

Specs contain no commas, which separate the specs of one flag. Options are the keyword arguments of
the component's build(), or of an attacker's attack(), and have the types of their defaults. A value
that names another component may itself be a spec with one option:
`blur:regions=boxes:file=door.json`.
"""

import inspect
import re
import zlib
from collections.abc import Callable
from typing import Any

from tfanon.core import registry

TYPE_NAMES = {int: "a whole number", float: "a number", str: "a word"}


def build_component(kind: str, spec: str) -> Any:
    """Build a component with its options.

    Args:
        kind: A key of registry.PACKAGES.
        spec: Name and options.

    Returns:
        What the build() of the component's file returns.

    Raises:
        ValueError: There is no such component or option, a value has the wrong type, or build()
            refuses it.
    """
    name, options = parse_spec(kind, spec)
    return registry.load_module(kind, name).build(**options)


def parse_spec(kind: str, spec: str, function: str = "build") -> tuple[str, dict[str, Any]]:
    """Split a spec into the component's name and its options.

    Args:
        kind: A key of registry.PACKAGES.
        spec: Name and options.
        function: Function of the component's file whose keyword arguments are the options.

    Returns:
        (name, options).

    Raises:
        ValueError: There is no such component or option, or a value has the wrong type.
    """
    # The first colon only: a value may be a spec with a colon of its own.
    name, _, options = spec.partition(":")
    module = registry.load_module(kind, name)
    return name, _parse_options(spec, name, options, _list_defaults(getattr(module, function)))


def make_file_name(spec: str) -> str:
    """Make a name for a file or folder from a spec.

    Different specs have different names, and a spec without options is its own name.
    """
    safe = spec.replace(":", "-", 1).replace(";", "+")
    if not re.search(r"[^\w.=+-]", safe):
        return safe
    # Replaced characters may make two specs equal; the checksum keeps them apart. Run folders on
    # disk have these names.
    ascii_name = re.sub(r"[^A-Za-z0-9_.=+-]", "-", safe)
    return f"{ascii_name}-{zlib.crc32(spec.encode()):08x}"


def _parse_options(spec: str, name: str, text: str, defaults: dict[str, Any]) -> dict[str, Any]:
    """Parse "key=value;key=value"."""
    options: dict[str, Any] = {}
    if not text:
        return options
    for part in text.split(";"):
        key, equals, value = part.partition("=")
        if not equals or not value or key in options:
            raise ValueError(
                f"'{spec}' cannot be read at '{part}': write {name}:key=value;key=value, each key "
                "once."
            )
        if key not in defaults:
            raise ValueError(
                f"'{spec}': {name} has no option '{key}'; it has: {', '.join(defaults) or 'none'}."
            )
        options[key] = _convert_value(spec, key, value, type(defaults[key]))
    return options


def _list_defaults(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the keyword arguments of a function and their defaults."""
    defaults = {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.default is not parameter.empty:
            defaults[parameter.name] = parameter.default
    return defaults


def _convert_value(spec: str, key: str, value: str, kind: type) -> Any:
    """Convert the text of an option to the type of its default."""
    try:
        # Defaults are numbers and words, whose types convert text.
        return kind(value)
    except ValueError:
        raise ValueError(f"'{spec}': {key} must be {TYPE_NAMES[kind]}, not '{value}'.") from None
