import re

import pytest

from tfanon.inference import options
from tfanon.inference.options import AnonymizeOptions
from tfanon.media.video_writer import EncodingOptions


def test_what_shapes_an_output_is_a_setting():
    assert (
        set(AnonymizeOptions().get_output_options())
        == set(options.OUTPUT_OPTIONS)
        <= set(AnonymizeOptions.__dataclass_fields__)
    )


def test_no_quality_is_the_codecs_own():
    assert (
        AnonymizeOptions().encoding() == EncodingOptions()
        and AnonymizeOptions(quality=0).encoding().quality == 0
    )


def test_a_pair_is_height_by_width():
    assert (
        options.parse_size("480x640", "raw_size") == (480, 640)
        and options.parse_size("", "raw_size") is None
    )


@pytest.mark.parametrize("text", ["480", "480*640", "0x5", "-1x5", "480x640x3", " 1x1"])
def test_what_is_no_pair(text):
    with pytest.raises(
        ValueError, match=re.escape(f"--raw_size is HxW in pixels, such as 480x640, not '{text}'.")
    ):
        options.parse_size(text, "raw_size")
