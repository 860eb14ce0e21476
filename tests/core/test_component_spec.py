"""Options of components are read, converted and checked; specs make names of folders."""

from typing import Any

import pytest

from tfanon.core import component_spec


class Component:
    @staticmethod
    def build(factor: int = 4, share: float = 0.5, regions: str = "whole", **ignored: Any) -> tuple:
        return factor, share, regions, ignored

    @staticmethod
    def attack(run: Any, name: str, width: float = 1.0) -> tuple:
        return run, name, width


@pytest.fixture(autouse=True)
def fake_component(monkeypatch):
    monkeypatch.setattr(component_spec.registry, "load_module", lambda kind, name: Component)


@pytest.mark.parametrize(
    "spec, expected",
    [
        ("x", (4, 0.5, "whole", {})),
        ("x:factor=2", (2, 0.5, "whole", {})),
        ("x:share=1;factor=8", (8, 1.0, "whole", {})),
        ("x:regions=boxes:file=a=b.json", (4, 0.5, "boxes:file=a=b.json", {})),
    ],
)
def test_options_are_passed_to_build(spec, expected):
    assert component_spec.build_component("anonymizers", spec) == expected


def test_options_of_another_function():
    assert component_spec.parse_spec("attackers", "x:width=0.5", "attack") == ("x", {"width": 0.5})
    with pytest.raises(ValueError, match="'x:run=1': x has no option 'run'; it has: width"):
        component_spec.parse_spec("attackers", "x:run=1", "attack")


@pytest.mark.parametrize(
    "spec, match",
    [
        ("x:factor", "'x:factor' cannot be read at 'factor': write x:key=value;key=value"),
        ("x:factor=", "cannot be read at 'factor='"),
        ("x:factor=2;factor=3", "cannot be read at 'factor=3'.*each key once"),
        ("x:faktor=2", "x has no option 'faktor'; it has: factor, share, regions"),
        ("x:factor=two", "'x:factor=two': factor must be a whole number, not 'two'"),
        ("x:share=half", "share must be a number, not 'half'"),
    ],
)
def test_errors_name_the_wrong_part(spec, match):
    with pytest.raises(ValueError, match=match):
        component_spec.build_component("anonymizers", spec)


@pytest.mark.parametrize(
    "spec, name",
    [
        ("blur", "blur"),
        ("downsample:factor=2", "downsample-factor=2"),
        ("blur:kernel=9;sigma=2.5", "blur-kernel=9+sigma=2.5"),
        ("privacy-images-f_A", "privacy-images-f_A"),
    ],
)
def test_file_names_of_specs(spec, name):
    assert component_spec.make_file_name(spec) == name


def test_different_specs_have_different_file_names():
    specs = [
        "blur:regions=boxes:file=a/b.json",
        "blur:regions=boxes:file=a-b.json",
        "blur:regions=boxes:file=a b.json",
        "blur:regions=boxes:file=ä.json",
        "blur:regions=boxes",
    ]
    names = {component_spec.make_file_name(spec) for spec in specs}
    assert len(names) == len(specs)
    assert all(name.isascii() and not set(name) & set('/\\:*?"<>| ') for name in names)
