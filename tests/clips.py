"""Videos that tests write, and what tests read from one: its frames, times, sound and metadata."""

import dataclasses
import fractions
import io
from collections.abc import Callable
from typing import Any

import av
import av.audio
import av.container
import numpy as np
from PIL import Image

from tfanon.media import scaling

MILLISECOND = fractions.Fraction(1, 1000)
NTSC = fractions.Fraction(30000, 1001)
SAMPLE_RATE = 48000  # of the sound, in Hz


@dataclasses.dataclass(frozen=True)
class Clip:
    """A video to write.

    Attributes:
        ending: Extension of the file.
        codec: libav's name of the video encoder.
        frames: Number of frames.
        rate: Frames per second; 0: uneven times, in milliseconds.
        size: (height, width) in pixels.
        turns: Quarter turns counter-clockwise that show it upright.
        mirrored: Whether it is shown mirrored after that.
        sound: Whether it has a sound track.
        bframes: Largest number of B-frames in a row.
        pixels: libav's name of the pixel format.
        metadata: Tags of the container.
    """

    ending: str = ".mp4"
    codec: str = "libx264"
    frames: int = 24
    rate: fractions.Fraction = fractions.Fraction(25)
    size: tuple[int, int] = (48, 64)
    turns: int = 0
    mirrored: bool = False
    sound: bool = False
    bframes: int = 2
    pixels: str = "yuv420p"
    metadata: dict[str, str] = dataclasses.field(default_factory=dict)


def make_texture(number: int, size: tuple[int, int]) -> np.ndarray:
    """Frame of a moving texture that smoothing changes everywhere: uint8 [H, W, 3]."""
    height, width = size
    rows, columns = -(-height // 4), -(-width // 4)
    blocks = np.random.default_rng(7).integers(0, 256, (rows, columns, 3))
    texture = blocks.repeat(4, 0).repeat(4, 1)[:height, :width].astype(np.uint8)
    return np.roll(texture, 2 * number, 1)


def encode_jpeg(pixels: np.ndarray, **options: Any) -> bytes:
    """A JPEG file of uint8 [H, W, 3].  options: Pillow's."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", **options)
    return file.getvalue()


def make_uneven_times(count: int) -> np.ndarray:
    """Times in milliseconds, ascending, whose distances keep changing."""
    distances = [17, 40, 33, 90, 21] * (count // 5 + 1)
    return np.cumsum([0, *distances])[:count]


def write_clip(
    path: Any,
    clip: Clip = Clip(),  # noqa: B008  frozen
    make: Callable[[int, tuple[int, int]], np.ndarray] = make_texture,
) -> str:
    """Write a video.

    Args:
        path: Path of the file.
        clip: What to write.
        make: Function of the number of a frame and the size that returns its pixels.

    Returns:
        The path as a string.
    """
    with av.open(str(path), "w") as container:
        container.metadata.update(clip.metadata)
        stream = container.add_stream(
            clip.codec, rate=clip.rate or 25, options=_choose_encoder_options(clip)
        )
        stream.height, stream.width, stream.pix_fmt = *clip.size, clip.pixels
        stream.codec_context.max_b_frames = 0 if clip.codec == "mjpeg" else clip.bframes
        stream.codec_context.color_range = 2 if clip.pixels.startswith("yuvj") else 1
        if not clip.rate:
            stream.codec_context.time_base = stream.time_base = MILLISECOND
        if clip.turns or clip.mirrored:
            stream.set_display_rotation(90 * clip.turns, hflip=clip.mirrored)
        if clip.sound:
            sound_codec = "libopus" if clip.ending == ".webm" else "aac"
            tone = container.add_stream(sound_codec, rate=SAMPLE_RATE)
        times = make_uneven_times(clip.frames)
        for number in range(clip.frames):
            frame = av.VideoFrame.from_ndarray(make(number, clip.size), format="rgb24")
            if not clip.rate:
                frame.pts, frame.time_base = int(times[number]), MILLISECOND
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if clip.sound:
            add_tone(container, tone, clip.frames / float(clip.rate or 25))
    return str(path)


def _choose_encoder_options(clip: Clip) -> dict[str, str]:
    if clip.codec in ("libx264", "mpeg4"):
        return {"bf": str(clip.bframes)}
    if clip.codec == "libx265":
        return {"x265-params": f"log-level=error:bframes={clip.bframes}", "preset": "ultrafast"}
    if clip.codec == "libvpx-vp9":
        return {"cpu-used": "8", "deadline": "realtime"}
    return {}


def add_tone(
    container: av.container.OutputContainer, stream: av.audio.AudioStream, seconds: float
) -> None:
    """Write so many seconds of a sine wave of 440 Hz."""
    samples = np.arange(int(SAMPLE_RATE * seconds))
    wave = np.sin(samples * 2 * np.pi * 440 / SAMPLE_RATE).astype(np.float32)
    for first in range(0, len(wave), 960):
        frame = av.AudioFrame.from_ndarray(
            wave[None, first : first + 960], format="fltp", layout="mono"
        )
        frame.sample_rate, frame.pts = SAMPLE_RATE, first
        frame.time_base = fractions.Fraction(1, SAMPLE_RATE)
        container.mux(stream.encode(frame))
    container.mux(stream.encode())


def read_frames(path: Any) -> np.ndarray:
    """The frames as they are stored, decoded by libav alone: [T, H, W, 3]."""
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def read_displayed_frames(path: Any) -> np.ndarray:
    """The frames as a player shows them: [T, H, W, 3].

    By the display matrix, a pixel (x, y) is shown at (a x + c y, b x + d y).
    """
    stored = read_frames(path)
    with av.open(str(path)) as container:
        matrix = scaling.read_display_matrix(next(container.decode(video=0)))
    a, b, _, c, d, *_ = matrix or (1, 0, 0, 0, 1)
    y, x = np.mgrid[: stored.shape[1], : stored.shape[2]]
    columns = np.sign(a) * x + np.sign(c) * y
    rows = np.sign(b) * x + np.sign(d) * y
    columns, rows = columns - columns.min(), rows - rows.min()
    shown = np.zeros((len(stored), rows.max() + 1, columns.max() + 1, 3), np.uint8)
    shown[:, rows, columns] = stored
    return shown


def probe_clip(path: Any) -> dict[str, Any]:
    """What libav alone reads from a video: times in seconds, size, rotation, sound, metadata."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        metadata = dict(container.metadata)
        for track in container.streams:
            for key, value in track.metadata.items():
                metadata[f"{track.type}:{key}"] = value
        clip = {
            "times": [float(frame.pts * stream.time_base) for frame in frames],
            "last": float((frames[-1].duration or 0) * stream.time_base),
            "duration": float((container.duration or 0) / 1e6),
            "rotation": frames[0].rotation,
            "size": (frames[0].height, frames[0].width),
            "codec": stream.codec_context.name,
            "tracks": [track.type for track in container.streams],
            "metadata": metadata,
        }
    with av.open(str(path)) as container:
        clip["sound"] = []
        if container.streams.audio:
            clip["sound"] = [bytes(packet) for packet in container.demux(container.streams.audio)]
    return clip
