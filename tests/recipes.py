"""Odd videos, made with ffmpeg or by editing bytes, with a number painted into every frame.

A frame is a grid of 3 rows and 4 columns of black and white blocks: ten of them are the number in
Gray code (neighbours differ in one block, so that B-frames pay), one is their parity, and one is
always white: it tells a frame from its negative. What lossy coding leaves of a frame can be read; a
frame that is grey, mixed or torn says so.
"""

import dataclasses
import fractions
import functools
import inspect
import pathlib
import shutil
import struct
import subprocess
from collections.abc import Callable, Iterator, Sequence

import av
import doubles
import numpy as np

from tfanon.inference import video
from tfanon.media import video_reader, video_writer

ROWS, COLUMNS = 3, 4
BITS = ROWS * COLUMNS - 2
SIZE = (72, 96)  # (H, W) of a frame; 24 pixels to a block
DARK, LIGHT = 30, 225
SURE = 50  # grey levels by which a block must be darker or lighter than the middle
RATES = {
    name: fractions.Fraction(name)
    for name in ("10", "15", "25", "24000/1001", "30000/1001", "60000/1001")
}
SILENCE, TONE = 0.3, 0.2  # seconds before the tone sets in; share of full scale that counts as tone

needs_ffmpeg = shutil.which("ffmpeg") is None


def paint(number: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """uint8 [H, W, 3]: frame `number`, 0 to 1023."""
    gray = number ^ number >> 1
    bits = [gray >> place & 1 for place in range(BITS)]
    blocks = np.array([1, *bits, sum(bits) % 2]).reshape(ROWS, COLUMNS)
    rows = np.arange(size[0]) * ROWS // size[0]
    columns = np.arange(size[1]) * COLUMNS // size[1]
    levels = np.where(blocks[rows][:, columns], LIGHT, DARK).astype(np.uint8)
    return levels[..., None].repeat(3, 2)


def read_block_levels(pixels: np.ndarray) -> np.ndarray:
    """float [12]: the mean level of the inner half of every block of uint8 [H, W, 3]."""
    height, width = pixels.shape[0] / ROWS, pixels.shape[1] / COLUMNS
    levels = []
    for row in range(ROWS):
        for column in range(COLUMNS):
            top, left = int((row + 0.25) * height), int((column + 0.25) * width)
            bottom, right = int((row + 0.75) * height), int((column + 0.75) * width)
            levels.append(pixels[top : max(bottom, top + 1), left : max(right, left + 1)].mean())
    return np.array(levels)


def is_negative(pixels: np.ndarray) -> bool:
    """Whether uint8 [H, W, 3] shows the negative of a painted frame."""
    return bool(read_block_levels(pixels)[0] < 128)


def read_number(pixels: np.ndarray) -> int | None:
    """The number painted into uint8 [H, W, 3], a frame or its negative of any size; None where it
    cannot be read.
    """
    levels = read_block_levels(pixels)
    if levels[0] < 128:
        levels = 255 - levels
    if np.abs(levels - 127.5).min() < SURE:
        return None
    _, *bits, parity = (levels > 127).astype(int)
    if sum(bits) % 2 != parity:
        return None
    gray = sum(int(bit) << place for place, bit in enumerate(bits))
    number = 0
    while gray:
        number, gray = number ^ gray, gray >> 1
    return number


def run_ffmpeg(*arguments: object, frames: bytes = b"") -> None:
    """Run the external ffmpeg.  frames: raw ones for its standard input.  Raises RuntimeError with
    its last line.
    """
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", *map(str, arguments)]
    if frames:
        command.remove("-nostdin")
    done = subprocess.run(command, input=frames or None, capture_output=True, timeout=120)
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
        raise RuntimeError(f"ffmpeg: {lines[-1]} ({' '.join(command)})")


# How each encoder is told to use B-frames where it is asked, on any content, and to be quick.
ENCODERS = {
    "mpeg4": "-c:v mpeg4 -q:v 3 -sc_threshold 1000000000",
    # which leaves B-frames in chunks of their own
    "xvid": "-c:v libxvid -q:v 3 -flags +global_header",
    "xvid packed": "-c:v libxvid -q:v 3",
    "h264": "-c:v libx264 -preset veryfast -crf 20 -threads 1",
    "hevc": "-c:v libx265 -preset ultrafast -crf 20",
    "mpeg2": "-c:v mpeg2video -q:v 3 -sc_threshold 1000000000",
    "vp8": "-c:v libvpx -b:v 1M -deadline realtime -cpu-used 8",
    "vp9": "-c:v libvpx-vp9 -b:v 1M -deadline good -cpu-used 8",
    "av1": "-c:v libsvtav1 -preset 12 -crf 30",
    "mjpeg": "-c:v mjpeg -q:v 3 -pix_fmt yuvj420p",
    "prores": "-c:v prores_ks -pix_fmt yuv422p10le",
}
B_FRAMES = {  # (off, on, on and with references across key frames)
    "mpeg4": ("-bf 0", "-bf 2 -b_strategy 0", "-bf 2 -b_strategy 0"),
    "xvid": ("-bf 0", "-bf 2", "-bf 2"),
    "xvid packed": ("-bf 2", "-bf 2", "-bf 2"),
    "h264": (
        "-bf 0",
        "-x264-params bframes=3:b-adapt=0:scenecut=0",
        "-x264-params bframes=3:b-adapt=0:scenecut=0:open-gop=1",
    ),
    "hevc": (
        "-x265-params log-level=none:bframes=0:pools=1:frame-threads=1",
        "-x265-params log-level=none:bframes=3:b-adapt=0:open-gop=0:pools=1:frame-threads=1",
        "-x265-params log-level=none:bframes=3:b-adapt=0:scenecut=0:open-gop=1:pools=1:"
        "frame-threads=1",
    ),
    "mpeg2": ("-bf 0", "-bf 2 -b_strategy 0", "-bf 2 -b_strategy 0"),
    "vp8": (
        "-auto-alt-ref 0",
        "-deadline good -auto-alt-ref 1 -lag-in-frames 16",
        "-auto-alt-ref 0",
    ),
    "vp9": (
        "-auto-alt-ref 0 -lag-in-frames 0",
        "-auto-alt-ref 1 -lag-in-frames 16",
        "-auto-alt-ref 1 -lag-in-frames 16",
    ),
    "av1": ("-crf 10 -svtav1-params pred-struct=1", "", "-svtav1-params irefresh-type=1"),
}
SOUNDS = {
    "aac": "-c:a aac",
    "mp3": "-c:a libmp3lame",
    "pcm": "-c:a pcm_s16le",
    "opus": "-c:a libopus",
}
CONTAINERS = {  # ending and options of libav's muxers
    "avi": (".avi", ""),
    "mp4": (".mp4", ""),
    "mov": (".mov", ""),
    "mkv": (".mkv", ""),
    "webm": (".webm", ""),
    "mpg": (".mpg", "-f vob"),
    "fragmented mp4": (".mp4", "-movflags frag_keyframe+empty_moov"),
}
GRIDDED = (
    "avi",
    "mpg",
    "mpeg2",
)  # containers and codecs in which a variable rate is a fixed one with gaps


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A video to make with ffmpeg.

    codec: a key of ENCODERS.  container: a key of CONTAINERS.  pictures: "plain", "b-frames" or
    "open cut".
    rate: a key of RATES, or "variable".  start: "zero", "late" (all at 1.4 s), "picture late" or
    "sound late" (by half a second).  sound: a key of SOUNDS, or "none".  frames: how many are
    painted.
    """

    codec: str = "h264"
    container: str = "mp4"
    pictures: str = "plain"
    rate: str = "25"
    start: str = "zero"
    sound: str = "none"
    frames: int = 36

    @property
    def ending(self) -> str:
        return CONTAINERS[self.container][0]

    @property
    def has_gaps(self) -> bool:
        """Whether numbers are left out, as cameras do that miss frames."""
        return self.rate == "variable" and (self.container in GRIDDED or self.codec in GRIDDED)

    @property
    def seconds(self) -> list[fractions.Fraction]:
        """Time of every number, whether it is in the file or not, from the first one."""
        if self.rate != "variable":
            return [number / RATES[self.rate] for number in range(self.frames)]
        if self.has_gaps:
            return [number / RATES["30000/1001"] for number in range(self.frames)]
        return [fractions.Fraction(37 * n + 11 * (n * n % 5), 1000) for n in range(self.frames)]

    @property
    def numbers(self) -> list[int]:
        """Those that are encoded; a cut has lost some of the first, and libxvid two of the last."""
        return [number for number in range(self.frames) if not self.has_gaps or number % 7 != 3]


def make(path: pathlib.Path, recipe: Recipe) -> str:
    """Encode the recipe into `path`, which ends as it says; returns it.  Raises RuntimeError."""
    cut = recipe.pictures == "open cut"
    whole = path.with_name(f"whole-{path.name}") if cut else path
    ending_options = CONTAINERS[recipe.container][1].split()
    picture_start = ["-itsoffset", "0.5"] if recipe.start == "picture late" else []
    sound_start = ["-itsoffset", "0.5"] if recipe.start == "sound late" else []
    late = ["-output_ts_offset", "1.4"] if recipe.start == "late" and not cut else []
    rate = RATES.get(recipe.rate, RATES["30000/1001"])
    given = [
        "-f",
        "rawvideo",
        "-pix_fmt",
        "rgb24",
        "-s",
        f"{SIZE[1]}x{SIZE[0]}",
        "-r",
        rate,
        *picture_start,
        "-i",
        "pipe:0",
    ]
    sound = []
    if recipe.sound != "none":
        length = float(recipe.seconds[-1] + 1 / rate)
        wave = f"aevalsrc='if(gt(t,{SILENCE}),0.5*sin(2*PI*440*t),0)':s=44100:d={length}"
        if recipe.sound == "opus":
            wave = wave.replace("44100", "48000")
        given += [*sound_start, "-f", "lavfi", "-i", wave]
        sound = SOUNDS[recipe.sound].split()
    run_ffmpeg(
        *given,
        *_time_options(recipe),
        *_video_options(recipe),
        *sound,
        *([] if cut else ending_options),
        *late,
        whole,
        frames=_painted(recipe.frames),
    )
    if cut:
        late = ["-output_ts_offset", "1.4"] if recipe.start == "late" else []
        run_ffmpeg(
            "-ss",
            _cut_time(recipe),
            "-i",
            whole,
            "-map",
            "0",
            "-c",
            "copy",
            *ending_options,
            *late,
            path,
        )
        whole.unlink()
    return str(path)


def _cut_time(recipe: Recipe) -> float:
    """Seconds of a frame so far behind the second key frame, number 12, that a copy begins at that
    key frame.

    ffmpeg looks for it up to 0.13 s before the time that it is given, where there are B-frames.
    """
    return (0.5 if recipe.start == "picture late" else 0.0) + float(recipe.seconds[22]) + 0.001


def _time_options(recipe: Recipe) -> list[str]:
    if recipe.rate != "variable":
        return []
    if recipe.has_gaps:
        return ["-vf", r"select='not(eq(mod(n\,7)\,3))'", "-fps_mode", "passthrough"]
    return [
        "-vf",
        r"settb=1/1000,setpts='37*N+11*mod(N*N\,5)'",
        "-fps_mode",
        "passthrough",
        "-enc_time_base",
        "1:1000",
    ]


def _video_options(recipe: Recipe) -> list[str]:
    options = ENCODERS[recipe.codec].split()
    if recipe.codec in B_FRAMES:
        options += B_FRAMES[recipe.codec][
            ("plain", "b-frames", "open cut").index(recipe.pictures)
        ].split()
    if recipe.codec not in ("mjpeg", "prores"):
        options += ["-g", "12"]
        if "-pix_fmt" not in options:
            options += ["-pix_fmt", "yuv420p"]
    return options


@functools.lru_cache(maxsize=8)
def _painted(count: int) -> bytes:
    return b"".join(paint(number).tobytes() for number in range(count))


def fits(recipe: Recipe) -> bool:
    """Whether such files are made: by cameras, by programs, and by ffmpeg."""
    homes = {
        "mpeg4": ("avi", "mp4", "fragmented mp4", "mov", "mkv"),
        "xvid": ("avi", "mp4", "mov", "mkv"),
        "xvid packed": ("avi",),
        "h264": ("avi", "mp4", "fragmented mp4", "mov", "mkv", "mpg"),
        "hevc": ("mp4", "fragmented mp4", "mov", "mkv"),
        "mpeg2": ("mpg", "avi", "mkv", "mp4", "mov"),
        "vp8": ("webm", "mkv", "avi"),
        "vp9": ("webm", "mkv", "mp4", "fragmented mp4"),
        "av1": ("mp4", "fragmented mp4", "mkv", "webm"),
        "mjpeg": ("avi", "mov", "mkv", "mp4"),
        "prores": ("mov", "mkv"),
    }
    sounds = {
        "avi": ("aac", "mp3", "pcm"),
        "mp4": ("aac", "mp3"),
        "fragmented mp4": ("aac", "mp3"),
        "mov": ("aac", "mp3", "pcm"),
        "mkv": ("aac", "mp3", "pcm", "opus"),
        "webm": ("opus",),
        "mpg": ("mp3",),
    }
    if recipe.container not in homes[recipe.codec]:
        return False
    if recipe.sound != "none" and recipe.sound not in sounds[recipe.container]:
        return False
    if recipe.sound == "none" and recipe.start == "sound late":
        return False
    if recipe.codec == "xvid packed" and recipe.pictures == "plain":
        return False
    return recipe.pictures == "plain" or recipe.codec not in ("mjpeg", "prores")


# What a file holds, found without the package.


def decode(path: str) -> list[av.VideoFrame]:
    """The frames of the first video stream, one after the other, as libav gives them; what it
    cannot read is left.
    """
    frames = []
    with av.open(str(path), metadata_errors="replace") as container:
        if not container.streams.video:  # a cut that left the sound alone
            return []
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        for packet in container.demux(stream):
            try:
                frames += packet.decode()
            except av.InvalidDataError:
                continue
    return frames


def decode_numbers(path: str) -> list[int | None]:
    """The number of every frame, in the order of a plain sequential decode."""
    return [read_number(frame.to_ndarray(format="rgb24")) for frame in decode(path)]


def probe(path: str, *entries: str) -> list[str]:
    """Lines of ffprobe.  entries: its options."""
    command = ["ffprobe", "-v", "error", "-of", "csv=p=0", *entries, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return [line.rstrip(",") for line in done.stdout.splitlines()]


def probe_count(path: str) -> int:
    """Frames of the first video stream, as `ffprobe -count_frames` counts them."""
    lines = probe(
        path, "-count_frames", "-select_streams", "v:0", "-show_entries", "stream=nb_read_frames"
    )
    return int(lines[0]) if lines and lines[0].isdigit() else 0


def read_sound(path: str) -> bytes:
    """The bytes of the first sound track's packets, in order."""
    with av.open(str(path), metadata_errors="replace") as container:
        if not container.streams.audio:
            return b""
        return b"".join(bytes(packet) for packet in container.demux(container.streams.audio[0]))


def list_sound(path: str) -> list[tuple[bytes, float]]:
    """(bytes, seconds) of the first sound track's packets, in order."""
    with av.open(str(path), metadata_errors="replace") as container:
        if not container.streams.audio:
            return []
        packets = container.demux(container.streams.audio[0])
        return [
            (bytes(packet), float((packet.pts or 0) * packet.time_base))
            for packet in packets
            if packet.size
        ]


def find_tone(path: str) -> float | None:
    """Seconds at which the first sound track's tone sets in, priming and delay counted as a player
    counts them.
    """
    with av.open(str(path), metadata_errors="replace") as container:
        if not container.streams.audio:
            return None
        for frame in container.decode(container.streams.audio[0]):
            samples = frame.to_ndarray().astype(float)
            if not frame.format.is_planar:
                samples = samples.reshape(-1, frame.layout.nb_channels).T
            scale = np.iinfo(frame.to_ndarray().dtype).max if "s16" in frame.format.name else 1.0
            loud = np.flatnonzero(np.abs(samples[0]) > TONE * scale)
            if len(loud) and frame.pts is not None:
                return float(frame.pts * frame.time_base) + float(loud[0]) / frame.sample_rate
    return None


def find_offset(path: str) -> float | None:
    """Seconds from the first picture to the tone; None without sound."""
    tone = find_tone(path)
    times = find_slots(path)
    if times is None:
        times = [
            float(frame.pts * frame.time_base) for frame in decode(path) if frame.pts is not None
        ]
    return None if tone is None or not times else tone - min(times)


def find_slots(path: str) -> list[float] | None:
    """Seconds of the slots of an AVI file that hold a picture, in order; None of other files."""
    with av.open(str(path), metadata_errors="replace") as container:
        if container.format.name != "avi":
            return None
        packets = container.demux(container.streams.video[0])
        return [
            float(packet.dts * packet.time_base)
            for packet in packets
            if packet.dts is not None and packet.size > 1
        ]


# What the package makes of a file.


def can_conceal() -> bool:
    """Whether a video can be opened with damage concealed."""
    return "on_damage" in inspect.signature(video_reader.open_video).parameters


def anonymize(
    given: str,
    target: pathlib.Path,
    keep: bool = False,
    on_damage: str = "refuse",
    calls: list | None = None,
) -> video_reader.VideoReader:
    """Write the negative of a video; returns it as it was read to its end.

    keep: its sound.  calls: gets the number of frames of each call of the network.  Raises what the
    package raises.
    """

    def invert(frames: np.ndarray) -> np.ndarray:
        if calls is not None:
            calls.append(len(frames))
        return 255 - frames

    wanted = {} if on_damage == "refuse" else {"on_damage": on_damage}
    with video_reader.open_video(str(given), with_sound=keep, **wanted) as opened:
        video.anonymize_video(
            opened,
            target,
            doubles.anonymizer(invert, layout="whole"),
            video_writer.EncodingOptions(threads=1),
        )
    return opened


# Files as trees of chunks, boxes and elements, to be edited.


@dataclasses.dataclass
class Chunk:
    """A chunk of a RIFF file. kind: its four letters.  parts: of a LIST, whose `form` says of what;
    else None.
    """

    kind: bytes
    data: bytes = b""
    form: bytes = b""
    parts: list["Chunk"] | None = None

    def write(self) -> bytes:
        """The chunk with the sizes that it has now, padded to an even length."""
        data = self.data
        if self.parts is not None:
            data = self.form + b"".join(part.write() for part in self.parts)
        return self.kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)

    def walk(self) -> Iterator["Chunk"]:
        """The chunk and every one in it."""
        yield self
        for part in self.parts or ():
            yield from part.walk()


def parse_riff(content: bytes) -> Chunk:
    """The tree of an AVI file of less than a gigabyte."""
    return _parse_chunks(content, 0, len(content))[0]


def _parse_chunks(content: bytes, first: int, last: int) -> list[Chunk]:
    found = []
    while first + 8 <= last:
        kind, size = content[first : first + 4], struct.unpack_from("<I", content, first + 4)[0]
        end = min(first + 8 + size, last)
        if kind in (b"RIFF", b"LIST"):
            form = content[first + 8 : first + 12]
            found.append(Chunk(kind, form=form, parts=_parse_chunks(content, first + 12, end)))
        else:
            found.append(Chunk(kind, content[first + 8 : end]))
        first = end + size % 2
    return found


def edit_riff(path: str, change: Callable[[Chunk], None], index: bool = True) -> str:
    """Change an AVI file's tree and write it again, with an index that fits or without one; returns
    the path.
    """
    tree = parse_riff(pathlib.Path(path).read_bytes())
    change(tree)
    tree.parts = [part for part in tree.parts if part.kind != b"idx1"]
    movie = next(part for part in tree.parts if part.form == b"movi")
    if index:
        tree.parts.append(Chunk(b"idx1", _index(movie)))
    pathlib.Path(path).write_bytes(tree.write())
    return str(path)


def _index(movie: Chunk) -> bytes:
    """idx1 of the pictures and the sound of a movi list; whatever follows an intra picture's start
    code is one.
    """
    entries, place = [], 4
    for chunk in movie.parts:
        vop = chunk.data.find(b"\0\0\1\xb6")
        intra = vop >= 0 and vop + 4 < len(chunk.data) and chunk.data[vop + 4] >> 6 == 0
        key = intra or chunk.kind[2:] == b"wb" or chunk.data[:2] == b"\xff\xd8"
        if chunk.kind[:2].isdigit():
            entries.append(
                chunk.kind + struct.pack("<III", 0x10 if key else 0, place, len(chunk.data))
            )
        place += len(chunk.write())
    return b"".join(entries)


def find_chunks(tree: Chunk, kind: bytes) -> list[Chunk]:
    """Every chunk of that kind, in order."""
    return [chunk for chunk in tree.walk() if chunk.kind == kind]


def find_movie(tree: Chunk) -> Chunk:
    """The list of the pictures."""
    return next(chunk for chunk in tree.walk() if chunk.form == b"movi")


def patch_number(chunk: Chunk, offset: int, value: int) -> None:
    """Write a 32-bit little-endian number into a chunk."""
    chunk.data = chunk.data[:offset] + struct.pack("<I", value) + chunk.data[offset + 4 :]


CONTAINER_BOXES = (
    b"moov",
    b"trak",
    b"mdia",
    b"minf",
    b"stbl",
    b"edts",
    b"moof",
    b"traf",
    b"mvex",
    b"dinf",
    b"udta",
)


def find_boxes(
    content: bytes, first: int = 0, last: int | None = None
) -> list[tuple[bytes, int, int]]:
    """(kind, start, end) of every box of an MP4 file, those inside others too."""
    found, last = [], len(content) if last is None else last
    while first + 8 <= last:
        size, kind = struct.unpack_from(">I4s", content, first)
        if size < 8:
            break
        end = min(first + size, last)
        found.append((kind, first, end))
        if kind in CONTAINER_BOXES:
            found += find_boxes(content, first + 8, end)
        first = end
    return found


MASTERS = (
    0x18538067,
    0x1549A966,
    0x1654AE6B,
    0xAE,
    0xE0,
    0xE1,
    0x1F43B675,
    0xA0,
    0x1C53BB6B,
    0xBB,
    0xB7,
    0x114D9B74,
    0x4DBB,
    0x1254C367,
    0x7373,
    0x67C8,
)  # EBML elements of Matroska that hold others


def find_elements(
    content: bytes, first: int = 0, last: int | None = None
) -> list[tuple[int, int, int]]:
    """(identifier, start, end) of every element of a Matroska file, those inside others too."""
    found, last = [], len(content) if last is None else last
    while first + 2 <= last:
        length = 9 - content[first].bit_length()
        identifier = int.from_bytes(content[first : first + length], "big")
        place = first + length
        if length > 4 or place >= last or not content[place]:
            break
        width = 9 - content[place].bit_length()
        size = int.from_bytes(content[place : place + width], "big") & ~(1 << 7 * width)
        body = place + width
        unknown = size == (1 << 7 * width) - 1
        end = last if unknown else min(body + size, last)
        found.append((identifier, first, end))
        if identifier in MASTERS:
            found += find_elements(content, body, end)
        first = end
    return found


def replace_once(path: str, old: bytes, new: bytes) -> str:
    """Replace the only place of `old` in a file; returns the path."""
    content = pathlib.Path(path).read_bytes()
    assert content.count(old) == 1, f"{content.count(old)} places of {old!r}"
    pathlib.Path(path).write_bytes(content.replace(old, new))
    return str(path)


def list_folder(folder: pathlib.Path) -> Sequence[str]:
    """Names of all files below a folder, sorted."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
