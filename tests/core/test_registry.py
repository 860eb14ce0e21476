import pytest

from tfanon.core import registry


def test_a_name_is_a_file_name():
    assert registry.load_module("anonymizers", "raw").__name__ == "tfanon.models.anonymizers.raw"
    assert {"i3d_r50", "small3d"} <= set(registry.list_names("actions"))
    assert not any(
        name.startswith("_") for kind in registry.PACKAGES for name in registry.list_names(kind)
    )


def test_a_wrong_name_shows_the_folder():
    with pytest.raises(
        ValueError, match=r"No anonymizers called 'blurr'. tfanon/models/anonymizers/ has: .*blur, "
    ):
        registry.load_module("anonymizers", "blurr")
