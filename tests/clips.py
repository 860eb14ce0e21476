"""Videos that tests write, and what tests ask of a video: its frames, times, sound and words."""

import dataclasses
import fractions

import av
import numpy as np

from tfanon.media import scaling

MILLISECOND = fractions.Fraction(1, 1000)
NTSC = fractions.Fraction(30000, 1001)


@dataclasses.dataclass(frozen=True)
class Clip:
    """A video to write. size: (H, W). rate: frames per second; 0: uneven times, in milliseconds.
    turns: quarter turns counter-clockwise that show it upright.  mirrored: whether it is shown mirrored after that.
    bframes: at most so many in a row.
    """

    ending: str = ".mp4"
    codec: str = "libx264"
    frames: int = 24
    rate: fractions.Fraction = fractions.Fraction(25)
    size: tuple = (48, 64)
    turns: int = 0
    mirrored: bool = False
    sound: bool = False
    bframes: int = 2
    pixels: str = "yuv420p"
    metadata: dict = dataclasses.field(default_factory=dict)


def picture(number, size):
    """uint8 [H, W, 3]: a texture that moves and that no smoothing leaves alone."""
    blocks = np.random.default_rng(7).integers(0, 256, (-(-size[0] // 4), -(-size[1] // 4), 3))
    texture = blocks.repeat(4, 0).repeat(4, 1)[: size[0], : size[1]].astype(np.uint8)
    return np.roll(texture, 2 * number, 1)


def uneven(count):
    """Times in milliseconds, ascending, no two distances alike for long."""
    return np.cumsum([0, *([17, 40, 33, 90, 21] * (count // 5 + 1))])[:count]


def write(path, clip=Clip(), make=picture):
    """Write the clip; returns path as a string.  make(number, size): its frames."""
    encoder = {"bf": str(clip.bframes)} if clip.codec in ("libx264", "mpeg4") else {}
    if clip.codec == "libx265":
        encoder = {"x265-params": f"log-level=error:bframes={clip.bframes}", "preset": "ultrafast"}
    if clip.codec == "libvpx-vp9":
        encoder = {"cpu-used": "8", "deadline": "realtime"}
    with av.open(str(path), "w") as container:
        container.metadata.update(clip.metadata)
        stream = container.add_stream(clip.codec, rate=clip.rate or 25, options=encoder)
        stream.height, stream.width, stream.pix_fmt = *clip.size, clip.pixels
        stream.codec_context.max_b_frames = 0 if clip.codec == "mjpeg" else clip.bframes
        stream.codec_context.color_range = 2 if clip.pixels.startswith("yuvj") else 1
        if not clip.rate:
            stream.codec_context.time_base = stream.time_base = MILLISECOND
        if clip.turns or clip.mirrored:
            stream.set_display_rotation(90 * clip.turns, hflip=clip.mirrored)
        tone = (
            container.add_stream("libopus" if clip.ending == ".webm" else "aac", rate=48000)
            if clip.sound
            else None
        )
        times = uneven(clip.frames)
        for number in range(clip.frames):
            frame = av.VideoFrame.from_ndarray(make(number, clip.size), format="rgb24")
            if not clip.rate:
                frame.pts, frame.time_base = int(times[number]), MILLISECOND
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if tone:
            add_tone(container, tone, clip.frames / float(clip.rate or 25))
    return str(path)


def add_tone(container, stream, seconds):
    """Mux `seconds` of a sine wave."""
    wave = np.sin(np.arange(int(48000 * seconds)) * 2 * np.pi * 440 / 48000).astype(np.float32)
    for first in range(0, len(wave), 960):
        frame = av.AudioFrame.from_ndarray(
            wave[None, first : first + 960], format="fltp", layout="mono"
        )
        frame.sample_rate, frame.pts, frame.time_base = 48000, first, fractions.Fraction(1, 48000)
        container.mux(stream.encode(frame))
    container.mux(stream.encode())


def read(path):
    """[frames, H, W, 3] as stored, decoded by libav alone."""
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def shown(path):
    """[frames, H, W, 3] as a player shows them: pixel (x, y) at (a x + c y, b x + d y) of the display matrix."""
    stored = read(path)
    with av.open(str(path)) as container:
        a, b, _, c, d, *_ = scaling.read_display_matrix(next(container.decode(video=0))) or (
            1,
            0,
            0,
            0,
            1,
        )
    y, x = np.mgrid[: stored.shape[1], : stored.shape[2]]
    columns, rows = (np.sign(p) * x + np.sign(q) * y for p, q in ((a, c), (b, d)))
    columns, rows = columns - columns.min(), rows - rows.min()
    turned = np.zeros((len(stored), rows.max() + 1, columns.max() + 1, 3), np.uint8)
    turned[:, rows, columns] = stored
    return turned


def about(path):
    """What plain libav finds: times in seconds, durations, rotation, size, sound packets' bytes, metadata."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        found = {
            "times": [float(frame.pts * stream.time_base) for frame in frames],
            "last": float((frames[-1].duration or 0) * stream.time_base),
            "duration": float((container.duration or 0) / 1e6),
            "rotation": frames[0].rotation,
            "size": (frames[0].height, frames[0].width),
            "codec": stream.codec_context.name,
            "tracks": [kept.type for kept in container.streams],
            "metadata": dict(container.metadata)
            | {f"{s.type}:{k}": v for s in container.streams for k, v in s.metadata.items()},
        }
    with av.open(str(path)) as container:
        found["sound"] = (
            [bytes(packet) for packet in container.demux(container.streams.audio)]
            if container.streams.audio
            else []
        )
    return found
