"""Imports run one way, and flags are known to the configuration and the entry points alone."""

import ast
import pathlib

import pytest

PACKAGE = pathlib.Path(__file__).parent.parent / "tfanon"
FOLDERS = [
    "core",
    "media",
    "metrics",
    "data",
    "models",
    "pretrained",
    "summaries",
    "training",
    "attacks",
    "inference",
    "evaluation",
    "exporting",
    "report",
]
ENTRY_POINTS = [
    "experiment",
    "train",
    "baseline_worker",
    "evaluate",
    "run_trial",
    "sweep",
    "export",
    "anonymize",
    "anonymize_archive",
    "weights",
]
ORDER = [*FOLDERS, *ENTRY_POINTS, "__main__"]
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")


def find_layer(path):
    """The name in ORDER; `__main__.py` of a folder is an entry point, above all others."""
    if path.name == "__main__.py":
        return "__main__"
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def list_imports(path):
    """Dotted names of what a file of the package imports from the package, functions included."""
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "tfanon":
            names += [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names += [alias.name for alias in node.names if alias.name.startswith("tfanon.")]
    return names


def show(path):
    return str(path.relative_to(PACKAGE))


@pytest.mark.parametrize("path", FILES, ids=show)
def test_imports_run_one_way(path):
    own = ORDER.index(find_layer(path))
    imported = {name.split(".")[1] for name in list_imports(path)}
    # `from tfanon import __version__` is no module.
    later = {name for name in imported & set(ORDER) if ORDER.index(name) > own}
    assert not later, f"{show(path)} imports {later}, which come after it"


@pytest.mark.parametrize("path", FILES, ids=show)
def test_private_modules_stay_in_their_folder(path):
    folder = ".".join(path.relative_to(PACKAGE.parent).parts[:-1])
    for name in list_imports(path):
        owner, *private = name.split("._")
        if private and not private[0].startswith("_"):
            assert owner == folder, f"{show(path)} imports {name}"


def test_no_module_imports_itself_through_others():
    modules = {}
    for path in PACKAGE.rglob("*.py"):
        name = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        modules[name.removesuffix(".__init__")] = path
    imports = {name: _find_modules(path, modules) for name, path in modules.items()}
    done, open_names = set(), []

    def visit(name):
        if name in open_names:
            circle = [*open_names[open_names.index(name) :], name]
            raise AssertionError(f"Circular import: {' -> '.join(circle)}")
        if name in done:
            return
        open_names.append(name)
        for imported in imports[name]:
            visit(imported)
        open_names.pop()
        done.add(name)

    for name in modules:
        visit(name)


def _find_modules(path, modules):
    """Modules that a file imports; a name that is no module belongs to the module before it."""
    found = {name if name in modules else name.rpartition(".")[0] for name in list_imports(path)}
    return sorted(found & set(modules) - {"tfanon"})


@pytest.mark.parametrize("path", FILES, ids=show)
def test_flags_are_read_by_the_configuration_alone(path):
    if show(path) == "core/config.py":
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "absl":
            assert "flags" not in [alias.name for alias in node.names]
