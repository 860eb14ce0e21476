import pytest

from tfanon.core import component_spec


class Choice:
    @staticmethod
    def build(factor=4, share=0.5, regions="whole", **ignored):
        return factor, share, regions, ignored

    @staticmethod
    def attack(run, name, width=1.0):
        return run, name, width


@pytest.fixture(autouse=True)
def choices(monkeypatch):
    monkeypatch.setattr(component_spec.registry, "find", lambda kind, name: Choice)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("x", (4, 0.5, "whole", {})),
        ("x:factor=2", (2, 0.5, "whole", {})),
        ("x:share=1;factor=8", (8, 1.0, "whole", {})),
        ("x:regions=boxes:file=a=b.json", (4, 0.5, "boxes:file=a=b.json", {})),
    ],
)
def test_settings_reach_build(text, expected):
    assert component_spec.build_component("anonymizers", text) == expected


def test_settings_of_another_function_than_build():
    assert component_spec.parse_spec("attackers", "x:width=0.5", "attack") == ("x", {"width": 0.5})
    with pytest.raises(ValueError, match="'x:run=1': x has no setting 'run'; it has: width"):
        component_spec.parse_spec("attackers", "x:run=1", "attack")


@pytest.mark.parametrize(
    "text, match",
    [
        ("x:factor", "'x:factor' is not understood at 'factor': write x:key=value;key=value"),
        ("x:factor=", "not understood at 'factor='"),
        ("x:factor=2;factor=3", "not understood at 'factor=3'.*each key once"),
        ("x:faktor=2", "x has no setting 'faktor'; it has: factor, share, regions"),
        ("x:factor=two", "'x:factor=two': factor must be a whole number, not 'two'"),
        ("x:share=half", "share must be a number, not 'half'"),
    ],
)
def test_what_is_wrong_is_named(text, match):
    with pytest.raises(ValueError, match=match):
        component_spec.build_component("anonymizers", text)


@pytest.mark.parametrize(
    "text, name",
    [
        ("blur", "blur"),
        ("downsample:factor=2", "downsample-factor=2"),
        ("blur:kernel=9;sigma=2.5", "blur-kernel=9+sigma=2.5"),
        ("privacy-images-f_A", "privacy-images-f_A"),
    ],
)
def test_names_of_folders(text, name):
    assert component_spec.make_file_name(text) == name


def test_no_two_specs_share_a_folder():
    texts = [
        "blur:regions=boxes:file=a/b.json",
        "blur:regions=boxes:file=a-b.json",
        "blur:regions=boxes:file=a b.json",
        "blur:regions=boxes:file=ä.json",
        "blur:regions=boxes",
    ]
    names = {component_spec.make_file_name(text) for text in texts}
    assert len(names) == len(texts)
    assert all(name.isascii() and not set(name) & set('/\\:*?"<>| ') for name in names)
