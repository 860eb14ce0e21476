"""Which encoders write which containers, and how they are set up."""

import dataclasses

CONTAINER_FORMATS = {
    ".avi": "avi",
    ".m4v": "mp4",
    ".mkv": "matroska",
    ".mov": "mov",
    ".mp4": "mp4",
    ".webm": "webm",
}
ISO_FORMATS = ("mov", "mp4")
# ending -> encoders whose codec the container cannot hold
UNSUPPORTED_CODECS = {".avi": ("libx265",), ".mov": ("libvpx-vp9", "ffv1")}
QSCALE_UNITS = 118  # libav counts qscale in units of 1/118 (FF_QP2LAMBDA)


@dataclasses.dataclass(frozen=True)
class Codec:
    """How one of libav's encoders is set up.

    Attributes:
        quality_option: Name of libav's option for the quality, where larger is worse; empty if
            the encoder is lossless.
        default_quality: Its default quality.
        worst_quality: The largest value.
        options: Further options of the encoder.
        uses_frame_numbers: Whether its timestamps must be frame numbers, as its format cannot hold
            finer ones.
        pixel_format: Its pixel format; phones play no other than yuv420p in H.264 and HEVC.
        needs_even_sides: Whether its halved colour planes need even sides.
    """

    quality_option: str
    default_quality: int
    worst_quality: int
    options: dict[str, str] = dataclasses.field(default_factory=dict)
    uses_frame_numbers: bool = False
    pixel_format: str = "yuv420p"
    needs_even_sides: bool = False


CODECS = {
    # A fast preset, as the encoder shares the cores with a network.
    "libx264": Codec("crf", 23, 51, {"preset": "superfast"}, needs_even_sides=True),
    # x265 logs to standard error by itself, whatever the log level of libav is.
    "libx265": Codec(
        "crf",
        24,
        51,
        {"preset": "veryfast", "x265-params": "log-level=error"},
        needs_even_sides=True,
    ),
    # With a bit rate other than 0, crf would only be an upper bound of the quality.
    "libvpx-vp9": Codec("crf", 32, 63, {"b": "0", "cpu-used": "5", "row-mt": "1"}),
    # Without +qscale these two follow a bit rate and ignore the quality.
    "mpeg4": Codec("global_quality", 3, 31, {"flags": "+qscale"}, uses_frame_numbers=True),
    "mjpeg": Codec(
        "global_quality",
        3,
        31,
        {"flags": "+qscale"},
        uses_frame_numbers=True,
        pixel_format="yuvj420p",  # full range, as JPEG has it
    ),
    "ffv1": Codec("", 0, 0, pixel_format="yuv444p"),
}


@dataclasses.dataclass(frozen=True)
class EncodingOptions:
    """How a video is encoded.

    Attributes:
        codec: A key of CODECS; empty: the default of the container.
        quality: On the codec's own scale; None: its default.
        preset: Of libx264 (empty: superfast) and libx265 (empty: veryfast).
        threads: Of the encoder; 0: half of the cores, as a network and a decoder need the others.
            The bytes of the output depend on it.
    """

    codec: str = ""
    quality: int | None = None
    preset: str = ""
    threads: int = 0

    def choose_encoder(self, ending: str) -> str:
        """Return the name of the encoder for a container.

        Args:
            ending: Of the file, such as ".mp4".

        Raises:
            ValueError: The container, codec or quality is unknown, or they do not go together.
        """
        if ending not in CONTAINER_FORMATS:
            endings = " ".join(CONTAINER_FORMATS)
            raise ValueError(f"Cannot write a video that ends in '{ending}': choose {endings}.")
        default = "libvpx-vp9" if ending == ".webm" else "libx264"
        name = self.codec or default
        if name not in CODECS:
            raise ValueError(f"No codec called '{name}': choose {' '.join(CODECS)}.")
        if name in UNSUPPORTED_CODECS.get(ending, ()):
            raise ValueError(f"An {ending} file cannot hold {name}; an .mkv file holds any codec.")
        # WebM is defined for VP8, VP9 and AV1 only.
        if ending == ".webm" and name != "libvpx-vp9":
            raise ValueError(
                f"A .webm file holds libvpx-vp9, not {name}; an .mkv file holds any codec."
            )
        worst = CODECS[name].worst_quality
        if self.quality is not None and not 0 <= self.quality <= worst:
            raise ValueError(f"The quality of {name} goes from 0 to {worst}, not {self.quality}.")
        return name

    def make_encoder_options(self, name: str) -> dict[str, str]:
        """Return libav's options for an encoder.

        Args:
            name: Of the encoder, a key of CODECS.
        """
        codec = CODECS[name]
        options = dict(codec.options)
        if codec.quality_option:
            quality = codec.default_quality if self.quality is None else self.quality
            if codec.uses_frame_numbers:
                quality *= QSCALE_UNITS
            options[codec.quality_option] = str(quality)
        # The other encoders have no presets.
        if self.preset and "preset" in options:
            options["preset"] = self.preset
        return options
