"""Components are found by the names of their files."""

import pytest

from tfanon.core import registry


def test_names_are_file_names():
    assert registry.load_module("anonymizers", "raw").__name__ == "tfanon.models.anonymizers.raw"
    assert {"i3d_r50", "small3d"} <= set(registry.list_names("actions"))
    for kind in registry.PACKAGES:
        assert not any(name.startswith("_") for name in registry.list_names(kind))


def test_an_unknown_name_lists_the_folder():
    with pytest.raises(
        ValueError, match=r"No anonymizers called 'blurr'. tfanon/models/anonymizers/ has: .*blur, "
    ):
        registry.load_module("anonymizers", "blurr")
