"""Odd videos, made with ffmpeg or by editing bytes, with a number painted into every frame.

A frame is a grid of 3 rows and 4 columns of black and white blocks. Ten of them are the number in
Gray code (neighbours differ in one block, so that B-frames pay), one is their parity, and one is
always white, which distinguishes a frame from its negative. The number survives lossy coding; of a
frame that is grey, mixed or torn it cannot be read.
"""

import dataclasses
import fractions
import functools
import pathlib
import shutil
import struct
import subprocess
from collections.abc import Callable, Iterator

import av
import doubles
import numpy as np

from tfanon.inference import video
from tfanon.media import video_reader
from tfanon.media.encoding_options import EncodingOptions

ROWS, COLUMNS = 3, 4
BITS = ROWS * COLUMNS - 2
SIZE = (72, 96)  # (H, W) of a frame; 24 pixels to a block
DARK, LIGHT = 30, 225
MIDDLE = 127.5
MIN_CONTRAST = 50  # grey levels by which a block must be darker or lighter than the middle
RATES = {
    name: fractions.Fraction(name)
    for name in ("10", "15", "25", "24000/1001", "30000/1001", "60000/1001")
}
VARIABLE_GRID_RATE = "30000/1001"
GOP = 12  # frames from one key frame to the next
SILENCE_SECONDS = 0.3  # before the tone starts
TONE_LEVEL = 0.2  # fraction of full scale that counts as tone

ffmpeg_is_missing = shutil.which("ffmpeg") is None


def paint_number(number: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """uint8 [H, W, 3]: frame ``number``, 0 to 1023."""
    gray = number ^ number >> 1
    bits = [gray >> position & 1 for position in range(BITS)]
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
    return bool(read_block_levels(pixels)[0] < MIDDLE)


def read_number(pixels: np.ndarray) -> int | None:
    """The number in uint8 [H, W, 3], a frame or its negative of any size; None if unreadable."""
    levels = read_block_levels(pixels)
    if levels[0] < MIDDLE:
        levels = 255 - levels
    if np.abs(levels - MIDDLE).min() < MIN_CONTRAST:
        return None
    _, *bits, parity = (levels > MIDDLE).astype(int)
    if sum(bits) % 2 != parity:
        return None
    gray = sum(int(bit) << position for position, bit in enumerate(bits))
    number = 0
    while gray:
        number, gray = number ^ gray, gray >> 1
    return number


def run_ffmpeg(*arguments: object, frames: bytes = b"") -> None:
    """Run the external ffmpeg.  frames: raw ones for its standard input.

    Raises RuntimeError with its last line.
    """
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", *map(str, arguments)]
    if frames:
        command.remove("-nostdin")
    done = subprocess.run(
        command, input=frames or None, capture_output=True, timeout=120, check=False
    )
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        last = lines[-1] if lines else "no message"
        raise RuntimeError(f"ffmpeg: {last} ({' '.join(command)})")


def describe_raw_input(size: tuple[int, int], rate: object) -> list[object]:
    """ffmpeg's arguments for raw frames on its standard input, without the -i."""
    return [*"-f rawvideo -pix_fmt rgb24".split(), "-s", f"{size[1]}x{size[0]}", "-r", rate]


# Options that make each encoder use B-frames if they are on, with any content, and be quick.
ENCODER_OPTIONS = {
    "mpeg4": "-c:v mpeg4 -q:v 3 -sc_threshold 1000000000",
    "xvid": "-c:v libxvid -q:v 3 -flags +global_header",  # leaves B-frames in chunks of their own
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
B_FRAME_MODES = ("plain", "b-frames", "open cut")
# For each of the modes: off, on, on and with references across key frames.
B_FRAME_OPTIONS = {
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
INTRA_CODECS = ("mjpeg", "prores")
SOUND_OPTIONS = {
    "aac": "-c:a aac",
    "mp3": "-c:a libmp3lame",
    "pcm": "-c:a pcm_s16le",
    "opus": "-c:a libopus",
}
# ending and options of libav's muxers
CONTAINER_OPTIONS = {
    "avi": (".avi", ""),
    "mp4": (".mp4", ""),
    "mov": (".mov", ""),
    "mkv": (".mkv", ""),
    "webm": (".webm", ""),
    "mpg": (".mpg", "-f vob"),
    "fragmented mp4": (".mp4", "-movflags frag_keyframe+empty_moov"),
}
# Containers and codecs in which a variable rate is a fixed one with gaps.
FIXED_RATE_FORMATS = ("avi", "mpg", "mpeg2")

# The combinations that cameras, programs and ffmpeg make.
CONTAINERS_OF_CODEC = {
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
SOUNDS_OF_CONTAINER = {
    "avi": ("aac", "mp3", "pcm"),
    "mp4": ("aac", "mp3"),
    "fragmented mp4": ("aac", "mp3"),
    "mov": ("aac", "mp3", "pcm"),
    "mkv": ("aac", "mp3", "pcm", "opus"),
    "webm": ("opus",),
    "mpg": ("mp3",),
}


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A video to make with ffmpeg.

    codec: a key of ENCODER_OPTIONS.  container: a key of CONTAINER_OPTIONS.  pictures: one of
    B_FRAME_MODES.  rate: a key of RATES, or "variable".  start: "zero", "late" (all at 1.4 s),
    "picture late" or "sound late" (by half a second).  sound: a key of SOUND_OPTIONS, or "none".
    frames: how many are painted.
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
        return CONTAINER_OPTIONS[self.container][0]

    @property
    def has_gaps(self) -> bool:
        """Whether numbers are left out, as by cameras that miss frames."""
        is_on_grid = self.container in FIXED_RATE_FORMATS or self.codec in FIXED_RATE_FORMATS
        return self.rate == "variable" and is_on_grid

    @property
    def seconds(self) -> list[fractions.Fraction]:
        """Time of every number from the first one, whether it is in the file or not."""
        if self.rate == "variable" and not self.has_gaps:
            return [fractions.Fraction(37 * n + 11 * (n * n % 5), 1000) for n in range(self.frames)]
        rate = RATES[VARIABLE_GRID_RATE if self.has_gaps else self.rate]
        return [number / rate for number in range(self.frames)]

    @property
    def numbers(self) -> list[int]:
        """Those that are encoded; a cut loses some of the first, and libxvid two of the last."""
        return [number for number in range(self.frames) if not self.has_gaps or number % 7 != 3]


def encode_recipe(path: pathlib.Path, recipe: Recipe) -> str:
    """Encode the recipe into ``path``, which ends as the recipe says; returns the path.

    Raises RuntimeError if ffmpeg does.
    """
    muxer_options = CONTAINER_OPTIONS[recipe.container][1].split()
    if recipe.start == "late":
        muxer_options += ["-output_ts_offset", "1.4"]
    if recipe.pictures != "open cut":
        _encode_frames(path, recipe, muxer_options)
        return str(path)
    whole = path.with_name(f"whole-{path.name}")
    _encode_frames(whole, recipe, [])
    copy = ["-i", whole, "-map", "0", "-c", "copy"]
    run_ffmpeg("-ss", _find_cut_time(recipe), *copy, *muxer_options, path)
    whole.unlink()
    return str(path)


def _encode_frames(path: pathlib.Path, recipe: Recipe, muxer_options: list[str]) -> None:
    rate = RATES.get(recipe.rate, RATES[VARIABLE_GRID_RATE])
    inputs = describe_raw_input(SIZE, rate)
    if recipe.start == "picture late":
        inputs += ["-itsoffset", "0.5"]
    inputs += ["-i", "pipe:0"]
    sound_options: list[str] = []
    if recipe.sound != "none":
        if recipe.start == "sound late":
            inputs += ["-itsoffset", "0.5"]
        seconds = float(recipe.seconds[-1] + 1 / rate)
        sample_rate = 48000 if recipe.sound == "opus" else 44100
        tone = f"if(gt(t,{SILENCE_SECONDS}),0.5*sin(2*PI*440*t),0)"
        inputs += ["-f", "lavfi", "-i", f"aevalsrc='{tone}':s={sample_rate}:d={seconds}"]
        sound_options = SOUND_OPTIONS[recipe.sound].split()
    run_ffmpeg(
        *inputs,
        *_list_time_options(recipe),
        *_list_video_options(recipe),
        *sound_options,
        *muxer_options,
        path,
        frames=_paint_numbers(recipe.frames),
    )


def _find_cut_time(recipe: Recipe) -> float:
    """Seconds at which a copy must begin to start at the second key frame, number 12.

    With B-frames, ffmpeg looks for a key frame up to 0.13 s before the time that it is given, so
    the time is that of a frame well after it.
    """
    start = 0.5 if recipe.start == "picture late" else 0.0
    return start + float(recipe.seconds[22]) + 0.001


def _list_time_options(recipe: Recipe) -> list[str]:
    if recipe.rate != "variable":
        return []
    if recipe.has_gaps:
        return ["-vf", r"select='not(eq(mod(n\,7)\,3))'", "-fps_mode", "passthrough"]
    times = ["-vf", r"settb=1/1000,setpts='37*N+11*mod(N*N\,5)'", "-fps_mode", "passthrough"]
    return [*times, "-enc_time_base", "1:1000"]


def _list_video_options(recipe: Recipe) -> list[str]:
    options = ENCODER_OPTIONS[recipe.codec].split()
    if recipe.codec in B_FRAME_OPTIONS:
        mode = B_FRAME_MODES.index(recipe.pictures)
        options += B_FRAME_OPTIONS[recipe.codec][mode].split()
    if recipe.codec not in INTRA_CODECS:
        options += ["-g", str(GOP)]
        if "-pix_fmt" not in options:
            options += ["-pix_fmt", "yuv420p"]
    return options


@functools.lru_cache(maxsize=8)
def _paint_numbers(count: int) -> bytes:
    return b"".join(paint_number(number).tobytes() for number in range(count))


def is_supported(recipe: Recipe) -> bool:
    """Whether such files are made: by cameras, by programs, and by ffmpeg."""
    if recipe.container not in CONTAINERS_OF_CODEC[recipe.codec]:
        return False
    if recipe.sound == "none":
        if recipe.start == "sound late":
            return False
    elif recipe.sound not in SOUNDS_OF_CONTAINER[recipe.container]:
        return False
    if recipe.codec == "xvid packed" and recipe.pictures == "plain":
        return False
    return recipe.pictures == "plain" or recipe.codec not in INTRA_CODECS


# What a file holds, found without the package.


def decode(path: object) -> list[av.VideoFrame]:
    """The frames of the first video stream, one after the other, as libav returns them.

    What it cannot decode is left out.
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


def decode_pixels(path: object) -> list[np.ndarray]:
    """The frames that decode() returns, as uint8 [H, W, 3]."""
    return [frame.to_ndarray(format="rgb24") for frame in decode(path)]


def decode_numbers(path: object) -> list[int | None]:
    """The number of every frame, in the order of a plain sequential decode."""
    return [read_number(pixels) for pixels in decode_pixels(path)]


def count_frames_with_ffprobe(path: object) -> int:
    """Frames of the first video stream, as ``ffprobe -count_frames`` counts them."""
    command = ["ffprobe", "-v", "error", "-of", "csv=p=0", "-count_frames"]
    command += ["-select_streams", "v:0", "-show_entries", "stream=nb_read_frames", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    lines = [line.rstrip(",") for line in done.stdout.splitlines()]
    return int(lines[0]) if lines and lines[0].isdigit() else 0


def read_sound(path: object) -> bytes:
    """The bytes of the first sound track's packets, in order."""
    with av.open(str(path), metadata_errors="replace") as container:
        if not container.streams.audio:
            return b""
        return b"".join(bytes(packet) for packet in container.demux(container.streams.audio[0]))


def list_sound_packets(path: object) -> list[tuple[bytes, float]]:
    """(bytes, seconds) of the first sound track's packets, in order."""
    packets = []
    with av.open(str(path), metadata_errors="replace") as container:
        if not container.streams.audio:
            return []
        for packet in container.demux(container.streams.audio[0]):
            if packet.size:
                packets.append((bytes(packet), float((packet.pts or 0) * packet.time_base)))
    return packets


def find_tone_start(path: object) -> float | None:
    """Seconds at which the tone of the first sound track starts, as a player plays it.

    That counts the encoder's priming and delay.
    """
    with av.open(str(path), metadata_errors="replace") as container:
        if not container.streams.audio:
            return None
        for frame in container.decode(container.streams.audio[0]):
            samples = frame.to_ndarray()
            full_scale = np.iinfo(samples.dtype).max if "s16" in frame.format.name else 1.0
            if not frame.format.is_planar:
                samples = samples.reshape(-1, frame.layout.nb_channels).T
            loud = np.flatnonzero(np.abs(samples[0].astype(float)) > TONE_LEVEL * full_scale)
            if len(loud) and frame.pts is not None:
                return float(frame.pts * frame.time_base) + float(loud[0]) / frame.sample_rate
    return None


def measure_tone_offset(path: object) -> float | None:
    """Seconds from the first frame to the tone; None without sound."""
    tone = find_tone_start(path)
    times = list_slot_times(path)
    if times is None:
        stamped = [frame for frame in decode(path) if frame.pts is not None]
        times = [float(frame.pts * frame.time_base) for frame in stamped]
    if tone is None or not times:
        return None
    return tone - min(times)


def list_slot_times(path: object) -> list[float] | None:
    """Seconds of the slots of an AVI file that hold a frame, in order; None for other files."""
    times = []
    with av.open(str(path), metadata_errors="replace") as container:
        if container.format.name != "avi":
            return None
        for packet in container.demux(container.streams.video[0]):
            if packet.dts is not None and packet.size > 1:
                times.append(float(packet.dts * packet.time_base))
    return times


# What the package makes of a file.


def write_negative(
    source: object,
    target: pathlib.Path,
    with_sound: bool = False,
    on_damage: str = "refuse",
    calls: list[int] | None = None,
) -> video_reader.VideoReader:
    """Write the negative of a video as an anonymized file; returns its reader.

    calls: gets the number of frames of each call of the network.  Raises what the package raises.
    """

    def invert(frames: np.ndarray) -> np.ndarray:
        if calls is not None:
            calls.append(len(frames))
        return 255 - frames

    anonymizer = doubles.make_anonymizer(invert, layout="whole")
    encoding = EncodingOptions(threads=1)
    with video_reader.open_video(str(source), with_sound=with_sound, on_damage=on_damage) as opened:
        video.anonymize_video(opened, target, anonymizer, encoding)
    return opened


# Files as trees of chunks, boxes and elements, to be edited.


@dataclasses.dataclass
class Chunk:
    """A chunk of a RIFF file.

    kind: its four letters.  parts: of a LIST, whose ``form`` says of what; else None.
    """

    kind: bytes
    data: bytes = b""
    form: bytes = b""
    parts: list["Chunk"] | None = None

    def to_bytes(self) -> bytes:
        """The chunk with the sizes that it has now, padded to an even length."""
        data = self.data
        if self.parts is not None:
            data = self.form + b"".join(part.to_bytes() for part in self.parts)
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
    chunks = []
    while first + 8 <= last:
        kind, size = content[first : first + 4], struct.unpack_from("<I", content, first + 4)[0]
        end = min(first + 8 + size, last)
        if kind in (b"RIFF", b"LIST"):
            form = content[first + 8 : first + 12]
            chunks.append(Chunk(kind, form=form, parts=_parse_chunks(content, first + 12, end)))
        else:
            chunks.append(Chunk(kind, content[first + 8 : end]))
        first = end + size % 2
    return chunks


def edit_riff(path: str, change: Callable[[Chunk], None], index: bool = True) -> str:
    """Change the tree of an AVI file and write it again; returns the path.

    index: whether it gets an index, which fits.
    """
    tree = parse_riff(pathlib.Path(path).read_bytes())
    change(tree)
    tree.parts = [part for part in tree.parts if part.kind != b"idx1"]
    movie = next(part for part in tree.parts if part.form == b"movi")
    if index:
        tree.parts.append(Chunk(b"idx1", _make_index(movie)))
    pathlib.Path(path).write_bytes(tree.to_bytes())
    return str(path)


def _make_index(movie: Chunk) -> bytes:
    """idx1 of a movi list; what follows the start code of an intra picture is a key frame."""
    entries = []
    position = 4
    for chunk in movie.parts:
        vop = chunk.data.find(b"\0\0\1\xb6")
        is_intra = vop >= 0 and vop + 4 < len(chunk.data) and chunk.data[vop + 4] >> 6 == 0
        is_key = is_intra or chunk.kind[2:] == b"wb" or chunk.data[:2] == b"\xff\xd8"
        if chunk.kind[:2].isdigit():
            numbers = struct.pack("<III", 0x10 if is_key else 0, position, len(chunk.data))
            entries.append(chunk.kind + numbers)
        position += len(chunk.to_bytes())
    return b"".join(entries)


def find_chunks(tree: Chunk, kind: bytes) -> list[Chunk]:
    """Every chunk of a kind, in order."""
    return [chunk for chunk in tree.walk() if chunk.kind == kind]


def find_movie(tree: Chunk) -> Chunk:
    """The list of the frames."""
    return next(chunk for chunk in tree.walk() if chunk.form == b"movi")


def patch_number(chunk: Chunk, offset: int, value: int) -> None:
    """Write a 32-bit little-endian number into a chunk."""
    chunk.data = chunk.data[:offset] + struct.pack("<I", value) + chunk.data[offset + 4 :]


MP4_CONTAINER_BOXES = (
    *(b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts"),
    *(b"moof", b"traf", b"mvex", b"dinf", b"udta"),
)


def find_boxes(
    content: bytes, first: int = 0, last: int | None = None
) -> list[tuple[bytes, int, int]]:
    """(kind, start, end) of every box of an MP4 file, including those inside others."""
    boxes = []
    last = len(content) if last is None else last
    while first + 8 <= last:
        size, kind = struct.unpack_from(">I4s", content, first)
        if size < 8:
            break
        end = min(first + size, last)
        boxes.append((kind, first, end))
        if kind in MP4_CONTAINER_BOXES:
            boxes += find_boxes(content, first + 8, end)
        first = end
    return boxes


# EBML elements of Matroska that hold others
MATROSKA_MASTERS = (
    *(0x18538067, 0x1549A966, 0x1654AE6B, 0xAE, 0xE0, 0xE1, 0x1F43B675, 0xA0),
    *(0x1C53BB6B, 0xBB, 0xB7, 0x114D9B74, 0x4DBB, 0x1254C367, 0x7373, 0x67C8),
)


def find_elements(
    content: bytes, first: int = 0, last: int | None = None
) -> list[tuple[int, int, int]]:
    """(identifier, start, end) of every element of a Matroska file, including those in others."""
    elements = []
    last = len(content) if last is None else last
    while first + 2 <= last:
        length = 9 - content[first].bit_length()
        identifier = int.from_bytes(content[first : first + length], "big")
        position = first + length
        if length > 4 or position >= last or not content[position]:
            break
        width = 9 - content[position].bit_length()
        mask = ~(1 << 7 * width)
        size = int.from_bytes(content[position : position + width], "big") & mask
        body = position + width
        is_unknown = size == (1 << 7 * width) - 1
        end = last if is_unknown else min(body + size, last)
        elements.append((identifier, first, end))
        if identifier in MATROSKA_MASTERS:
            elements += find_elements(content, body, end)
        first = end
    return elements


def list_folder(folder: pathlib.Path) -> list[str]:
    """Names of all files below a folder, sorted."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
