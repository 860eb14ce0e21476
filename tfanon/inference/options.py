"""Every setting of tfanon.anonymize and tfanon.anonymize_archive; field names are flag names."""

import dataclasses
import re

from tfanon.core.config import Limits, flag
from tfanon.inference import network
from tfanon.media import video_writer

# What decides how an output looks: a file made with other values of these is made again.
OUTPUT_OPTIONS = (
    "mode",
    "network_size",
    "layout",
    "overlap",
    "audio",
    "metadata",
    "codec",
    "quality",
    "preset",
    "encoder_threads",
    "on_damage",
)


@dataclasses.dataclass(frozen=True)
class AnonymizeOptions(Limits):
    """What anonymizes files, and how the results are written."""

    output: str = flag(
        "", "File or folder to write; '-': raw RGB frames on standard output.", short="o"
    )
    model: str = flag("", "A run's folder, a SavedModel's folder or a .tflite file.")
    mode: str = flag(
        "", f"Without a model: {', '.join(network.MODES)}.", choices=("", *network.MODES)
    )
    network_size: str = flag(
        "",
        "HxW at which the network sees frames; empty: at which it was trained or exported. The "
        "privacy figures of a run's table hold for the trained size alone; far from it people may be "
        "recognisable: that needs --allow_untested_size.",
        alias="working_size",
    )
    layout: str = flag(
        "squeeze",
        "Frames are squeezed to the network size and stretched back, cut into tiles of it, or "
        "seen whole. In tiles and whole the network sees people larger than in training: the privacy "
        "figures of its table hold for squeezed frames alone, and frames far larger than the trained size "
        "need --allow_untested_size.",
        choices=("squeeze", "tile", "whole"),
    )
    allow_untested_size: bool = flag(
        False,
        "Work where a side is more than 1.5 times the one at which the network was "
        "trained, or less than 1/1.5 of it, although it may hide far less there than the "
        "privacy figures of its table say.",
    )
    overlap: int = flag(16, "Pixels that neighbouring tiles share.", low=0, high=512)
    on_damage: str = flag(
        "refuse",
        "Damage in the middle of a video: refuse the file, or conceal it as players do; what "
        "was concealed is counted.",
        choices=("refuse", "conceal"),
    )

    audio: str = flag("drop", "Sound: voices identify people.", choices=("drop", "keep"))
    metadata: str = flag(
        "drop",
        "What a video's container says of place, device and time; an image's is dropped always.",
        choices=("drop", "keep"),
    )
    codec: str = flag("", "Encoder; empty: libx264, or libvpx-vp9 for .webm.")
    quality: int = flag(
        -1,
        "On the codec's own scale, smaller is better; images: 1 to 100; -1: its default.",
        low=-1,
        high=100,
    )
    preset: str = flag("", "Of libx264 (empty: superfast) and libx265 (veryfast), such as medium.")
    encoder_threads: int = flag(
        0, "0: half of the cores. The bytes of an output depend on it.", low=0, high=64
    )
    threads: int = flag(0, "Of the network; 0: all cores but one.", low=0, high=256)

    overwrite: bool = flag(False, "Replace outputs that exist.")
    manifest: str = flag(
        "",
        "File of the record; empty: manifest.json in the output folder, OUTPUT.manifest.json "
        "beside a single file.",
    )

    def encoding(self):
        """How videos are written."""
        quality = None if self.quality < 0 else self.quality
        return video_writer.EncodingOptions(self.codec, quality, self.preset, self.encoder_threads)

    def get_output_options(self):
        """Name and value of each setting that shapes an output."""
        return {name: getattr(self, name) for name in OUTPUT_OPTIONS}


@dataclasses.dataclass(frozen=True)
class AnonymizeCommandOptions(AnonymizeOptions):
    """The same for one machine, which also shows what it does and takes what comes live."""

    preview: bool = flag(False, "Show the anonymized frames in a window.")
    max_latency: float = flag(
        0.5,
        "Live: seconds after which a frame is too late and dropped; 0: none is dropped.",
        low=0.0,
        high=60.0,
    )
    max_seconds: float = flag(0.0, "Live: end after so many seconds; 0: at Ctrl-C.", low=0.0)
    segment_seconds: float = flag(
        0.0, "Live: start a new file after so many seconds; 0: one file.", low=0.0
    )
    reconnect_seconds: float = flag(
        60.0, "Live: for how long a lost stream is asked for again.", low=0.0
    )
    ca_file: str = flag(
        "",
        "Live: PEM file that the certificate of an https:// or rtsps:// server is checked against; "
        "empty: the system's.",
        alias="authority",
    )
    raw_size: str = flag("", "HxW of the RGB frames on standard input.")
    raw_rate: float = flag(25.0, "Frames per second on standard input.", low=0.01, high=1000.0)


def parse_size(text, name):
    """(H, W) of 'HxW', None of ''.  Raises ValueError that names the flag."""
    if not text:
        return None
    if not (found := re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", text)):
        raise ValueError(f"--{name} is HxW in pixels, such as 480x640, not '{text}'.")
    return int(found[1]), int(found[2])
