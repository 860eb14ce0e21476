"""Options of tfanon.anonymize and tfanon.anonymize_archive; field names are flag names."""

import dataclasses
import re
from typing import Any

from tfanon.core.config import Limits, flag
from tfanon.inference.anonymizer import LAYOUTS
from tfanon.inference.loaders.keras_model import MODES
from tfanon.media import video_writer

# Options that decide how an output looks: a file made with other values is made again. A manifest
# holds their names, and a digest of names and values. The model is not among them: the
# manifest holds its name and its own digest, as its path says nothing about its weights.
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
    """How files are anonymized and how the results are written."""

    output: str = flag(
        "",
        "File or folder to write; '-': raw RGB frames on standard output.",
        short="o",
        group="Input, output and model",
    )
    model: str = flag("", "A run's folder, a SavedModel's folder or a .tflite file.")
    mode: str = flag("", "Fixed anonymizer to use without a model.", choices=("", *MODES))
    network_size: str = flag(
        "",
        "HxW to which frames are resized for the network; empty: the size at which it was trained "
        "or exported. The privacy figures of a run's table hold for the trained size alone; far "
        "from it people may be recognisable, which needs --allow_untested_size.",
        alias="working_size",
        group="Size of frames",
    )
    layout: str = flag(
        "squeeze",
        "squeeze: resize frames to the network size and back; tile: cut them into tiles of that "
        "size; whole: process them at full size. With tile and whole the network sees people "
        "larger than in training: the privacy figures of its table hold for squeeze alone, and "
        "frames far larger than the trained size need --allow_untested_size.",
        choices=LAYOUTS,
    )
    allow_untested_size: bool = flag(
        False,
        "Allow a side more than 1.5 times the trained one, or less than 1/1.5 of it, although the "
        "network may hide far less there than its privacy figures suggest.",
    )
    overlap: int = flag(16, "Pixels that neighbouring tiles share.", low=0, high=512)
    on_damage: str = flag(
        "refuse",
        "What to do about damage in the middle of a video: refuse the file, or conceal the damage "
        "as players do and count it.",
        choices=("refuse", "conceal"),
        group="Reading and writing files",
    )
    audio: str = flag(
        "drop", "Drop or keep sound. Voices identify people.", choices=("drop", "keep")
    )
    metadata: str = flag(
        "drop",
        "Drop or keep what a video's container says about place, device and time; an image's "
        "metadata is always dropped.",
        choices=("drop", "keep"),
    )
    codec: str = flag("", "Encoder of videos; empty: libx264, or libvpx-vp9 for .webm.")
    quality: int = flag(
        -1,
        "Quality on the codec's own scale, where smaller is better; of images from 1 to 100, where "
        "larger is better; -1: the codec's default.",
        low=-1,
        high=100,
    )
    preset: str = flag(
        "", "Preset of libx264 (empty: superfast) and libx265 (empty: veryfast), such as medium."
    )
    encoder_threads: int = flag(
        0,
        "Threads of the encoder; 0: half of the cores. The bytes of an output depend on it.",
        low=0,
        high=64,
    )
    threads: int = flag(
        0, "Threads of the network; 0: all cores but one for a .tflite file.", low=0, high=256
    )

    overwrite: bool = flag(False, "Replace existing outputs.")
    manifest: str = flag(
        "",
        "File of the manifest; empty: manifest.json in the output folder, or OUTPUT.manifest.json "
        "beside a single file.",
    )

    def make_encoding(self) -> video_writer.EncodingOptions:
        """Return how videos are encoded."""
        quality = None if self.quality < 0 else self.quality
        return video_writer.EncodingOptions(self.codec, quality, self.preset, self.encoder_threads)

    def get_output_options(self) -> dict[str, Any]:
        """Return name and value of each option that decides how an output looks."""
        return {name: getattr(self, name) for name in OUTPUT_OPTIONS}


@dataclasses.dataclass(frozen=True)
class AnonymizeCommandOptions(AnonymizeOptions):
    """The same for one machine, with a preview, live sources and raw frames on pipes."""

    preview: bool = flag(
        False, "Show the anonymized frames in a window.", group="Cameras, streams and pipes"
    )
    max_latency: float = flag(
        0.5,
        "Live sources: drop frames that are later than this many seconds; 0: drop none.",
        low=0.0,
        high=60.0,
    )
    max_seconds: float = flag(
        0.0,
        "Live sources: stop after this many seconds; 0: at the end of the source or at Ctrl-C.",
        low=0.0,
    )
    segment_seconds: float = flag(
        0.0, "Live sources: start a new file every N seconds; 0: write one file.", low=0.0
    )
    reconnect_seconds: float = flag(
        60.0, "Live sources: try to reconnect to a lost stream for this many seconds.", low=0.0
    )
    ca_file: str = flag(
        "",
        "Live sources: PEM file that the certificate of an https:// or rtsps:// server is checked "
        "against; empty: the system's.",
        alias="authority",
    )
    raw_size: str = flag("", "HxW of raw RGB frames on standard input.")
    raw_rate: float = flag(
        25.0, "Frames per second of raw frames on standard input.", low=0.01, high=1000.0
    )


def parse_size(text: str, name: str) -> tuple[int, int] | None:
    """Return (H, W) of 'HxW', or None of an empty text.

    Args:
        text: Value of a flag.
        name: Name of the flag, for the message.

    Raises:
        ValueError: The text is not a size.
    """
    if not text:
        return None
    match = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", text)
    if match is None:
        raise ValueError(f"--{name} is HxW in pixels, such as 480x640, not '{text}'.")
    return int(match[1]), int(match[2])
