"""Warnings and refusals where an anonymizer works at another size than it was trained at."""

import clips
import numpy as np
import pytest
from clips import Clip

from tfanon.inference import loaders, tested_size
from tfanon.inference.anonymizer import Anonymizer
from tfanon.inference.loaders.keras_model import MODES
from tfanon.inference.network import Network

LIMITATION = "the privacy figures of its table hold for 48x48 alone"


def make_network(**arguments) -> Network:
    """A network that works at any size and was trained at one."""
    return Network(
        "f_A", "0" * 64, lambda frames: 255 - frames, (48, 48), tested_size=(48, 48), **arguments
    )


def make_frames(height, width) -> np.ndarray:
    return np.stack([clips.make_texture(number, (height, width)) for number in range(2)])


@pytest.mark.parametrize(
    "size, far",
    [
        ((48, 48), False),
        ((72, 72), False),
        ((73, 48), True),
        ((48, 73), True),
        ((32, 32), False),
        ((31, 48), True),
    ],
)
def test_far_is_more_than_half_as_much_again(size, far):
    assert tested_size.is_far(size, (48, 48)) == far
    assert tested_size.is_far_larger(size, (48, 48)) == (far and max(size) > 48)


def test_no_warning_at_the_trained_size(caplog):
    assert Anonymizer(make_network()).warnings == () and not caplog.records
    squeezing = Anonymizer(make_network(), (48, 48))
    assert squeezing(make_frames(480, 640)).shape == (2, 480, 640, 3)


def test_warning_at_another_size_comes_before_work(caplog):
    (warning,) = Anonymizer(make_network(), (64, 64)).warnings
    assert f"f_A was trained and measured at 48x48 and works at 64x64 here: {LIMITATION}" in warning
    assert [record.getMessage() for record in caplog.records] == [warning]


@pytest.mark.parametrize("size", [(224, 224), (24, 24), (48, 96)])
def test_size_far_from_the_trained_one_is_refused(size):
    size_text = f"{size[0]}x{size[1]}"
    with pytest.raises(
        ValueError,
        match=f"f_A was trained and measured at 48x48; at {size_text} it may hide far less .*"
        "Give --network_size=48x48, .*or give --allow_untested_size",
    ):
        Anonymizer(make_network(), size)
    allowed = Anonymizer(make_network(), size, allow_untested_size=True)
    assert LIMITATION in allowed.warnings[0]
    assert f"works at {size_text} here" in allowed.warnings[0]


@pytest.mark.parametrize("layout", ["whole", "tile"])
def test_large_frames_at_full_size_are_refused(layout, tmp_path):
    anonymizer = Anonymizer(make_network(), layout=layout)
    (warning,) = anonymizer.warnings
    assert f"works at the full size of each frame (--layout={layout}) here: {LIMITATION}" in warning
    near, far = make_frames(48, 64), make_frames(48, 80)
    assert np.array_equal(anonymizer(near), 255 - near)
    message = (
        f"on frames of 48x80 with --layout={layout} it may hide far less .* or give "
        "--allow_untested_size"
    )
    with pytest.raises(ValueError, match=message):
        anonymizer(far)
    path = clips.write_clip(tmp_path / "a.mkv", Clip(size=(48, 80), frames=3))
    with pytest.raises(ValueError, match=message):
        next(anonymizer.stream(path))
    allowed = Anonymizer(make_network(), layout=layout, allow_untested_size=True)
    assert allowed.warnings == anonymizer.warnings
    assert np.array_equal(allowed(far), 255 - far)


def test_scale_invariant_network_is_tested_at_any_size_but_not_in_tiles():
    for layout, size in (("squeeze", (480, 480)), ("whole", None)):
        assert Anonymizer(make_network(scale_invariant=True), size, layout).warnings == ()
    tiling = Anonymizer(make_network(scale_invariant=True), layout="tile")
    assert tiling.warnings
    with pytest.raises(ValueError, match="--layout=tile"):
        tiling(make_frames(96, 96))


def test_tested_size_of_modes():
    networks = {mode: loaders.load_network(mode=mode) for mode in MODES}
    scale_invariant = {mode for mode, network in networks.items() if network.scale_invariant}
    assert scale_invariant == {"blur", "pixelate"}
    assert networks["blacken"].tested_size is None
    assert networks["downsample"].tested_size == (224, 224)
    message = "downsample was trained and measured at 224x224; at 1080x1920"
    with pytest.raises(ValueError, match=message):
        Anonymizer(networks["downsample"], (1080, 1920))


def test_unknown_tested_size_gives_no_warning():
    unknown = Network("double", "", lambda frames: frames, (48, 48))
    assert Anonymizer(unknown, (480, 480)).warnings == ()
    assert Anonymizer(unknown, layout="whole").warnings == ()
