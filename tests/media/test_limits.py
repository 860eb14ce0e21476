"""Limits are enforced and name their flag; containers are recognised by their content."""

import io
import struct
from typing import Any

import av
import numpy as np
import pytest
import recipes
from PIL import Image

from tfanon.media import array_writer, frame_reader, image_io, limits, video_reader


@pytest.fixture
def video(tmp_path):
    array_writer.write_video(tmp_path / "a.mp4", [np.zeros((32, 64, 3), np.uint8)] * 50)
    return str(tmp_path / "a.mp4")


@pytest.mark.parametrize(
    "limit, value, message",
    [
        (
            "MAX_FRAME_PIXELS",
            2047,
            r"a.mp4: frames of 64x32 pixels; the limit is 2047 pixels \(--max_frame_pixels\)\.",
        ),
        ("MAX_VIDEO_SECONDS", 1, r"a.mp4: 2 seconds; the limit is 1 \(--max_video_seconds\)\."),
        ("MAX_VIDEO_FRAMES", 49, "a.mp4: more than 49 frames"),
        ("MAX_STREAMS", 0, r"a.mp4: 1 streams; the limit is 0 \(--max_streams\)\."),
    ],
)
def test_exceeded_limits_name_their_flag(video, monkeypatch, limit, value, message):
    assert frame_reader.count_frames(video) == 50
    frame_reader._index_frames.cache_clear()
    monkeypatch.setattr(limits, limit, value)
    with pytest.raises(frame_reader.MediaError, match=message):
        frame_reader.count_frames(video)


def test_large_image_is_refused(tmp_path, monkeypatch):
    array_writer.write_jpeg(tmp_path / "a.jpg", np.zeros((32, 64, 3), np.uint8))
    monkeypatch.setattr(limits, "MAX_FRAME_PIXELS", 2047)
    with pytest.raises(frame_reader.MediaError, match="a.jpg: frames of 64x32 pixels"):
        image_io.read_image(str(tmp_path / "a.jpg"), 8, 8)


def test_content_decides_not_the_extension(video, tmp_path):
    renamed = tmp_path / "b.avi"
    renamed.write_bytes(open(video, "rb").read())
    assert limits.detect_file_format(str(renamed)) == "mov"
    assert frame_reader.count_frames(str(renamed)) == 50
    assert limits.is_video_path("A.MP4") and not limits.is_video_path("a.jpg")


def write_greys(
    path: Any,
    container: str,
    codec: str = "mpeg2video",
    options: dict[str, str] | None = None,
    noise: int = 0,
) -> str:
    """A video of ten frames of 64x64, frame i grey 20 i with some noise; returns the path."""
    rng = np.random.default_rng(0)
    with av.open(str(path), "w", format=container, options=options or {}) as opened:
        stream = opened.add_stream(codec, rate=25)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for number in range(10):
            pixels = 20 * number + rng.integers(0, noise + 1, (64, 64, 3))
            opened.mux(
                stream.encode(av.VideoFrame.from_ndarray(pixels.astype(np.uint8), format="rgb24"))
            )
        opened.mux(stream.encode())
    return str(path)


def check_frames(path: Any, count: int = 10) -> None:
    """Training and anonymizing read the frames of write_greys() in their order."""
    levels = frame_reader.read_frames(str(path), range, 8, 8).astype(int).mean(axis=(1, 2, 3))
    assert len(levels) == count and np.abs(np.diff(levels) - 20).max() < 6
    with video_reader.open_video(str(path)) as opened:
        assert sum(isinstance(item, video_reader.TimedFrame) for item in opened) == count


def make_box(kind: bytes, content: bytes = b"", wide: bool = False) -> bytes:
    """A box of MP4; wide: with a size of 64 bits."""
    if wide:
        return struct.pack(">I4sQ", 1, kind, 16 + len(content)) + content
    return struct.pack(">I4s", 8 + len(content), kind) + content


def insert_boxes(content: bytes, boxes: bytes) -> bytes:
    """An MP4 file with boxes in front of it; the offsets of its samples are moved by as much."""
    moved = bytearray(content)
    for kind, start, _ in recipes.find_boxes(content):
        if kind == b"stco":
            (count,) = struct.unpack_from(">I", content, start + 12)
            for place in range(start + 16, start + 16 + 4 * count, 4):
                (offset,) = struct.unpack_from(">I", content, place)
                struct.pack_into(">I", moved, place, offset + len(boxes))
    return boxes + bytes(moved)


@pytest.mark.parametrize(
    "boxes",
    [
        make_box(b"free", bytes(100)),
        make_box(b"skip"),
        make_box(b"wide"),
        make_box(b"uuid", bytes(range(40)), wide=True),
        make_box(b"junk", b"?"),
        make_box(b"pnot", bytes(4) + b"\0\0PICT\0\1") + make_box(b"PICT", bytes(3000)),
        make_box(b"free") * 20 + make_box(b"uuid", bytes(16)),
    ],
    ids=["free", "skip", "wide", "uuid", "junk", "pnot", "many"],
)
def test_unknown_boxes_before_a_movie_are_skipped(tmp_path, boxes):
    content = open(write_greys(tmp_path / "a.mov", "mov", "mpeg4"), "rb").read()
    (tmp_path / "b.mov").write_bytes(insert_boxes(content, boxes))
    check_frames(tmp_path / "b.mov")
    # Files from before there was an ftyp box.
    (type_size,) = struct.unpack_from(">I", content)
    without_type = content[type_size:]
    assert limits.detect_format(io.BytesIO(boxes + without_type), "a.mov") == "mov"


@pytest.mark.parametrize(
    "content",
    [
        make_box(b"free", bytes(100)),
        make_box(b"free") * 1000,
        struct.pack(">I4sQ", 1, b"free", 2**63) + bytes(50),
        struct.pack(">I4s", 0, b"free") + bytes(50),
        struct.pack(">I4s", 4, b"free") + bytes(50),
        make_box(b"\0\1\2\3") + make_box(b"moov"),
        make_box(b"ftyp", b"jp2 " + bytes(4) + b"jp2 "),
        b"Movie notes: ftyp moov mdat\n" * 99,
        b"#EXTM3U\n" + b"G" * 10,
        b"\0\0\1\xb5" + bytes(1000),
    ],
)
def test_file_that_only_resembles_a_movie_is_refused(content):
    with pytest.raises(
        limits.MediaError, match="a.mp4: the content is not in a supported video or image format"
    ):
        limits.detect_format(io.BytesIO(content), "a.mp4")


@pytest.mark.parametrize(
    "ending, container, codec, options",
    [
        (".ts", "mpegts", "mpeg2video", {}),
        (".m2ts", "mpegts", "mpeg2video", {"mpegts_m2ts_mode": "1"}),
        (".mts", "mpegts", "libx264", {"mpegts_m2ts_mode": "1"}),
        (".flv", "flv", "flv1", {}),
        (".flv", "flv", "libx264", {}),
        (".wmv", "asf", "wmv2", {}),
        (".asf", "asf", "msmpeg4", {}),
        (".ogv", "ogg", "libvpx", {}),
        (".3gp", "3gp", "mpeg4", {}),
        (".f4v", "mp4", "libx264", {}),
        (".vob", "vob", "mpeg2video", {}),
        (".mpg", "mpeg", "mpeg1video", {}),
        (".divx", "avi", "mpeg4", {}),
    ],
)
def test_common_containers_are_read(tmp_path, ending, container, codec, options):
    path = write_greys(tmp_path / f"a{ending}", container, codec, options)
    assert limits.is_video_path(path)
    check_frames(path)


def test_gif_is_a_video(tmp_path):
    frames = [Image.fromarray(np.full((64, 64, 3), 20 * number, np.uint8)) for number in range(10)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=40)
    check_frames(tmp_path / "a.gif")


def test_streams_that_begin_in_the_middle_are_read(tmp_path):
    """Recordings that were split by size do; program streams may also begin with empty sectors."""
    stream = open(write_greys(tmp_path / "a.ts", "mpegts"), "rb").read()
    (tmp_path / "b.ts").write_bytes(stream[-100:] + stream)
    check_frames(tmp_path / "b.ts")
    program = open(write_greys(tmp_path / "a.mpg", "vob", noise=50), "rb").read()
    for name, before in (("zeros.mpg", bytes(4096)), ("middle.mpg", program[1000:2048])):
        (tmp_path / name).write_bytes(before + program)
        check_frames(tmp_path / name)


@pytest.mark.parametrize(
    "ending, container, codec",
    [
        (".m1v", "mpeg1video", "mpeg1video"),
        (".m2v", "mpeg2video", "mpeg2video"),
        (".h264", "h264", "libx264"),
    ],
)
def test_raw_stream_is_refused_with_the_remedy(tmp_path, ending, container, codec):
    content = open(write_greys(tmp_path / f"a{ending}", container, codec), "rb").read()
    (tmp_path / "b.mpg").write_bytes(content)
    for name in (f"a{ending}", "b.mpg"):
        with pytest.raises(
            limits.MediaError, match=f"{name}: a raw video stream.*ffmpeg -r FRAME_RATE -i FILE"
        ):
            frame_reader.count_frames(str(tmp_path / name))


@pytest.mark.parametrize(
    "brands, kind",
    [
        (b"avif", "avif"),
        (b"avis", "avif"),
        (b"heic", "heif"),
        (b"hevc", "heif"),
        (b"mif1....miafavif", "avif"),
        (b"mif1....miafheic", "heif"),
        (b"isom....mif1avif", ""),
        (b"qt  ", ""),
    ],
)
def test_avif_and_heif_are_distinguished_from_movies(brands, kind):
    file = io.BytesIO(make_box(b"free") + make_box(b"ftyp", brands) + bytes(50))
    assert limits.detect_content(file, "a.mp4") == (kind or "mov") and file.tell() == 0
    if kind:
        with pytest.raises(
            limits.MediaError, match=f"a.mp4: the content is an {kind.upper()} picture.*a.{kind}"
        ):
            limits.detect_format(file, "a.mp4")


def test_cover_picture_is_not_the_video(tmp_path):
    """In a movie whose metadata precedes its tracks, the cover is libav's first stream."""
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as opened:
        cover, stream = opened.add_stream("mjpeg", rate=1), opened.add_stream("mpeg4", rate=25)
        cover.width = cover.height = 32
        cover.pix_fmt, cover.disposition = "yuvj420p", av.stream.Disposition.attached_pic
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        black = np.zeros((32, 32, 3), np.uint8)
        opened.mux(cover.encode(av.VideoFrame.from_ndarray(black, format="rgb24")))
        opened.mux(cover.encode())
        for number in range(10):
            grey = np.full((64, 64, 3), 20 * number, np.uint8)
            opened.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        opened.mux(stream.encode())
    content = path.read_bytes()
    ((_, start, end),) = [place for place in recipes.find_boxes(content) if place[0] == b"moov"]
    parts = [
        content[first:last]
        for kind, first, last in recipes.find_boxes(content, start + 8, end)
        if kind in (b"mvhd", b"trak", b"udta")
    ]
    assert start + 8 + sum(map(len, parts)) == end
    path.write_bytes(content[: start + 8] + parts[0] + parts[2] + parts[1] + content[end:])
    with av.open(str(path)) as opened:
        assert opened.streams.video[0].codec_context.width == 32
    check_frames(path)
