"""Kinds of odd files that cameras, programs and data sets really write: read and anonymized.

Every builder writes a file with numbered frames (tests/recipes.py) into a folder, and says what is
in it.
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

pytestmark = pytest.mark.skipif(recipes.needs_ffmpeg, reason="makes its files with ffmpeg")

COUNT = 36
EVERY = tuple(range(COUNT))
WITHOUT_FIVE = tuple(number for number in EVERY if number != 5)
NTSC = fractions.Fraction(30000, 1001)


@dataclasses.dataclass(frozen=True)
class Odd:
    """A file and what is right about it.

    numbers: of its frames; None: those of a plain sequential decode.  times: seconds of every
    number; None: whatever they are.  refused: what the line of a refusal may say where damage is
    not to be concealed; empty: it is read.
    concealed: numbers that the output must have where damage is concealed; None: those above, and
    no others.
    last: whether the time of the last frame is known: libxvid's last ones are lost.
    """

    path: str
    numbers: tuple | None = EVERY
    times: tuple | None = None
    refused: str = ""
    concealed: tuple | None = None
    last: bool = True


def even(rate: fractions.Fraction = fractions.Fraction(25), count: int = COUNT) -> tuple:
    """Seconds of `count` frames."""
    return tuple(float(number / rate) for number in range(count))


BUILDERS: dict[str, Callable[[pathlib.Path], Odd]] = {}


def odd(builder: Callable[[pathlib.Path], Odd]) -> Callable[[pathlib.Path], Odd]:
    """Make a builder one of those that are tested."""
    BUILDERS[builder.__name__] = builder
    return builder


def encode(
    path: pathlib.Path,
    options: str,
    count: int = COUNT,
    rate: fractions.Fraction | int = 25,
    size: tuple[int, int] = recipes.SIZE,
    more: Sequence[object] = (),
) -> str:
    """Encode painted frames with ffmpeg's options.  more: arguments before those of the first
    input.
    """
    frames = b"".join(recipes.paint(number, size).tobytes() for number in range(count))
    recipes.run_ffmpeg(
        *more,
        "-f",
        "rawvideo",
        "-pix_fmt",
        "rgb24",
        "-s",
        f"{size[1]}x{size[0]}",
        "-r",
        rate,
        "-i",
        "pipe:0",
        *options.split(),
        path,
        frames=frames,
    )
    return str(path)


X264 = "-c:v libx264 -preset veryfast -pix_fmt yuv420p -g 12 -threads 1 -bf 2"
MPEG4 = "-c:v mpeg4 -q:v 3 -g 12"


# AVI: chunks, slots and headers.


@odd
def packed_b_frames(folder: pathlib.Path) -> Odd:
    path = recipes.make(folder / "in.avi", Recipe("xvid packed", "avi", "b-frames"))
    movie = recipes.find_movie(recipes.parse_riff(pathlib.Path(path).read_bytes()))
    pictures = [chunk.data.count(b"\0\0\1\xb6") for chunk in movie.parts]
    assert (
        2 in pictures
        and max(len(chunk.data) for chunk in movie.parts if chunk.kind == b"00dc") > 100
    )
    return Odd(path, None, even(), last=False)


@odd
def dropped_slots(folder: pathlib.Path) -> Odd:
    path = recipes.make(folder / "in.avi", Recipe("mpeg4", "avi", rate="variable"))
    numbers = tuple(number for number in EVERY if number % 7 != 3)
    return Odd(path, numbers, even(NTSC))


@odd
def dropped_slots_with_b_frames(folder: pathlib.Path) -> Odd:
    path = recipes.make(folder / "in.avi", Recipe("mpeg4", "avi", "b-frames", rate="variable"))
    return Odd(path, tuple(number for number in EVERY if number % 7 != 3))


def lie_about_length(folder: pathlib.Path, length: int) -> Odd:
    """Both headers of an AVI file say that it has `length` frames."""
    path = encode(folder / "in.avi", MPEG4)

    def lie(tree: Chunk) -> None:
        recipes.patch_number(recipes.find_chunks(tree, b"avih")[0], 16, length)
        recipes.patch_number(recipes.find_chunks(tree, b"strh")[0], 32, length)

    return Odd(recipes.edit_riff(path, lie), times=even())


@odd
def header_says_seven_frames(folder: pathlib.Path) -> Odd:
    return lie_about_length(folder, 7)


@odd
def header_says_no_frames(folder: pathlib.Path) -> Odd:
    return lie_about_length(folder, 0)


@odd
def header_says_one_frame_more(folder: pathlib.Path) -> Odd:
    return lie_about_length(folder, COUNT + 1)


@odd
def header_says_twice_the_frames(folder: pathlib.Path) -> Odd:
    return lie_about_length(folder, 2 * COUNT)


def leave_out_index(folder: pathlib.Path, options: str) -> str:
    return recipes.edit_riff(encode(folder / "in.avi", options), lambda tree: None, index=False)


@odd
def no_index(folder: pathlib.Path) -> Odd:
    return Odd(leave_out_index(folder, MPEG4), times=even())


@odd
def no_index_with_b_frames(folder: pathlib.Path) -> Odd:
    return Odd(leave_out_index(folder, f"{MPEG4} -bf 2"), times=even())


@odd
def no_index_of_packed_b_frames(folder: pathlib.Path) -> Odd:
    path = recipes.make(folder / "in.avi", Recipe("xvid packed", "avi", "b-frames"))
    return Odd(recipes.edit_riff(path, lambda tree: None, index=False), None, even(), last=False)


@odd
def no_index_and_the_old_size(folder: pathlib.Path) -> Odd:
    """As a cut behind the last frame would leave it."""
    path = pathlib.Path(encode(folder / "in.avi", MPEG4))
    content = path.read_bytes()
    path.write_bytes(content[: content.rindex(b"idx1")])
    return Odd(str(path), times=even(), refused="in.avi")


def insert_chunks(
    folder: pathlib.Path, data: bytes, places: Sequence[int], options: str = MPEG4
) -> str:
    """An AVI file with further chunks of pictures, whose headers count them as frames."""
    path = encode(folder / "in.avi", options)

    def insert(tree: Chunk) -> None:
        movie = recipes.find_movie(tree)
        for place in places:
            movie.parts.insert(place, Chunk(b"00dc", data))
        recipes.patch_number(recipes.find_chunks(tree, b"avih")[0], 16, COUNT + len(places))
        recipes.patch_number(recipes.find_chunks(tree, b"strh")[0], 32, COUNT + len(places))

    return recipes.edit_riff(path, insert)


def be_divx(path: str, words: bytes) -> str:
    """Let the words that ffmpeg's encoder leaves in the stream be those of DivX."""
    content = pathlib.Path(path).read_bytes()
    words = words.ljust(13)
    content = re.sub(
        rb"(\x00\x00\x01\xb2)Lavc\d\d\.\d+\.\d\d\d", lambda found: found[1] + words, content
    )
    assert words in content
    pathlib.Path(path).write_bytes(content)
    return path


@odd
def a_second_chunk_of_one_byte(folder: pathlib.Path) -> Odd:
    return Odd(be_divx(insert_chunks(folder, b"\x7f", [1]), b"DivX503b1393"))


@odd
def a_second_chunk_of_one_byte_and_b_frames(folder: pathlib.Path) -> Odd:
    return Odd(be_divx(insert_chunks(folder, b"\x7f", [1], f"{MPEG4} -bf 2"), b"DivX503b1393"))


@odd
def a_second_chunk_of_one_byte_and_packed_b_frames(folder: pathlib.Path) -> Odd:
    """As the clips of HMDB51 are."""
    path = recipes.make(folder / "in.avi", Recipe("xvid packed", "avi", "b-frames"))
    return Odd(
        recipes.edit_riff(
            path, lambda tree: recipes.find_movie(tree).parts.insert(1, Chunk(b"00dc", b"\x7f"))
        ),
        None,
    )


@odd
def chunks_of_one_byte_everywhere(folder: pathlib.Path) -> Odd:
    return Odd(be_divx(insert_chunks(folder, b"\x7f", [1, 9, 20, COUNT + 3]), b"DivX503b1393"))


@odd
def a_first_chunk_of_one_byte(folder: pathlib.Path) -> Odd:
    return Odd(insert_chunks(folder, b"\x7f", [0]), refused="in.avi")


@odd
def a_chunk_of_one_byte_that_is_not_divx(folder: pathlib.Path) -> Odd:
    return Odd(insert_chunks(folder, b"\x7f", [1]), refused="in.avi")


@odd
def empty_chunks(folder: pathlib.Path) -> Odd:
    slots = tuple(number / 25 for number in range(COUNT + 2) if number not in (1, 9))
    return Odd(insert_chunks(folder, b"", [1, 9]), times=slots)


@odd
def empty_chunks_at_both_ends(folder: pathlib.Path) -> Odd:
    return Odd(insert_chunks(folder, b"", [0, COUNT + 1]), times=even())


@odd
def chunks_that_say_no_picture(folder: pathlib.Path) -> Odd:
    """A picture header whose coded bit is 0: show the last one again."""
    return Odd(insert_chunks(folder, b"\0\0\1\xb6\x50\x5f", [5, 20]), None)


@odd
def avi_written_to_a_pipe(folder: pathlib.Path) -> Odd:
    """No length, no index, no sizes: the writer could not go back."""
    path = folder / "in.avi"
    encode(folder / "pipe", f"{MPEG4} -f avi -flush_packets 1")
    content = (folder / "pipe").read_bytes()
    tree = recipes.parse_riff(content)
    for chunk in (recipes.find_chunks(tree, b"avih")[0], recipes.find_chunks(tree, b"strh")[0]):
        recipes.patch_number(chunk, 16 if chunk.kind == b"avih" else 32, 0)
    tree.parts = [part for part in tree.parts if part.kind != b"idx1"]
    content = bytearray(tree.write())
    movie = content.index(b"movi") - 8
    content[4:8] = content[movie + 4 : movie + 8] = b"\0" * 4
    path.write_bytes(content)
    (folder / "pipe").unlink()
    return Odd(str(path), times=even())


def in_avi(name: str, options: str, numbers: tuple | None = EVERY, **more: object) -> None:
    """A test of a codec in AVI."""

    def build(folder: pathlib.Path) -> Odd:
        times = even(more.get("rate", fractions.Fraction(25)))
        return Odd(
            encode(folder / "in.avi", options, **more), numbers, times, last=numbers is not None
        )

    BUILDERS[name] = build


in_avi("divx_3", "-c:v msmpeg4 -q:v 3 -vtag DIV3")
in_avi("divx_5", f"{MPEG4} -bf 1 -vtag DX50")
in_avi("wmv_2", "-c:v wmv2 -q:v 3")
in_avi("h263", "-c:v h263 -q:v 3 -s 128x96", size=(96, 128))
in_avi("uncompressed", "-c:v rawvideo -pix_fmt bgr24")
in_avi("uncompressed_yuv", "-c:v rawvideo -pix_fmt yuv420p")
in_avi("huffyuv", "-c:v huffyuv")
in_avi("dv", "-c:v dvvideo -s 720x576 -pix_fmt yuv420p -f avi", size=(576, 720))
in_avi("mpeg_1_in_avi", "-c:v mpeg1video -q:v 3 -bf 2 -b_strategy 0")
in_avi(
    "vp8_with_invisible_frames",
    "-c:v libvpx -b:v 1M -auto-alt-ref 1 -lag-in-frames 16 -deadline good -cpu-used 8",
)
in_avi("xvid_60_fps", "-c:v libxvid -q:v 3 -bf 2", None, rate=fractions.Fraction(60000, 1001))


@odd
def mjpeg_without_huffman_tables(folder: pathlib.Path) -> Odd:
    """Webcams leave out the tables of the standard."""
    path = encode(folder / "in.avi", "-c:v mjpeg -q:v 3 -pix_fmt yuvj420p -huffman default")

    def strip(tree: Chunk) -> None:
        for chunk in recipes.find_movie(tree).parts:
            while (place := chunk.data.find(b"\xff\xc4")) >= 0:
                length = struct.unpack_from(">H", chunk.data, place + 2)[0]
                chunk.data = chunk.data[:place] + chunk.data[place + 2 + length :]

    return Odd(recipes.edit_riff(path, strip), times=even())


# MP4 and MOV.


def in_fragments(rate: str) -> None:
    """A test of fragments with B-frames at a rate."""

    def build(folder: pathlib.Path) -> Odd:
        exact = fractions.Fraction(rate)
        path = encode(folder / "in.mp4", f"{X264} -movflags frag_keyframe+empty_moov", rate=exact)
        return Odd(path, times=even(exact))

    BUILDERS[f"fragments_at_{rate.replace('/', '_')}"] = build


for _rate in ("15", "24000/1001", "30000/1001", "30", "60000/1001", "60"):
    in_fragments(_rate)


def in_mp4(name: str, options: str, ending: str = ".mp4", **more: object) -> None:
    """A test of ffmpeg's options."""

    def build(folder: pathlib.Path) -> Odd:
        return Odd(encode(folder / f"in{ending}", options, **more), times=even())

    BUILDERS[name] = build


in_mp4(
    "a_fragment_for_every_frame", f"{X264} -movflags frag_every_frame+empty_moov+default_base_moof"
)
in_mp4("negative_composition_offsets", f"{X264} -movflags negative_cts_offsets")
in_mp4("no_edit_list", f"{X264} -use_editlist 0")
in_mp4("an_index_in_front", f"{X264} -movflags faststart")
in_mp4("hybrid_fragments", f"{X264} -movflags frag_keyframe+default_base_moof")
in_mp4(
    "a_pyramid_of_b_frames",
    "-c:v libx264 -pix_fmt yuv420p -preset veryfast -x264-params "
    "bframes=8:b-adapt=0:b-pyramid=normal:ref=6",
)
in_mp4(
    "intra_refresh",
    "-c:v libx264 -pix_fmt yuv420p -preset veryfast -x264-params intra-refresh=1:keyint=12",
)
in_mp4(
    "interlaced_h264",
    f"{X264} -flags +ilme+ildct -x264-params interlaced=1",
    ".mov",
    size=(96, 128),
)
in_mp4("a_timecode_track", f"{X264} -timecode 01:00:00:00", ".mov")
in_mp4(
    "film_grain",
    "-c:v libsvtav1 -preset 12 -crf 20 -svtav1-params film-grain=8:film-grain-denoise=0 -g 12",
)
in_mp4(
    "hevc_key_frame_every_third",
    "-c:v libx265 -preset ultrafast -g 3 -x265-params log-level=none:bframes=1",
)
in_mp4("ten_bits", "-c:v libx264 -preset veryfast -pix_fmt yuv420p10le")
in_mp4("one_unit_per_frame", f"{X264} -video_track_timescale 25")
in_mp4("a_clock_that_does_not_divide", f"{X264} -video_track_timescale 600", ".mov")
in_mp4("a_very_fine_clock", f"{X264} -video_track_timescale 10000000")


@odd
def a_clock_of_a_thousandth_at_ntsc_rate(folder: pathlib.Path) -> Odd:
    path = encode(folder / "in.mp4", f"{X264} -video_track_timescale 1000", rate=NTSC)
    return Odd(path, times=tuple(round(time, 3) for time in even(NTSC)))


def patch_stts(path: str, sample: int) -> None:
    """Let a frame of an MP4 file, each of whose frames has a duration of its own, last no time."""
    content = bytearray(pathlib.Path(path).read_bytes())
    start = next(start for kind, start, _ in recipes.find_boxes(content) if kind == b"stts")
    first, entries = start + 16, struct.unpack_from(">I", content, start + 12)[0]
    counts = [struct.unpack_from(">I", content, first + 8 * number)[0] for number in range(entries)]
    at = int(np.searchsorted(np.cumsum(counts), sample, side="right"))
    assert counts[at] == 1, counts
    struct.pack_into(">I", content, first + 8 * at + 4, 0)
    pathlib.Path(path).write_bytes(content)


@odd
def two_frames_at_one_time_in_mp4(folder: pathlib.Path) -> Odd:
    path = recipes.make(folder / "in.mp4", Recipe("h264", "mp4", rate="variable"))
    patch_stts(path, 7)  # so that frame 8 comes with it
    return Odd(
        path, refused="on_damage", concealed=tuple(number for number in EVERY if number != 8)
    )


@odd
def a_last_frame_that_lasts_no_time(folder: pathlib.Path) -> Odd:
    path = recipes.make(folder / "in.mp4", Recipe("h264", "mp4", rate="variable"))
    patch_stts(path, COUNT - 1)
    return Odd(path, times=tuple(map(float, Recipe(rate="variable").seconds)))


def add_cover(folder: pathlib.Path, ending: str) -> str:
    """A video with a cover picture of another size."""
    plain, cover, path = folder / f"plain{ending}", folder / "cover.png", folder / f"in{ending}"
    encode(plain, X264)
    encode(cover, "-frames:v 1", count=1, size=(200, 100))
    if ending == ".mkv":
        recipes.run_ffmpeg(
            "-i", plain, "-c", "copy", "-attach", cover, "-metadata:s:t", "mimetype=image/png", path
        )
    else:
        recipes.run_ffmpeg(
            "-i",
            plain,
            "-i",
            cover,
            "-map",
            0,
            "-map",
            1,
            "-c",
            "copy",
            "-disposition:v:1",
            "attached_pic",
            path,
        )
    plain.unlink()
    cover.unlink()
    return str(path)


@odd
def a_cover_in_mp4(folder: pathlib.Path) -> Odd:
    return Odd(add_cover(folder, ".mp4"), times=even())


@odd
def a_cover_in_mkv(folder: pathlib.Path) -> Odd:
    return Odd(add_cover(folder, ".mkv"), times=even())


@odd
def a_cover_in_front(folder: pathlib.Path) -> Odd:
    """The box of the cover stands before the track, so that libav's first video stream is the
    cover.
    """
    path = pathlib.Path(add_cover(folder, ".mp4"))
    content = path.read_bytes()
    boxes = {kind: content[start:end] for kind, start, end in recipes.find_boxes(content)}
    head, track, words = boxes[b"mvhd"], boxes[b"trak"], boxes[b"udta"]
    swapped = content.replace(head + track + words, head + words + track)
    assert swapped != content
    path.write_bytes(swapped)
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.name == "png"
    return Odd(str(path), times=even())


@odd
def a_second_video_track(folder: pathlib.Path) -> Odd:
    first, second, path = folder / "first.mp4", folder / "second.mp4", folder / "in.mp4"
    encode(first, X264)
    encode(second, X264, count=12, size=(48, 64))
    recipes.run_ffmpeg("-i", first, "-i", second, "-map", 0, "-map", 1, "-c", "copy", path)
    first.unlink()
    second.unlink()
    return Odd(str(path), times=even())


@odd
def subtitles(folder: pathlib.Path) -> Odd:
    (folder / "words.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nhello\n")
    path = encode(folder / "in.mp4", f"-i {folder / 'words.srt'} {X264} -c:s mov_text")
    (folder / "words.srt").unlink()
    return Odd(path, times=even())


@odd
def turned_by_45_degrees(folder: pathlib.Path) -> Odd:
    path = encode(folder / "in.mp4", X264)
    content = bytearray(pathlib.Path(path).read_bytes())
    start = next(start for kind, start, _ in recipes.find_boxes(content) if kind == b"tkhd")
    half = round(0.5**0.5 * 65536)
    struct.pack_into(">9i", content, start + 48, half, half, 0, -half, half, 0, 0, 0, 1 << 30)
    pathlib.Path(path).write_bytes(content)
    return Odd(path, times=even())


@odd
def a_wrong_sei_length(folder: pathlib.Path) -> Odd:
    """The first message in front of the first picture says that it is longer than it is; all
    pictures are whole.
    """
    path = encode(folder / "in.mp4", X264)
    content = pathlib.Path(path).read_bytes()
    place = re.search(rb"\x06\x05\xff", content, re.DOTALL).end()
    pathlib.Path(path).write_bytes(content[:place] + b"\xff" + content[place + 1 :])
    return Odd(path, times=even(), refused="in.mp4")


@odd
def a_damaged_picture(folder: pathlib.Path) -> Odd:
    """The picture before a key frame is noise: no other needs it."""
    path = encode(
        folder / "in.mp4", "-c:v libx264 -preset veryfast -pix_fmt yuv420p -g 12 -bf 0 -threads 1"
    )
    with av.open(path) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    content = bytearray(pathlib.Path(path).read_bytes())
    place, size = packets[11]
    content[place + size // 2 : place + size] = b"\xa5" * (size - size // 2)
    pathlib.Path(path).write_bytes(content)
    return Odd(
        path,
        None,
        refused="in.mp4",
        concealed=tuple(number for number in EVERY if number not in (11, 12)),
    )


# Matroska, WebM and MPEG.


def in_mkv(
    name: str, options: str, ending: str = ".mkv", numbers: tuple | None = EVERY, **more: object
) -> None:
    """A test of ffmpeg's options."""

    def build(folder: pathlib.Path) -> Odd:
        return Odd(encode(folder / f"in{ending}", options, **more), numbers, even())

    BUILDERS[name] = build


in_mkv("mkv_as_a_stream", f"{X264} -live 1")
in_mkv("clusters_of_one_frame", f"{X264} -cluster_time_limit 1")
in_mkv("webm_with_alpha", "-c:v libvpx-vp9 -pix_fmt yuva420p -b:v 1M -cpu-used 8", ".webm")
in_mkv("mpeg_1", "-c:v mpeg1video -q:v 3 -bf 2 -b_strategy 0", ".mpg")
in_mkv(
    "interlaced_mpeg_2",
    "-c:v mpeg2video -q:v 3 -flags +ildct+ilme -top 1 -bf 2",
    ".mpg",
    size=(96, 128),
)
in_mkv("a_clock_that_wraps", "-c:v mpeg2video -q:v 3 -f vob -output_ts_offset 95443", ".mpg")
in_mkv(
    "a_clock_that_starts_late",
    "-c:v mpeg2video -q:v 3 -bf 2 -f vob -output_ts_offset 80000",
    ".mpg",
)


@odd
def an_elementary_stream(folder: pathlib.Path) -> Odd:
    path = encode(folder / "in.mpg", "-c:v mpeg1video -q:v 3 -bf 2 -f mpeg1video")
    return Odd(path, times=even(), refused="container")


@odd
def open_gop_cut(folder: pathlib.Path) -> Odd:
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
    return Odd(str(folder / "in.mkv"), tuple(numbers[first:]), even(count=96))


@odd
def hevc_open_gop_cut(folder: pathlib.Path) -> Odd:
    encode(
        folder / "whole.mkv",
        "-c:v libx265 -preset ultrafast -x265-params "
        "log-level=none:keyint=12:min-keyint=12:bframes=3:b-adapt=0:scenecut=0:open-gop=1",
        count=96,
    )
    recipes.run_ffmpeg("-ss", 2.5, "-i", folder / "whole.mkv", "-c", "copy", folder / "in.mkv")
    (folder / "whole.mkv").unlink()
    return Odd(str(folder / "in.mkv"), None, even(count=96))


def blocks(content: bytes) -> list[tuple[int, int]]:
    """(start, end) of every simple block of a Matroska file."""
    return [
        (start, end)
        for identifier, start, end in recipes.find_elements(content)
        if identifier == 0xA3
    ]


@odd
def two_frames_at_one_time(folder: pathlib.Path) -> Odd:
    path = pathlib.Path(encode(folder / "in.mkv", f"{X264} -bf 0"))
    content = bytearray(path.read_bytes())
    times = []
    for start, _ in blocks(content):
        body = start + 1 + 9 - content[start + 1].bit_length()
        times.append(slice(body + 1, body + 3))
    content[times[8]] = content[times[7]]
    path.write_bytes(content)
    return Odd(
        str(path), refused="on_damage", concealed=tuple(number for number in EVERY if number != 8)
    )


@odd
def no_first_key_frame(folder: pathlib.Path) -> Odd:
    """Cut off in front by a recorder: what comes before the next key frame lacks its reference."""
    path = pathlib.Path(encode(folder / "in.mkv", f"{X264} -bf 0 -sc_threshold 0"))
    content = bytearray(path.read_bytes())
    start, end = blocks(content)[0]
    content[start:end] = (
        b"\xec\x01" + (end - start - 9).to_bytes(7, "big") + b"\0" * (end - start - 9)
    )
    path.write_bytes(content)
    return Odd(str(path), EVERY[12:], even())


@odd
def two_sizes(folder: pathlib.Path) -> Odd:
    small = encode(folder / "small.ts", f"{X264} -f mpegts", count=12, size=(48, 64))
    large = encode(folder / "large.ts", f"{X264} -f mpegts", count=12)
    recipes.run_ffmpeg("-i", f"concat:{large}|{small}", "-c", "copy", folder / "in.mkv")
    for path in (small, large):
        pathlib.Path(path).unlink()
    return Odd(str(folder / "in.mkv"), None, refused="64x48|size")


@odd
def a_long_pause(folder: pathlib.Path) -> Odd:
    path = encode(
        folder / "in.mkv",
        f"{X264} -bf 0 -vf settb=1/1000,setpts='40*N+gt(N\\,9)*600000' -fps_mode "
        "passthrough -enc_time_base 1:1000",
    )
    return Odd(path, times=tuple(number / 25 + 600 * (number > 9) for number in EVERY))


# What is asked of each.

FEW = (  # in every run of the tests
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
each_kind = pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name in FEW else pytest.mark.large) for name in BUILDERS],
)


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Odd]:
    """A function of a builder's name that has it build once."""
    return functools.cache(lambda name: BUILDERS[name](tmp_path_factory.mktemp(name)))


def find_numbers(about: Odd) -> tuple:
    """The numbers that are right; None where a frame is damaged."""
    if about.numbers is not None:
        return about.numbers
    return tuple(recipes.decode_numbers(about.path))


@each_kind
def test_training_reads_every_frame_in_order(build: Callable[[str], Odd], name: str) -> None:
    about = build(name)
    wanted = find_numbers(about)
    try:
        frames = frame_reader.read_frames(about.path, range, 64, 64)
    except MediaError as error:
        assert about.refused and "in." in str(error) and "\n" not in str(error), error
        return
    found = tuple(map(recipes.read_number, frames))
    if about.concealed is not None and found == about.concealed:
        wanted = about.concealed
    assert found == wanted
    assert frame_reader.count_frames(about.path) == len(wanted)
    for numbers in ([len(wanted) - 1], [0], [len(wanted) // 2, len(wanted) // 3]):
        alone = frame_reader.read_frames(about.path, lambda count: numbers, 64, 64)
        assert [recipes.read_number(frame) for frame in alone] == [
            wanted[number] for number in numbers
        ]


@pytest.mark.parametrize("ending", [".mp4", pytest.param(".mkv", marks=pytest.mark.large)])
@each_kind
def test_anonymizing_keeps_every_frame_at_its_time(
    tmp_path: pathlib.Path, build: Callable[[str], Odd], name: str, ending: str
) -> None:
    about, target = build(name), tmp_path / f"out{ending}"
    if about.refused:
        try:
            recipes.anonymize(about.path, target)
        except ValueError as error:
            line = str(error)
            assert (
                re.search(about.refused, line)
                and "in." in line
                and "\n" not in line
                and "out." not in line
            )
            assert not recipes.list_folder(tmp_path)
            return
    else:
        recipes.anonymize(about.path, target)
    check_output(about, target, find_numbers(about))


@each_kind
def test_concealed_damage_costs_no_whole_frame(
    tmp_path: pathlib.Path, build: Callable[[str], Odd], name: str
) -> None:
    """With a file that has none, concealing changes nothing."""
    if not recipes.can_conceal():
        pytest.skip("damage is never concealed")
    about, target = build(name), tmp_path / "out.mkv"
    if name == "two_sizes":  # what was said of two sizes is said of damage too
        pytest.skip("a size is no damage")
    if name == "an_elementary_stream":  # it has no times, damaged or not
        pytest.skip("a stream without a container is refused")
    opened = recipes.anonymize(about.path, target, on_damage="conceal")
    if about.concealed is not None:
        assert opened.concealed >= 1
        found = [
            recipes.read_number(frame.to_ndarray(format="rgb24"))
            for frame in recipes.decode(target)
        ]
        readable = [number for number in found if number is not None]
        assert set(readable) >= set(about.concealed) and readable == sorted(readable)
        return
    check_output(about, target, find_numbers(about))


def check_output(about: Odd, target: pathlib.Path, wanted: tuple) -> None:
    """Assert that the output has these numbers, in the negative, at these times."""
    frames = recipes.decode(target)
    pixels = [frame.to_ndarray(format="rgb24") for frame in frames]
    assert all(map(recipes.is_negative, pixels))
    found = tuple(map(recipes.read_number, pixels))
    assert found == wanted
    if about.times is not None:
        by_number = (
            about.times if len(about.times) > max(wanted) else dict(zip(wanted, about.times))
        )
        times = np.array([float(frame.pts * frame.time_base) for frame in frames])
        right = np.array([by_number[number] for number in wanted])
        compared = slice(None if about.last else -1)
        np.testing.assert_allclose(
            (times - times[0])[compared], (right - right[0])[compared], atol=0.0011
        )


@pytest.mark.parametrize("ending", [".mkv", ".mp4", pytest.param(".mov", marks=pytest.mark.large)])
@pytest.mark.parametrize("sound", ["aac", pytest.param("mp3", marks=pytest.mark.large)])
def test_sound_that_begins_before_zero_stays_where_it_is(
    tmp_path: pathlib.Path, sound: str, ending: str
) -> None:
    given = recipes.make(tmp_path / "in.mp4", Recipe("h264", "mp4", "b-frames", sound=sound))
    target = tmp_path / f"out{ending}"
    recipes.anonymize(given, target, keep=True)
    first, then = recipes.read_sound(given), recipes.read_sound(target)
    assert (
        first.endswith(then) and len(then) > len(first) - 1000
    )  # one packet from before zero may be left out
    assert recipes.find_offset(target) == pytest.approx(recipes.find_offset(given), abs=0.0011)
    times = [float(frame.pts * frame.time_base) for frame in recipes.decode(target)]
    np.testing.assert_allclose(np.array(times) - times[0], even(), atol=0.0011)


def test_uneven_times_are_refused_for_avi_before_work(tmp_path: pathlib.Path) -> None:
    given, calls = recipes.make(tmp_path / "in.mkv", Recipe("h264", "mkv", rate="variable")), []
    with pytest.raises(ValueError, match=r"\.mkv|\.mp4"):
        recipes.anonymize(given, tmp_path / "out.avi", calls=calls)
    assert not calls and recipes.list_folder(tmp_path) == ["in.mkv"]


def test_an_error_of_the_decoder_names_the_input(tmp_path: pathlib.Path) -> None:
    about = a_damaged_picture(tmp_path)
    with pytest.raises(MediaError, match=r"in\.mp4") as caught:
        recipes.anonymize(about.path, tmp_path / "out.mp4")
    assert "out." not in str(caught.value) and recipes.list_folder(tmp_path) == ["in.mp4"]


@pytest.mark.parametrize("on_damage", ["refuse", "conceal"])
def test_a_sound_track_that_points_at_the_pictures_is_not_copied(
    tmp_path: pathlib.Path, on_damage: str
) -> None:
    """A damaged or made-up index: the sound's samples are said to lie where the encoded pictures
    do.
    """
    given = recipes.make(tmp_path / "in.mov", Recipe("prores", "mov", sound="pcm"))
    content = bytearray(pathlib.Path(given).read_bytes())
    pictures = [bytes(packet) for packet in av.open(given).demux(video=0) if packet.size]
    tables = [start for kind, start, _ in recipes.find_boxes(content) if kind == b"stco"]
    first = struct.unpack_from(">I", content, tables[0] + 16)[0]
    entries = struct.unpack_from(">I", content, tables[1] + 12)[0]
    struct.pack_into(f">{entries}I", content, tables[1] + 16, *[first] * entries)
    pathlib.Path(given).write_bytes(content)
    try:
        recipes.anonymize(given, tmp_path / "out.mkv", keep=True, on_damage=on_damage)
    except ValueError as error:
        assert "in.mov" in str(error) and recipes.list_folder(tmp_path) == ["in.mov"]
        return
    piece = pictures[0][len(pictures[0]) // 2 :][:64]
    assert piece not in (tmp_path / "out.mkv").read_bytes()
