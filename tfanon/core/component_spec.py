"""A choice and its settings in one word, such as `downsample:factor=2`: read, checked and named here.

    name                        a file of the kind's folder, as it stands
    name:key=value              with a setting
    name:key=value;key=value    with several (in a shell between quotes); no commas, which part specs in a flag

Settings are the keyword arguments of the file's build(), or of an attacker's attack(); values have the type of their
defaults. A value that names a choice may be a word of this kind itself, with one setting:
`blur:regions=boxes:file=door.json`.
"""

import inspect
import re
import zlib

from tfanon.core import registry

TYPE_NAMES = {int: "a whole number", float: "a number", str: "a word"}


def build_component(kind, text):
    """What the file that a spec names builds with the spec's settings.

    kind: a key of registry.FOLDERS.
    Raises ValueError where there is no such file or setting, where a value is of another type, and as its build() does.
    """
    name, settings = parse_spec(kind, text)
    return registry.load_module(kind, name).build(**settings)


def parse_spec(kind, text, function="build"):
    """(name, {key: value}) of a spec, whose settings are those of this function of the file.

    Raises ValueError as build does.
    """
    name, _, rest = text.partition(":")
    return name, _parse_options(
        text, name, rest, _list_defaults(getattr(registry.load_module(kind, name), function))
    )


def make_file_name(text):
    """The spec as a name for a file or folder: two specs never share one, and a plain name stays as it is."""
    safe = text.replace(":", "-", 1).replace(";", "+")
    if not re.search(r"[^\w.=+-]", safe):
        return safe
    return f"{re.sub(r'[^A-Za-z0-9_.=+-]', '-', safe)}-{zlib.crc32(text.encode()):08x}"


def _parse_options(text, name, rest, known):
    """{key: value} of "key=value;key=value"."""
    found = {}
    for part in rest.split(";") if rest else ():
        key, equals, value = part.partition("=")
        if not equals or not value or key in found:
            raise ValueError(
                f"'{text}' is not understood at '{part}': write {name}:key=value;key=value, "
                "each key once."
            )
        if key not in known:
            raise ValueError(
                f"'{text}': {name} has no setting '{key}'; it has: {', '.join(known) or 'none'}."
            )
        found[key] = _convert_value(text, key, value, type(known[key]))
    return found


def _list_defaults(function):
    """{keyword: its default}."""
    parameters = inspect.signature(function).parameters.values()
    return {
        parameter.name: parameter.default
        for parameter in parameters
        if parameter.default is not parameter.empty
    }


def _convert_value(text, key, value, kind):
    try:
        return kind(value)
    except ValueError:
        raise ValueError(f"'{text}': {key} must be {TYPE_NAMES[kind]}, not '{value}'.") from None
