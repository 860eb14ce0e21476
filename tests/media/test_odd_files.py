"""OddFile files that cameras, programs and data sets really write: read and anonymized.

Every builder writes a file with numbered frames (tests/recipes.py) into a folder, and describes
what is in it.
"""

import dataclasses
import fractions
import functools
import pathlib
import re
import struct
from collections.abc import Callable, Sequence

import av
import numpy as np
import pytest
import recipes
from recipes import Chunk, Recipe

from tfanon.media import frame_reader
from tfanon.media.limits import MediaError

pytestmark = pytest.mark.skipif(recipes.ffmpeg_is_missing, reason="makes its files with ffmpeg")

COUNT = 36
ALL_NUMBERS = tuple(range(COUNT))
NUMBERS_WITH_GAPS = tuple(number for number in ALL_NUMBERS if number % 7 != 3)
ALL_BUT_8 = tuple(number for number in ALL_NUMBERS if number != 8)
NTSC = fractions.Fraction(30000, 1001)
TIME_TOLERANCE_SECONDS = 0.0011
SIDE = 64  # of frames as training reads them


@dataclasses.dataclass(frozen=True)
class OddFile:
    """A file and what must be read from it.

    numbers: of its frames; None: those of a plain sequential decode.  times: seconds of every
    number; None: not checked.  refused: pattern of the message if it may be refused unless damage
    is concealed; empty: it is read.  concealed: numbers that the output must have if damage is
    concealed; None: those above, and no others.  last: whether the time of the last frame is
    known: libxvid's last ones are lost.
    """

    path: str
    numbers: tuple[int, ...] | None = ALL_NUMBERS
    times: tuple[float, ...] | None = None
    refused: str = ""
    concealed: tuple[int, ...] | None = None
    last: bool = True


def list_even_times(
    rate: fractions.Fraction = fractions.Fraction(25), count: int = COUNT
) -> tuple[float, ...]:
    """Seconds of ``count`` frames."""
    return tuple(float(number / rate) for number in range(count))


BUILDERS: dict[str, Callable[[pathlib.Path], OddFile]] = {}


def register(builder: Callable[[pathlib.Path], OddFile]) -> Callable[[pathlib.Path], OddFile]:
    """Decorate a builder whose file is tested."""
    BUILDERS[builder.__name__] = builder
    return builder


def encode(
    path: pathlib.Path,
    options: str,
    count: int = COUNT,
    rate: fractions.Fraction | int = 25,
    size: tuple[int, int] = recipes.SIZE,
) -> str:
    """Encode painted frames with ffmpeg's options; returns the path."""
    frames = b"".join(recipes.paint_number(number, size).tobytes() for number in range(count))
    recipes.run_ffmpeg(
        *recipes.describe_raw_input(size, rate),
        *("-i", "pipe:0"),
        *options.split(),
        path,
        frames=frames,
    )
    return str(path)


X264 = "-c:v libx264 -preset veryfast -pix_fmt yuv420p -g 12 -threads 1 -bf 2"
MPEG4 = "-c:v mpeg4 -q:v 3 -g 12"
DIVX = b"DivX503b1393"


# AVI: chunks, slots and headers.


@register
def packed_b_frames(folder: pathlib.Path) -> OddFile:
    path = recipes.encode_recipe(folder / "in.avi", Recipe("xvid packed", "avi", "b-frames"))
    movie = recipes.find_movie(recipes.parse_riff(pathlib.Path(path).read_bytes()))
    frames_per_chunk = [chunk.data.count(b"\0\0\1\xb6") for chunk in movie.parts]
    chunk_bytes = [len(chunk.data) for chunk in movie.parts if chunk.kind == b"00dc"]
    assert 2 in frames_per_chunk and max(chunk_bytes) > 100
    return OddFile(path, None, list_even_times(), last=False)


@register
def dropped_slots(folder: pathlib.Path) -> OddFile:
    path = recipes.encode_recipe(folder / "in.avi", Recipe("mpeg4", "avi", rate="variable"))
    return OddFile(path, NUMBERS_WITH_GAPS, list_even_times(NTSC))


@register
def dropped_slots_with_b_frames(folder: pathlib.Path) -> OddFile:
    path = recipes.encode_recipe(
        folder / "in.avi", Recipe("mpeg4", "avi", "b-frames", rate="variable")
    )
    return OddFile(path, NUMBERS_WITH_GAPS)


def write_wrong_length(folder: pathlib.Path, length: int) -> OddFile:
    """An AVI file both of whose headers say that it has ``length`` frames."""
    path = encode(folder / "in.avi", MPEG4)

    def patch_lengths(tree: Chunk) -> None:
        recipes.patch_number(recipes.find_chunks(tree, b"avih")[0], 16, length)
        recipes.patch_number(recipes.find_chunks(tree, b"strh")[0], 32, length)

    return OddFile(recipes.edit_riff(path, patch_lengths), times=list_even_times())


@register
def header_says_seven_frames(folder: pathlib.Path) -> OddFile:
    return write_wrong_length(folder, 7)


@register
def header_says_no_frames(folder: pathlib.Path) -> OddFile:
    return write_wrong_length(folder, 0)


@register
def header_says_one_frame_more(folder: pathlib.Path) -> OddFile:
    return write_wrong_length(folder, COUNT + 1)


@register
def header_says_twice_the_frames(folder: pathlib.Path) -> OddFile:
    return write_wrong_length(folder, 2 * COUNT)


def encode_without_index(folder: pathlib.Path, options: str) -> str:
    return recipes.edit_riff(encode(folder / "in.avi", options), lambda tree: None, index=False)


@register
def no_index(folder: pathlib.Path) -> OddFile:
    return OddFile(encode_without_index(folder, MPEG4), times=list_even_times())


@register
def no_index_with_b_frames(folder: pathlib.Path) -> OddFile:
    return OddFile(encode_without_index(folder, f"{MPEG4} -bf 2"), times=list_even_times())


@register
def no_index_of_packed_b_frames(folder: pathlib.Path) -> OddFile:
    path = recipes.encode_recipe(folder / "in.avi", Recipe("xvid packed", "avi", "b-frames"))
    return OddFile(
        recipes.edit_riff(path, lambda tree: None, index=False), None, list_even_times(), last=False
    )


@register
def no_index_and_the_former_size(folder: pathlib.Path) -> OddFile:
    """As a cut after the last frame leaves it."""
    path = pathlib.Path(encode(folder / "in.avi", MPEG4))
    content = path.read_bytes()
    path.write_bytes(content[: content.rindex(b"idx1")])
    return OddFile(str(path), times=list_even_times(), refused="in.avi")


def insert_chunks(
    folder: pathlib.Path, data: bytes, positions: Sequence[int], options: str = MPEG4
) -> str:
    """An AVI file with additional video chunks, whose headers count them as frames."""
    path = encode(folder / "in.avi", options)

    def insert(tree: Chunk) -> None:
        movie = recipes.find_movie(tree)
        for position in positions:
            movie.parts.insert(position, Chunk(b"00dc", data))
        recipes.patch_number(recipes.find_chunks(tree, b"avih")[0], 16, COUNT + len(positions))
        recipes.patch_number(recipes.find_chunks(tree, b"strh")[0], 32, COUNT + len(positions))

    return recipes.edit_riff(path, insert)


def name_encoder(path: str, name: bytes) -> str:
    """Replace the name that ffmpeg's encoder leaves in the stream; returns the path."""
    content = pathlib.Path(path).read_bytes()
    name = name.ljust(13)
    content = re.sub(
        rb"(\x00\x00\x01\xb2)Lavc\d\d\.\d+\.\d\d\d", lambda match: match[1] + name, content
    )
    assert name in content
    pathlib.Path(path).write_bytes(content)
    return path


@register
def a_second_chunk_of_one_byte(folder: pathlib.Path) -> OddFile:
    return OddFile(name_encoder(insert_chunks(folder, b"\x7f", [1]), DIVX))


@register
def a_second_chunk_of_one_byte_and_b_frames(folder: pathlib.Path) -> OddFile:
    return OddFile(name_encoder(insert_chunks(folder, b"\x7f", [1], f"{MPEG4} -bf 2"), DIVX))


@register
def a_second_chunk_of_one_byte_and_packed_b_frames(folder: pathlib.Path) -> OddFile:
    """As in the clips of HMDB51."""
    path = recipes.encode_recipe(folder / "in.avi", Recipe("xvid packed", "avi", "b-frames"))
    return OddFile(
        recipes.edit_riff(
            path, lambda tree: recipes.find_movie(tree).parts.insert(1, Chunk(b"00dc", b"\x7f"))
        ),
        None,
    )


@register
def chunks_of_one_byte_everywhere(folder: pathlib.Path) -> OddFile:
    return OddFile(name_encoder(insert_chunks(folder, b"\x7f", [1, 9, 20, COUNT + 3]), DIVX))


@register
def a_first_chunk_of_one_byte(folder: pathlib.Path) -> OddFile:
    return OddFile(insert_chunks(folder, b"\x7f", [0]), refused="in.avi")


@register
def a_chunk_of_one_byte_that_is_not_divx(folder: pathlib.Path) -> OddFile:
    return OddFile(insert_chunks(folder, b"\x7f", [1]), refused="in.avi")


@register
def empty_chunks(folder: pathlib.Path) -> OddFile:
    slots = tuple(number / 25 for number in range(COUNT + 2) if number not in (1, 9))
    return OddFile(insert_chunks(folder, b"", [1, 9]), times=slots)


@register
def empty_chunks_at_both_ends(folder: pathlib.Path) -> OddFile:
    return OddFile(insert_chunks(folder, b"", [0, COUNT + 1]), times=list_even_times())


@register
def chunks_that_are_not_coded(folder: pathlib.Path) -> OddFile:
    """A frame header whose coded bit is 0: show the last frame again."""
    return OddFile(insert_chunks(folder, b"\0\0\1\xb6\x50\x5f", [5, 20]), None)


@register
def avi_written_to_a_pipe(folder: pathlib.Path) -> OddFile:
    """No length, no index, no sizes: the writer could not go back."""
    path = folder / "in.avi"
    encode(folder / "pipe", f"{MPEG4} -f avi -flush_packets 1")
    content = (folder / "pipe").read_bytes()
    tree = recipes.parse_riff(content)
    recipes.patch_number(recipes.find_chunks(tree, b"avih")[0], 16, 0)
    recipes.patch_number(recipes.find_chunks(tree, b"strh")[0], 32, 0)
    tree.parts = [part for part in tree.parts if part.kind != b"idx1"]
    content = bytearray(tree.to_bytes())
    movie = content.index(b"movi") - 8
    content[4:8] = content[movie + 4 : movie + 8] = b"\0" * 4
    path.write_bytes(content)
    (folder / "pipe").unlink()
    return OddFile(str(path), times=list_even_times())


def register_avi(
    name: str,
    options: str,
    numbers: tuple[int, ...] | None = ALL_NUMBERS,
    **arguments: object,
) -> None:
    """Register a builder that encodes an AVI file with ffmpeg's options."""

    def build(folder: pathlib.Path) -> OddFile:
        times = list_even_times(arguments.get("rate", fractions.Fraction(25)))
        return OddFile(
            encode(folder / "in.avi", options, **arguments),
            numbers,
            times,
            last=numbers is not None,
        )

    BUILDERS[name] = build


register_avi("divx_3", "-c:v msmpeg4 -q:v 3 -vtag DIV3")
register_avi("divx_5", f"{MPEG4} -bf 1 -vtag DX50")
register_avi("wmv_2", "-c:v wmv2 -q:v 3")
register_avi("h263", "-c:v h263 -q:v 3 -s 128x96", size=(96, 128))
register_avi("uncompressed", "-c:v rawvideo -pix_fmt bgr24")
register_avi("uncompressed_yuv", "-c:v rawvideo -pix_fmt yuv420p")
register_avi("huffyuv", "-c:v huffyuv")
register_avi("dv", "-c:v dvvideo -s 720x576 -pix_fmt yuv420p -f avi", size=(576, 720))
register_avi("mpeg_1_in_avi", "-c:v mpeg1video -q:v 3 -bf 2 -b_strategy 0")
register_avi(
    "vp8_with_invisible_frames",
    "-c:v libvpx -b:v 1M -auto-alt-ref 1 -lag-in-frames 16 -deadline good -cpu-used 8",
)
register_avi("xvid_60_fps", "-c:v libxvid -q:v 3 -bf 2", None, rate=fractions.Fraction(60000, 1001))


@register
def mjpeg_without_huffman_tables(folder: pathlib.Path) -> OddFile:
    """Webcams leave out the tables of the standard."""
    path = encode(folder / "in.avi", "-c:v mjpeg -q:v 3 -pix_fmt yuvj420p -huffman default")

    def strip(tree: Chunk) -> None:
        for chunk in recipes.find_movie(tree).parts:
            while (place := chunk.data.find(b"\xff\xc4")) >= 0:
                length = struct.unpack_from(">H", chunk.data, place + 2)[0]
                chunk.data = chunk.data[:place] + chunk.data[place + 2 + length :]

    return OddFile(recipes.edit_riff(path, strip), times=list_even_times())


# MP4 and MOV.


def register_fragmented_mp4(rate: str) -> None:
    """Register a builder of an MP4 file in fragments, with B-frames."""

    def build(folder: pathlib.Path) -> OddFile:
        exact = fractions.Fraction(rate)
        path = encode(folder / "in.mp4", f"{X264} -movflags frag_keyframe+empty_moov", rate=exact)
        return OddFile(path, times=list_even_times(exact))

    BUILDERS[f"fragments_at_{rate.replace('/', '_')}"] = build


for _rate in ("15", "24000/1001", "30000/1001", "30", "60000/1001", "60"):
    register_fragmented_mp4(_rate)


def register_mp4(name: str, options: str, ending: str = ".mp4", **arguments: object) -> None:
    """Register a builder that encodes with ffmpeg's options."""

    def build(folder: pathlib.Path) -> OddFile:
        return OddFile(
            encode(folder / f"in{ending}", options, **arguments), times=list_even_times()
        )

    BUILDERS[name] = build


register_mp4(
    "a_fragment_for_every_frame", f"{X264} -movflags frag_every_frame+empty_moov+default_base_moof"
)
register_mp4("negative_composition_offsets", f"{X264} -movflags negative_cts_offsets")
register_mp4("no_edit_list", f"{X264} -use_editlist 0")
register_mp4("an_index_in_front", f"{X264} -movflags faststart")
register_mp4("hybrid_fragments", f"{X264} -movflags frag_keyframe+default_base_moof")
register_mp4(
    "a_pyramid_of_b_frames",
    "-c:v libx264 -pix_fmt yuv420p -preset veryfast -x264-params "
    "bframes=8:b-adapt=0:b-pyramid=normal:ref=6",
)
register_mp4(
    "intra_refresh",
    "-c:v libx264 -pix_fmt yuv420p -preset veryfast -x264-params intra-refresh=1:keyint=12",
)
register_mp4(
    "interlaced_h264",
    f"{X264} -flags +ilme+ildct -x264-params interlaced=1",
    ".mov",
    size=(96, 128),
)
register_mp4("a_timecode_track", f"{X264} -timecode 01:00:00:00", ".mov")
register_mp4(
    "film_grain",
    "-c:v libsvtav1 -preset 12 -crf 20 -svtav1-params film-grain=8:film-grain-denoise=0 -g 12",
)
register_mp4(
    "hevc_key_frame_every_third",
    "-c:v libx265 -preset ultrafast -g 3 -x265-params log-level=none:bframes=1",
)
register_mp4("ten_bits", "-c:v libx264 -preset veryfast -pix_fmt yuv420p10le")
register_mp4("one_unit_per_frame", f"{X264} -video_track_timescale 25")
register_mp4("a_clock_that_does_not_divide", f"{X264} -video_track_timescale 600", ".mov")
register_mp4("a_very_fine_clock", f"{X264} -video_track_timescale 10000000")


@register
def a_clock_of_a_thousandth_at_ntsc_rate(folder: pathlib.Path) -> OddFile:
    path = encode(folder / "in.mp4", f"{X264} -video_track_timescale 1000", rate=NTSC)
    return OddFile(path, times=tuple(round(time, 3) for time in list_even_times(NTSC)))


def set_duration_to_zero(path: str, sample: int) -> None:
    """Set the duration of a frame to zero, in an MP4 file in which no two durations are alike."""
    content = bytearray(pathlib.Path(path).read_bytes())
    start = next(start for kind, start, _ in recipes.find_boxes(content) if kind == b"stts")
    first, entries = start + 16, struct.unpack_from(">I", content, start + 12)[0]
    counts = [struct.unpack_from(">I", content, first + 8 * number)[0] for number in range(entries)]
    at = int(np.searchsorted(np.cumsum(counts), sample, side="right"))
    assert counts[at] == 1, counts
    struct.pack_into(">I", content, first + 8 * at + 4, 0)
    pathlib.Path(path).write_bytes(content)


@register
def two_frames_at_one_time_in_mp4(folder: pathlib.Path) -> OddFile:
    path = recipes.encode_recipe(folder / "in.mp4", Recipe("h264", "mp4", rate="variable"))
    set_duration_to_zero(path, 7)  # frame 8 is then shown at the same time
    return OddFile(path, refused="on_damage", concealed=ALL_BUT_8)


@register
def a_last_frame_without_duration(folder: pathlib.Path) -> OddFile:
    path = recipes.encode_recipe(folder / "in.mp4", Recipe("h264", "mp4", rate="variable"))
    set_duration_to_zero(path, COUNT - 1)
    return OddFile(path, times=tuple(map(float, Recipe(rate="variable").seconds)))


def add_cover(folder: pathlib.Path, ending: str) -> str:
    """A video with a cover picture of another size."""
    plain, cover, path = folder / f"plain{ending}", folder / "cover.png", folder / f"in{ending}"
    encode(plain, X264)
    encode(cover, "-frames:v 1", count=1, size=(200, 100))
    if ending == ".mkv":
        attachment = ("-attach", cover, "-metadata:s:t", "mimetype=image/png")
        recipes.run_ffmpeg("-i", plain, "-c", "copy", *attachment, path)
    else:
        inputs = ("-i", plain, "-i", cover, "-map", 0, "-map", 1)
        disposition = ("-disposition:v:1", "attached_pic")
        recipes.run_ffmpeg(*inputs, "-c", "copy", *disposition, path)
    plain.unlink()
    cover.unlink()
    return str(path)


@register
def a_cover_in_mp4(folder: pathlib.Path) -> OddFile:
    return OddFile(add_cover(folder, ".mp4"), times=list_even_times())


@register
def a_cover_in_mkv(folder: pathlib.Path) -> OddFile:
    return OddFile(add_cover(folder, ".mkv"), times=list_even_times())


@register
def a_cover_in_front(folder: pathlib.Path) -> OddFile:
    """The box of the cover lies before the track, so libav's first video stream is the cover."""
    path = pathlib.Path(add_cover(folder, ".mp4"))
    content = path.read_bytes()
    boxes = {kind: content[start:end] for kind, start, end in recipes.find_boxes(content)}
    head, track, words = boxes[b"mvhd"], boxes[b"trak"], boxes[b"udta"]
    swapped = content.replace(head + track + words, head + words + track)
    assert swapped != content
    path.write_bytes(swapped)
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.name == "png"
    return OddFile(str(path), times=list_even_times())


@register
def a_second_video_track(folder: pathlib.Path) -> OddFile:
    first, second, path = folder / "first.mp4", folder / "second.mp4", folder / "in.mp4"
    encode(first, X264)
    encode(second, X264, count=12, size=(48, 64))
    recipes.run_ffmpeg("-i", first, "-i", second, "-map", 0, "-map", 1, "-c", "copy", path)
    first.unlink()
    second.unlink()
    return OddFile(str(path), times=list_even_times())


@register
def subtitles(folder: pathlib.Path) -> OddFile:
    (folder / "words.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nhello\n")
    path = encode(folder / "in.mp4", f"-i {folder / 'words.srt'} {X264} -c:s mov_text")
    (folder / "words.srt").unlink()
    return OddFile(path, times=list_even_times())


@register
def rotated_by_45_degrees(folder: pathlib.Path) -> OddFile:
    path = encode(folder / "in.mp4", X264)
    content = bytearray(pathlib.Path(path).read_bytes())
    start = next(start for kind, start, _ in recipes.find_boxes(content) if kind == b"tkhd")
    half = round(0.5**0.5 * 65536)
    struct.pack_into(">9i", content, start + 48, half, half, 0, -half, half, 0, 0, 0, 1 << 30)
    pathlib.Path(path).write_bytes(content)
    return OddFile(path, times=list_even_times())


@register
def a_wrong_sei_length(folder: pathlib.Path) -> OddFile:
    """The first message before the first frame claims to be longer; all frames are undamaged."""
    path = encode(folder / "in.mp4", X264)
    content = pathlib.Path(path).read_bytes()
    place = re.search(rb"\x06\x05\xff", content, re.DOTALL).end()
    pathlib.Path(path).write_bytes(content[:place] + b"\xff" + content[place + 1 :])
    return OddFile(path, times=list_even_times(), refused="in.mp4")


@register
def a_damaged_frame(folder: pathlib.Path) -> OddFile:
    """The frame before a key frame is noise; no other frame refers to it."""
    path = encode(
        folder / "in.mp4", "-c:v libx264 -preset veryfast -pix_fmt yuv420p -g 12 -bf 0 -threads 1"
    )
    with av.open(path) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    content = bytearray(pathlib.Path(path).read_bytes())
    start, size = packets[11]
    content[start + size // 2 : start + size] = b"\xa5" * (size - size // 2)
    pathlib.Path(path).write_bytes(content)
    return OddFile(
        path,
        None,
        refused="in.mp4",
        concealed=tuple(number for number in ALL_NUMBERS if number not in (11, 12)),
    )


# Matroska, WebM and MPEG.


def register_mkv(
    name: str,
    options: str,
    ending: str = ".mkv",
    numbers: tuple[int, ...] | None = ALL_NUMBERS,
    **arguments: object,
) -> None:
    """Register a builder that encodes with ffmpeg's options."""

    def build(folder: pathlib.Path) -> OddFile:
        return OddFile(
            encode(folder / f"in{ending}", options, **arguments), numbers, list_even_times()
        )

    BUILDERS[name] = build


register_mkv("mkv_as_a_stream", f"{X264} -live 1")
register_mkv("clusters_of_one_frame", f"{X264} -cluster_time_limit 1")
register_mkv("webm_with_alpha", "-c:v libvpx-vp9 -pix_fmt yuva420p -b:v 1M -cpu-used 8", ".webm")
register_mkv("mpeg_1", "-c:v mpeg1video -q:v 3 -bf 2 -b_strategy 0", ".mpg")
register_mkv(
    "interlaced_mpeg_2",
    "-c:v mpeg2video -q:v 3 -flags +ildct+ilme -top 1 -bf 2",
    ".mpg",
    size=(96, 128),
)
register_mkv("a_clock_that_wraps", "-c:v mpeg2video -q:v 3 -f vob -output_ts_offset 95443", ".mpg")
register_mkv(
    "a_clock_that_starts_late",
    "-c:v mpeg2video -q:v 3 -bf 2 -f vob -output_ts_offset 80000",
    ".mpg",
)


@register
def an_elementary_stream(folder: pathlib.Path) -> OddFile:
    path = encode(folder / "in.mpg", "-c:v mpeg1video -q:v 3 -bf 2 -f mpeg1video")
    return OddFile(path, times=list_even_times(), refused="container")


@register
def open_gop_cut(folder: pathlib.Path) -> OddFile:
    encode(
        folder / "whole.mp4",
        "-c:v libx264 -preset veryfast -pix_fmt yuv420p -threads 1 -x264-params "
        "keyint=12:bframes=3:b-adapt=0:scenecut=0:open-gop=1",
        count=96,
    )
    recipes.run_ffmpeg("-ss", 2.5, "-i", folder / "whole.mp4", "-c", "copy", folder / "in.mkv")
    (folder / "whole.mp4").unlink()
    numbers = recipes.decode_numbers(folder / "in.mkv")
    first = next(
        place for place, number in enumerate(numbers) if number is not None and number % 12 == 0
    )
    return OddFile(str(folder / "in.mkv"), tuple(numbers[first:]), list_even_times(count=96))


@register
def hevc_open_gop_cut(folder: pathlib.Path) -> OddFile:
    encode(
        folder / "whole.mkv",
        "-c:v libx265 -preset ultrafast -x265-params "
        "log-level=none:keyint=12:min-keyint=12:bframes=3:b-adapt=0:scenecut=0:open-gop=1",
        count=96,
    )
    recipes.run_ffmpeg("-ss", 2.5, "-i", folder / "whole.mkv", "-c", "copy", folder / "in.mkv")
    (folder / "whole.mkv").unlink()
    return OddFile(str(folder / "in.mkv"), None, list_even_times(count=96))


def list_simple_blocks(content: bytes) -> list[tuple[int, int]]:
    """(start, end) of every simple block of a Matroska file."""
    return [
        (start, end)
        for identifier, start, end in recipes.find_elements(content)
        if identifier == 0xA3
    ]


@register
def two_frames_at_one_time(folder: pathlib.Path) -> OddFile:
    path = pathlib.Path(encode(folder / "in.mkv", f"{X264} -bf 0"))
    content = bytearray(path.read_bytes())
    times = []
    for start, _ in list_simple_blocks(content):
        body = start + 1 + 9 - content[start + 1].bit_length()
        times.append(slice(body + 1, body + 3))
    content[times[8]] = content[times[7]]
    path.write_bytes(content)
    return OddFile(str(path), refused="on_damage", concealed=ALL_BUT_8)


@register
def no_first_key_frame(folder: pathlib.Path) -> OddFile:
    """The start was cut off: frames before the next key frame refer to a missing frame."""
    path = pathlib.Path(encode(folder / "in.mkv", f"{X264} -bf 0 -sc_threshold 0"))
    content = bytearray(path.read_bytes())
    start, end = list_simple_blocks(content)[0]
    content[start:end] = (
        b"\xec\x01" + (end - start - 9).to_bytes(7, "big") + b"\0" * (end - start - 9)
    )
    path.write_bytes(content)
    return OddFile(str(path), ALL_NUMBERS[12:], list_even_times())


@register
def two_sizes(folder: pathlib.Path) -> OddFile:
    small = encode(folder / "small.ts", f"{X264} -f mpegts", count=12, size=(48, 64))
    large = encode(folder / "large.ts", f"{X264} -f mpegts", count=12)
    recipes.run_ffmpeg("-i", f"concat:{large}|{small}", "-c", "copy", folder / "in.mkv")
    for path in (small, large):
        pathlib.Path(path).unlink()
    return OddFile(str(folder / "in.mkv"), None, refused="64x48|size")


@register
def a_long_pause(folder: pathlib.Path) -> OddFile:
    path = encode(
        folder / "in.mkv",
        f"{X264} -bf 0 -vf settb=1/1000,setpts='40*N+gt(N\\,9)*600000' -fps_mode "
        "passthrough -enc_time_base 1:1000",
    )
    return OddFile(path, times=tuple(number / 25 + 600 * (number > 9) for number in ALL_NUMBERS))


# The tests of each file.

QUICK_BUILDERS = (  # in every run of the tests
    "packed_b_frames",
    "dropped_slots",
    "header_says_twice_the_frames",
    "no_index",
    "a_second_chunk_of_one_byte_and_packed_b_frames",
    "empty_chunks",
    "fragments_at_60",
    "fragments_at_24000_1001",
    "two_frames_at_one_time",
    "a_wrong_sei_length",
    "open_gop_cut",
    "a_cover_in_front",
    "a_clock_that_starts_late",
)
each_builder = pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in QUICK_BUILDERS else pytest.mark.large)
        for name in BUILDERS
    ],
)


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], OddFile]:
    """A function that runs the builder of a name, once."""
    return functools.cache(lambda name: BUILDERS[name](tmp_path_factory.mktemp(name)))


def list_expected_numbers(file: OddFile) -> tuple[int | None, ...]:
    """The numbers that must be read; None for a damaged frame."""
    if file.numbers is not None:
        return file.numbers
    return tuple(recipes.decode_numbers(file.path))


@each_builder
def test_training_reads_every_frame_in_order(build: Callable[[str], OddFile], name: str) -> None:
    file = build(name)
    expected = list_expected_numbers(file)
    try:
        frames = frame_reader.read_frames(file.path, range, SIDE, SIDE)
    except MediaError as error:
        assert file.refused and "in." in str(error) and "\n" not in str(error), error
        return
    actual = tuple(map(recipes.read_number, frames))
    if file.concealed is not None and actual == file.concealed:
        expected = file.concealed
    assert actual == expected
    count = len(expected)
    assert frame_reader.count_frames(file.path) == count
    for indices in ([count - 1], [0], [count // 2, count // 3]):
        alone = frame_reader.read_frames(
            file.path, lambda count, indices=indices: indices, SIDE, SIDE
        )
        assert [recipes.read_number(frame) for frame in alone] == [expected[i] for i in indices]


@pytest.mark.parametrize("ending", [".mp4", pytest.param(".mkv", marks=pytest.mark.large)])
@each_builder
def test_anonymizing_keeps_every_frame_at_its_time(
    tmp_path: pathlib.Path, build: Callable[[str], OddFile], name: str, ending: str
) -> None:
    file, target = build(name), tmp_path / f"out{ending}"
    try:
        recipes.write_negative(file.path, target)
    except ValueError as error:
        line = str(error)
        assert file.refused and re.search(file.refused, line), line
        assert "in." in line and "out." not in line and "\n" not in line, line
        assert not recipes.list_folder(tmp_path)
        return
    check_output(file, target, list_expected_numbers(file))


@each_builder
def test_concealing_damage_costs_no_undamaged_frame(
    tmp_path: pathlib.Path, build: Callable[[str], OddFile], name: str
) -> None:
    if name == "two_sizes":
        pytest.skip("a size is no damage")
    if name == "an_elementary_stream":
        pytest.skip("a stream without a container has no times, damaged or not")
    file, target = build(name), tmp_path / "out.mkv"
    opened = recipes.write_negative(file.path, target, on_damage="conceal")
    if file.concealed is None:
        # Concealing changes nothing in a file without damage.
        check_output(file, target, list_expected_numbers(file))
        return
    assert opened.concealed_frames >= 1
    readable = [number for number in recipes.decode_numbers(target) if number is not None]
    assert set(readable) >= set(file.concealed) and readable == sorted(readable)


def check_output(file: OddFile, target: pathlib.Path, expected: tuple) -> None:
    """Assert that the output has these numbers, in the negative, at the file's times."""
    frames = recipes.decode(target)
    pixels = [frame.to_ndarray(format="rgb24") for frame in frames]
    assert all(map(recipes.is_negative, pixels))
    assert tuple(map(recipes.read_number, pixels)) == expected
    if file.times is None:
        return
    if len(file.times) > max(expected):
        seconds = dict(enumerate(file.times))
    else:
        seconds = dict(zip(expected, file.times, strict=False))
    actual_times = np.array([float(frame.pts * frame.time_base) for frame in frames])
    expected_times = np.array([seconds[number] for number in expected])
    compared = slice(None if file.last else -1)
    np.testing.assert_allclose(
        (actual_times - actual_times[0])[compared],
        (expected_times - expected_times[0])[compared],
        atol=TIME_TOLERANCE_SECONDS,
    )


@pytest.mark.parametrize("ending", [".mkv", ".mp4", pytest.param(".mov", marks=pytest.mark.large)])
@pytest.mark.parametrize("sound", ["aac", pytest.param("mp3", marks=pytest.mark.large)])
def test_sound_that_begins_before_zero_keeps_its_time(
    tmp_path: pathlib.Path, sound: str, ending: str
) -> None:
    recipe = Recipe("h264", "mp4", "b-frames", sound=sound)
    path = recipes.encode_recipe(tmp_path / "in.mp4", recipe)
    target = tmp_path / f"out{ending}"
    recipes.write_negative(path, target, with_sound=True)
    original, copy = recipes.read_sound(path), recipes.read_sound(target)
    # One packet from before zero may be left out.
    assert original.endswith(copy) and len(copy) > len(original) - 1000
    assert recipes.measure_tone_offset(target) == pytest.approx(
        recipes.measure_tone_offset(path), abs=TIME_TOLERANCE_SECONDS
    )
    times = np.array([float(frame.pts * frame.time_base) for frame in recipes.decode(target)])
    np.testing.assert_allclose(times - times[0], list_even_times(), atol=TIME_TOLERANCE_SECONDS)


def test_uneven_times_are_refused_for_avi_before_any_work(tmp_path: pathlib.Path) -> None:
    recipe = Recipe("h264", "mkv", rate="variable")
    path = recipes.encode_recipe(tmp_path / "in.mkv", recipe)
    calls: list[int] = []
    with pytest.raises(ValueError, match=r"\.mkv|\.mp4"):
        recipes.write_negative(path, tmp_path / "out.avi", calls=calls)
    assert not calls and recipes.list_folder(tmp_path) == ["in.mkv"]


def test_error_of_the_decoder_names_the_input(tmp_path: pathlib.Path) -> None:
    file = a_damaged_frame(tmp_path)
    with pytest.raises(MediaError, match=r"in\.mp4") as caught:
        recipes.write_negative(file.path, tmp_path / "out.mp4")
    assert "out." not in str(caught.value) and recipes.list_folder(tmp_path) == ["in.mp4"]


def point_sound_at_frames(path: str) -> bytes:
    """Let a MOV file's index claim that its sound lies where its first encoded frame does.

    Returns the first encoded frame.
    """
    content = bytearray(pathlib.Path(path).read_bytes())
    with av.open(path) as container:
        first_frame = next(bytes(packet) for packet in container.demux(video=0) if packet.size)
    tables = [start for kind, start, _ in recipes.find_boxes(content) if kind == b"stco"]
    offset = struct.unpack_from(">I", content, tables[0] + 16)[0]
    entries = struct.unpack_from(">I", content, tables[1] + 12)[0]
    struct.pack_into(f">{entries}I", content, tables[1] + 16, *[offset] * entries)
    pathlib.Path(path).write_bytes(content)
    return first_frame


@pytest.mark.parametrize("on_damage", ["refuse", "conceal"])
def test_sound_track_that_points_at_frames_is_not_copied(
    tmp_path: pathlib.Path, on_damage: str
) -> None:
    path = recipes.encode_recipe(tmp_path / "in.mov", Recipe("prores", "mov", sound="pcm"))
    first_frame = point_sound_at_frames(path)
    try:
        recipes.write_negative(path, tmp_path / "out.mkv", with_sound=True, on_damage=on_damage)
    except ValueError as error:
        assert "in.mov" in str(error) and recipes.list_folder(tmp_path) == ["in.mov"]
        return
    piece = first_frame[len(first_frame) // 2 :][:64]
    assert piece not in (tmp_path / "out.mkv").read_bytes()
