"""Options of the commands that anonymize."""

import re

import pytest

from tfanon.core import config
from tfanon.inference import options
from tfanon.inference.options import AnonymizeCommandOptions, AnonymizeOptions
from tfanon.media.video_writer import EncodingOptions


def test_output_options_are_options():
    output_options = AnonymizeOptions().get_output_options()
    assert set(output_options) == set(options.OUTPUT_OPTIONS)
    assert set(output_options) <= set(AnonymizeOptions.__dataclass_fields__)


def test_default_quality_is_that_of_the_codec():
    assert AnonymizeOptions().make_encoding() == EncodingOptions()
    assert AnonymizeOptions(quality=0).make_encoding().quality == 0


def test_size_is_height_by_width():
    assert options.parse_size("480x640", "raw_size") == (480, 640)
    assert options.parse_size("", "raw_size") is None


@pytest.mark.parametrize("text", ["480", "480*640", "0x5", "-1x5", "480x640x3", " 1x1"])
def test_other_texts_are_no_size(text):
    message = f"--raw_size is HxW in pixels, such as 480x640, not '{text}'."
    with pytest.raises(ValueError, match=re.escape(message)):
        options.parse_size(text, "raw_size")


def test_network_size_has_its_former_name_too():
    for name in ("network_size", "working_size"):
        (parsed,) = config.parse_flags([f"--{name}=48x64"], AnonymizeOptions)
        assert parsed.network_size == "48x64"
    (parsed,) = config.parse_flags(["--allow_untested_size"], AnonymizeCommandOptions)
    assert parsed.allow_untested_size
    output_options = AnonymizeOptions().get_output_options()
    assert "working_size" not in output_options
    assert "allow_untested_size" not in output_options
