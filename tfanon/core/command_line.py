"""The start of every command: flags, `--help` by topic, `--version`, a short usage.

absl parses flags and runs the command; its own help lists the flags of every imported module in
alphabetical order, so help is written here from the dataclasses that declare the flags.
"""

import dataclasses
import re
import sys
import textwrap
from collections.abc import Callable, Sequence

from absl import app

from tfanon.core import config

# Columns of a line, and of the margin left of a flag's help.
WIDTH = 100
INDENT = 6
# absl's spellings of --help, and the usual -h.
HELP_WORDS = ("--help", "-help", "-h", "-?")
# What absl adds to every command and users of this package need.
COMMON_HELP = """\
Every command:
  --flagfile=FILE
      Read flags from FILE, one per line; flags that follow on the command line win.
  --verbosity=1
      Show debug output, TensorFlow's start-up messages included.
  --version
      Print the version.
"""


def run_entry_point(
    main: Callable[[list[str]], int | None],
    options: Sequence[type],
    description: str,
    needs_arguments: bool = True,
) -> None:
    """Run a command: declare its flags, handle `--help` and `--version`, or call `main`.

    Args:
        main: Called by absl with the words that are not flags; returns the exit status.
        options: Dataclasses whose fields are the flags.
        description: What the command does: a sentence, examples as indented lines, details.
        needs_arguments: Without arguments, print a short usage and exit with status 2.
    """
    arguments = sys.argv[1:]
    # Words after "--" are arguments, such as a file called --help.
    flag_words = arguments[: arguments.index("--")] if "--" in arguments else arguments
    if any(word in HELP_WORDS for word in flag_words):
        print(format_help(description, options))
        sys.exit(0)
    if "--version" in flag_words:
        # Not at the top: tfanon itself imports from core while it is imported.
        from tfanon import __version__

        print(f"tfanon {__version__}")
        sys.exit(0)
    if needs_arguments and not arguments:
        print(format_usage(description), file=sys.stderr)
        sys.exit(2)
    for kind in options:
        config.define_flags(kind)

    def run_main(words: list[str]) -> int | None:
        # absl would answer a usage error with the list of all flags, which hides the one line.
        try:
            return main(words)
        except app.UsageError as error:
            print(f"{error} --help lists the flags.", file=sys.stderr)
            return 1

    app.run(run_main)


def format_usage(description: str) -> str:
    """Return the first paragraph and the examples of a description."""
    summary = description.strip().partition("\n\n")[0]
    examples = re.findall(r"^ {4,}\S.*$", description, re.MULTILINE)
    lines = [*summary.split("\n"), "", *examples, "", "--help lists all flags by topic."]
    return "\n".join(lines)


def format_help(description: str, options: Sequence[type]) -> str:
    """Return a description and all flags, grouped by topic.

    Args:
        description: As in `run_entry_point`.
        options: Dataclasses whose fields are the flags; a field's `group` heads it and those that
            follow.
    """
    groups: dict[str, list[str]] = {}
    title = "Options"
    described: set[str] = set()
    for kind in options:
        for field in dataclasses.fields(kind):
            title = field.metadata["group"] or title
            # Several dataclasses of a command may inherit the fields of Limits.
            if field.name not in described:
                groups.setdefault(title, []).append(_format_field(field))
            described.add(field.name)
    # Fields of the base class Limits come first, but few users need them. The sort is stable, so
    # all other groups keep their order.
    titles = sorted(groups, key=lambda name: name.startswith("Limits"))
    parts = [description.strip()]
    for name in titles:
        parts.append("\n".join([f"{name}:", *groups[name]]))
    parts.append(COMMON_HELP)
    return "\n\n".join(parts)


def _format_field(field: dataclasses.Field) -> str:
    """Return a flag's name with its values on one line, and its help below."""
    about = field.metadata
    names = f"--{field.name}"
    if about["repeated"]:
        names += "=TEXT"
    # Before numbers: a bool is an int too.
    elif isinstance(field.default, bool):
        names = f"--[no]{field.name}"
    elif about["choices"]:
        choices = [choice for choice in about["choices"] if choice]
        names += f"={{{','.join(choices)}}}"
    else:
        names += f"={_name_values(field.default)}"
    if about["short"]:
        names = f"-{about['short']}, {names}"
    text = about["help"]
    default = _format_default(field.default)
    if default:
        text = f"{text} Default: {default}."
    indent = " " * INDENT
    body = textwrap.fill(text, WIDTH, initial_indent=indent, subsequent_indent=indent)
    return f"  {names}\n{body}"


def _name_values(default: object) -> str:
    """Return the placeholder for a flag's value."""
    if isinstance(default, int):
        return "N"
    if isinstance(default, float):
        return "X"
    if isinstance(default, tuple):
        return "A,B,..."
    return "TEXT"


def _format_default(default: object) -> str:
    """Return a default as on the command line; "" for an empty one."""
    if isinstance(default, bool):
        return "on" if default else "off"
    if isinstance(default, tuple):
        return ",".join(default)
    if isinstance(default, float):
        return f"{default:g}"
    return str(default)
