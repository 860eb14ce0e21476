"""What is said, and refused, where an anonymizer works at another size than it was trained at."""

import clips
import numpy as np
import pytest
from clips import Clip

from tfanon.core import config
from tfanon.inference import network, tested_size, tflite
from tfanon.inference.anonymizer import Anonymizer
from tfanon.inference.options import AnonymizeCommandOptions, AnonymizeOptions

ALONE = "the privacy figures of its table hold for 48x48 alone"


def trained(tested=(48, 48), **more):
    """A network of any size, trained at one."""
    return network.Network(
        "f_A", "0" * 64, lambda frames: 255 - frames, tested, tested_size=tested, **more
    )


def frames(height, width):
    return np.stack([clips.picture(number, (height, width)) for number in range(2)])


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


def test_the_trained_size_says_nothing(caplog):
    assert Anonymizer(trained()).warnings == () and not caplog.records
    assert Anonymizer(trained(), (48, 48))(frames(480, 640)).shape == (2, 480, 640, 3)  # squeezed


def test_another_size_is_said_before_work(caplog):
    (warning,) = Anonymizer(trained(), (64, 64)).warnings
    assert f"f_A was trained and measured at 48x48 and works at 64x64 here: {ALONE}" in warning
    assert [record.getMessage() for record in caplog.records] == [warning]


@pytest.mark.parametrize("size", [(224, 224), (24, 24), (48, 96)])
def test_a_size_far_from_the_trained_one_is_refused(size):
    shown = f"{size[0]}x{size[1]}"
    with pytest.raises(
        ValueError,
        match=f"f_A was trained and measured at 48x48; at {shown} it may hide far less .*"
        "Give --network_size=48x48, .*or give --allow_untested_size",
    ):
        Anonymizer(trained(), size)
    allowed = Anonymizer(trained(), size, allow_untested_size=True)
    assert ALONE in allowed.warnings[0] and f"works at {shown} here" in allowed.warnings[0]


@pytest.mark.parametrize("layout", ["whole", "tile"])
def test_frames_seen_at_full_size(layout, tmp_path):
    anonymizer = Anonymizer(trained(), layout=layout)
    (warning,) = anonymizer.warnings
    assert f"works at the full size of each frame (--layout={layout}) here: {ALONE}" in warning
    assert np.array_equal(anonymizer(frames(48, 64)), 255 - frames(48, 64))  # near enough
    message = f"on frames of 48x80 with --layout={layout} it may hide far less .* or give --allow_untested_size"
    with pytest.raises(ValueError, match=message):
        anonymizer(frames(48, 80))
    path = clips.write(tmp_path / "a.mkv", Clip(size=(48, 80), frames=3))
    with pytest.raises(ValueError, match=message):
        next(anonymizer.stream(path))
    allowed = Anonymizer(trained(), layout=layout, allow_untested_size=True)
    assert allowed.warnings == anonymizer.warnings
    assert np.array_equal(allowed(frames(48, 80)), 255 - frames(48, 80))


def test_what_scales_with_the_frame_is_tested_at_any_size_but_not_in_tiles():
    for layout, size in (("squeeze", (480, 480)), ("whole", None)):
        assert Anonymizer(trained(scales=True), size, layout).warnings == ()
    tiles = Anonymizer(trained(scales=True), layout="tile")
    assert tiles.warnings
    with pytest.raises(ValueError, match="--layout=tile"):
        tiles(frames(96, 96))


def test_modes():
    found = {mode: network.load_network(mode=mode) for mode in network.MODES}
    assert {mode for mode, loaded in found.items() if loaded.scale_invariant} == {
        "blur",
        "pixelate",
    }
    assert found["blacken"].tested_size is None and found["downsample"].tested_size == (224, 224)
    with pytest.raises(
        ValueError, match="downsample was trained and measured at 224x224; at 1080x1920"
    ):
        Anonymizer(found["downsample"], (1080, 1920))


def test_what_is_not_known_is_not_judged(caplog):
    unknown = network.Network("double", "", lambda x: x, (48, 48))
    assert (
        Anonymizer(unknown, (480, 480)).warnings
        == Anonymizer(unknown, layout="whole").warnings
        == ()
    )


def test_a_tflite_file_may_say_at_which_size_it_was_trained(tmp_path):
    path = tmp_path / "a.tflite"
    path.write_bytes(b"TFL3" * 100)
    assert tflite.read_metadata(path) == {}
    for _ in range(2):
        path.write_bytes(b"TFL3" * 100)
        tflite.write_metadata(path, {"trained_size": (48, 48)})
        assert tflite.read_metadata(path) == {"trained_size": [48, 48]}
    assert path.read_bytes().startswith(b"TFL3" * 100)


def test_the_flag_has_its_former_name_too():
    for name in ("network_size", "working_size"):
        (found,) = config.parse_flags([f"--{name}=48x64"], AnonymizeOptions)
        assert found.network_size == "48x64"
    assert config.parse_flags(["--allow_untested_size"], AnonymizeCommandOptions)[
        0
    ].allow_untested_size
    assert (
        "working_size" not in AnonymizeOptions().get_output_options()
        and "allow_untested_size" not in AnonymizeOptions().get_output_options()
    )
