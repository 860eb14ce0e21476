"""Files that strangers made: what the reader does with each kind of odd, broken or lying file.

| file | what the reader does |
| --- | --- |
| a play list or a concat script, whatever its name | refused by its content; nothing it names is opened |
| zero bytes, text, an archive | refused by its content |
| cut off | AVI: the frames before the cut; MP4, whose index is at the end: refused; JPEG: refused |
| sound only | refused: no video stream |
| one frame | a clip that holds it |
| 1x1, odd sides | read and scaled as any other |
| rotated by its header | upright, as players show it |
| variable frame rate | frames are counted, time is ignored |
| 10 bits, greyscale | 8 bit RGB; grey has three equal channels |
| transparency | laid on white, so that hidden colours stay hidden |
| CMYK JPEG | RGB |
| an image that is turned, transparent, of another colour space, in tiles, of several pictures | test_image_io.py |
| other containers, and boxes in front of a movie | test_limits.py |
"""

import http.server
import subprocess
import sys
import threading

import av
import clips
import icc_profiles
import numpy as np
import pytest
import tiled_avif
from clips import Clip
from PIL import Image

from tfanon.media import array_writer, frame_reader, image_io, video_reader

SIDE = 16


def write(path, frames, codec="libx264", pixel_format="yuv420p", rate=25, stamps=None, edit=None):
    """A video of uint8 arrays [H, W, 3].  stamps: of the frames, in 1/25 s.  edit: changes the stream."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pixel_format
        if edit:
            edit(stream)
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts = number if stamps is None else stamps[number]
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return str(path)


def coloured(count, height=SIDE, width=SIDE):
    """Frame i is all red 20 i with some green and blue, which tell the channels apart."""
    return [
        np.full((height, width, 3), (20 * number, 60, 120), np.uint8) for number in range(count)
    ]


def read(path, side=8):
    return frame_reader.read_frames(str(path), range, side, side).astype(int)


def check(path, count):
    frames = read(path)
    assert frames.shape == (count, 8, 8, 3) and frame_reader.count_frames(str(path)) == count
    for number, frame in enumerate(frames):
        np.testing.assert_allclose(np.median(frame, axis=(0, 1)), (20 * number, 60, 120), atol=12)


@pytest.fixture
def server():
    """A web server on this machine that counts what it is asked for."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running.server_address[1], asked
        running.shutdown()


@pytest.mark.parametrize("name", ["a.avi", "a.mp4", "a.mkv", "a.jpg"])
@pytest.mark.parametrize(
    "script",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{address}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '{secret}'\n",
        "concat:{secret}|{secret}",
        '<?xml version="1.0"?><MPD><Period><BaseURL>{address}</BaseURL></Period></MPD>',
        "v=0\nc=IN IP4 127.0.0.1\nm=video {port} RTP/AVP 96\n",
    ],
)
def test_a_script_opens_nothing(tmp_path, server, name, script):
    port, asked = server
    secret = tmp_path / "secret.mp4"
    array_writer.write_video(secret, coloured(3))
    (tmp_path / name).write_text(
        script.format(address=f"http://127.0.0.1:{port}/a.ts", secret=secret, port=port)
    )
    with pytest.raises(
        frame_reader.MediaError,
        match=f"{name}: the content is not in a supported video or image format",
    ):
        image_io.read_image(str(tmp_path / name), 8, 8) if name.endswith("jpg") else read(
            tmp_path / name
        )
    assert asked == []


@pytest.mark.parametrize(
    "path",
    [
        "concat:a.mp4|b.mp4",
        "http://127.0.0.1/a.mp4",
        "file:///etc/passwd.mp4",
        "subfile,,start,0,end,9,,:a.mp4",
        "data:video/mp4;base64,AAAA.mp4",
    ],
)
def test_an_address_is_the_name_of_a_file_that_is_not_there(path):
    with pytest.raises(frame_reader.MediaError, match="No such file"):
        read(path)


@pytest.mark.parametrize("name", ["file:secret.mp4", "12:00.mp4", "data:video.mp4"])
def test_a_colon_in_a_name(tmp_path, monkeypatch, name):
    """The name is that of a file: another, whose address it also is, stays closed."""
    monkeypatch.chdir(tmp_path)
    array_writer.write_video("secret.mp4", coloured(7))
    array_writer.write_video(name, coloured(3))
    check(name, 3)
    with video_reader.open_video(name) as opened:
        assert len(list(opened)) == 3


def test_a_reference_out_of_an_mp4_is_not_followed(tmp_path):
    """A 'url ' atom that says where the samples lie: libav must not open it."""
    array_writer.write_video(tmp_path / "a.mp4", coloured(3))
    content = (tmp_path / "a.mp4").read_bytes()
    inside = b"url \x00\x00\x00\x01"  # flag 1: in this file
    assert inside in content
    (tmp_path / "b.mp4").write_bytes(content.replace(inside, b"url \x00\x00\x00\x00"))
    try:
        assert read(tmp_path / "b.mp4").shape == (3, 8, 8, 3)
    except frame_reader.MediaError as error:
        assert "b.mp4" in str(error)


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04 an archive", b"Rar!\x1a\x07", b"hello", b"\x00" * 1000]
)
def test_what_is_no_media_is_refused(tmp_path, content):
    for name in ("a.avi", "a.mp4"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(
            frame_reader.MediaError, match=f"{name}: (the file is empty|the content is not in)"
        ):
            read(tmp_path / name)


def test_a_video_cut_off(tmp_path):
    noise = [
        np.random.default_rng(number).integers(0, 255, (64, 64, 3)).astype(np.uint8)
        for number in range(12)
    ]
    whole = open(write(tmp_path / "whole.avi", noise, codec="mpeg4"), "rb").read()
    (tmp_path / "cut.avi").write_bytes(whole[: len(whole) * 2 // 3])
    assert 1 <= frame_reader.count_frames(str(tmp_path / "cut.avi")) < 12
    whole = open(write(tmp_path / "whole.mp4", coloured(12)), "rb").read()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(frame_reader.MediaError, match="cut.mp4"):
        read(tmp_path / "cut.mp4")


def test_sound_alone(tmp_path):
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, 1024), np.float32), format="fltp", layout="mono"
        )
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(frame_reader.MediaError, match="a.mp4: no video stream in it"):
        read(tmp_path / "a.mp4")


def test_one_frame(tmp_path):
    check(write(tmp_path / "a.mp4", coloured(1)), 1)
    clip = frame_reader.read_frames(str(tmp_path / "a.mp4"), lambda count: [count - 1] * 4, 8, 8)
    assert clip.shape == (4, 8, 8, 3)


@pytest.mark.parametrize("height, width", [(1, 1), (1, 40), (17, 31), (3, 2)])
def test_odd_sides(tmp_path, height, width):
    check(
        write(tmp_path / "a.mkv", coloured(3, height, width), codec="ffv1", pixel_format="bgr0"), 3
    )
    Image.fromarray(coloured(3, height, width)[2]).save(tmp_path / "a.png")
    pixels = image_io.read_image(str(tmp_path / "a.png"), 8, 8)[0]
    np.testing.assert_allclose(
        pixels.astype(int), np.broadcast_to((40, 60, 120), (8, 8, 3)), atol=2
    )


@pytest.mark.parametrize(
    "turns, mirrored", [(1, False), (2, False), (3, False), (0, True), (1, True)]
)
def test_a_rotated_video_is_read_upright(tmp_path, turns, mirrored):
    path = clips.write_clip(tmp_path / "a.mp4", Clip(turns=turns, mirrored=mirrored, frames=3))
    upright = clips.read_displayed_frames(path)
    assert upright.shape[1:3] == ((64, 48) if turns % 2 else (48, 64))
    np.testing.assert_array_equal(
        frame_reader.read_frames(path, range, *upright.shape[1:3]), upright
    )


def test_a_window_lies_in_the_upright_picture(tmp_path):
    path = clips.write_clip(tmp_path / "a.mp4", Clip(turns=1, frames=1, size=(64, 64)))
    quarter = frame_reader.read_frames(path, range, 32, 32, (0.5, 0.0, 1.0))[0]
    np.testing.assert_array_equal(quarter, clips.read_displayed_frames(path)[0][:32, 32:])


def test_a_variable_frame_rate(tmp_path):
    check(write(tmp_path / "a.mp4", coloured(6), stamps=[0, 1, 10, 11, 50, 200]), 6)


@pytest.mark.parametrize(
    "name, codec, pixel_format",
    [
        ("ten_bits.mkv", "ffv1", "yuv420p10le"),
        ("alpha.mov", "png", "rgba"),
        ("alpha.mkv", "ffv1", "yuva420p"),
        ("full.mkv", "ffv1", "yuv444p"),
    ],
)
def test_other_pixels_become_rgb(tmp_path, name, codec, pixel_format):
    check(write(tmp_path / name, coloured(4), codec=codec, pixel_format=pixel_format), 4)


@pytest.mark.parametrize(
    "name, codec, pixel_format",
    [
        ("alpha.mov", "png", "rgba"),
        ("alpha.mkv", "ffv1", "yuva420p"),
        ("alpha.mov", "prores_ks", "yuva444p10le"),
        ("alpha.mov", "qtrle", "argb"),
    ],
)
def test_what_a_video_hides_by_transparency_stays_hidden(tmp_path, name, codec, pixel_format):
    """Red that is transparent on the left half, half so in the middle, and opaque on the right."""
    rgba = np.zeros((48, 96, 4), np.uint8)
    rgba[..., 0] = 255
    rgba[:, 32:64, 3], rgba[:, 64:, 3] = 128, 255
    with av.open(str(tmp_path / name), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 96, pixel_format
        container.mux(
            stream.encode(
                av.VideoFrame.from_ndarray(rgba, format="rgba").reformat(format=pixel_format)
            )
        )
        container.mux(stream.encode())
    pixels = frame_reader.read_frames(str(tmp_path / name), range, 48, 96)[0].astype(int)
    for column, shown in ((16, (255, 255, 255)), (48, (255, 127, 127)), (80, (255, 0, 0))):
        np.testing.assert_allclose(pixels[24, column], shown, atol=6)


def test_hdr_with_transparency_is_tone_mapped_too(tmp_path):
    ramp = np.repeat(np.linspace(0, 255, 64).astype(np.uint8)[None], 48, 0)[..., None].repeat(3, 2)
    read = {}
    for pixel_format in ("yuv444p10le", "yuva444p10le"):
        path = tmp_path / f"{pixel_format}.mkv"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("ffv1", rate=25)
            stream.height, stream.width, stream.pix_fmt = 48, 64, pixel_format
            context = stream.codec_context
            context.colorspace, context.color_range, context.color_primaries, context.color_trc = (
                9,
                1,
                9,
                16,
            )
            frame = av.VideoFrame.from_ndarray(ramp, format="rgb24")
            container.mux(
                stream.encode(frame.reformat(format=pixel_format, dst_colorspace="bt2020"))
            )
            container.mux(stream.encode())
        read[pixel_format] = frame_reader.read_frames(str(path), range, 48, 64)[0].astype(int)
    np.testing.assert_allclose(read["yuva444p10le"], read["yuv444p10le"], atol=2)


def test_ten_bits_of_h264(tmp_path):
    check(write(tmp_path / "a.mp4", coloured(4), pixel_format="yuv420p10le"), 4)


def test_a_greyscale_video_has_three_equal_channels(tmp_path):
    frames = read(write(tmp_path / "a.mkv", coloured(3), codec="ffv1", pixel_format="gray"))
    assert (
        frames.shape == (3, 8, 8, 3)
        and (frames[..., 0] == frames[..., 1]).all()
        and (frames[..., 0] == frames[..., 2]).all()
    )
    # ITU-R BT.601: .299 * 40 + .587 * 60 + .114 * 120 = 60.9 in frame 2.
    np.testing.assert_allclose(frames[2], 61, atol=4)


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "1", "I;16"])
def test_images_of_any_mode(tmp_path, mode):
    grey = Image.fromarray(np.full((16, 16), 96, np.uint8))
    image = (
        Image.fromarray(np.full((16, 16), 96 * 257, np.uint16))
        if mode == "I;16"
        else grey.convert(mode)
    )
    image.save(tmp_path / "a.png")
    pixels = image_io.read_image(str(tmp_path / "a.png"), 8, 8)[0].astype(int)
    expected = (
        np.asarray(image.convert("RGB").resize((8, 8)))
        if mode != "I;16"
        else np.full((8, 8, 3), 96)
    )
    assert (
        pixels.shape == (8, 8, 3) and np.abs(pixels.mean() - expected.mean()) < 6
    )  # mode 1 is dots


def test_a_cmyk_jpeg_becomes_rgb(tmp_path):
    image = Image.new("CMYK", (16, 16), (200, 30, 90, 20))
    image.save(tmp_path / "a.jpg", quality=100)
    pixels = image_io.read_image(str(tmp_path / "a.jpg"), 8, 8)[0].astype(int)
    expected = np.asarray(Image.open(tmp_path / "a.jpg").convert("RGB"))[0, 0].astype(int)
    np.testing.assert_allclose(pixels, np.broadcast_to(expected, (8, 8, 3)), atol=6)


# 500 files: every mutation of every seed file; in a process of its own, since a crash would end this one.
MUTATED = """
import collections, sys
import numpy as np
from tfanon.media import image_io, limits, reader
seeds, folder, count = sys.argv[1:-2], sys.argv[-2], int(sys.argv[-1])
contents, rng, seen = [open(path, "rb").read() for path in seeds], np.random.default_rng(0), collections.Counter()
def mutate(content):
    kind, content = rng.integers(4), bytearray(content)
    if kind == 0:  # cut off
        return content[:rng.integers(len(content))]
    if kind == 1:  # bits flipped
        for place in rng.integers(len(content), size=rng.integers(1, 60)):
            content[place] ^= 1 << rng.integers(8)
        return content
    other = contents[rng.integers(len(contents))]
    first, second = rng.integers(len(content)), rng.integers(len(other))
    if kind == 2:  # spliced
        return content[:first] + other[second:]
    content[first:first + 64] = bytes(rng.integers(256, size=64, dtype=np.uint8))
    return content
for number in range(count):
    which = int(rng.integers(len(seeds)))
    path = f"{folder}/{number}.{seeds[which].rpartition('.')[2]}"
    with open(path, "wb") as file:
        file.write(mutate(contents[which]))
    try:
        if limits.is_video_path(path):
            pixels = reader.read_frames(path, lambda n: np.minimum(np.arange(4) * 2, n - 1), 8, 8)
        else:
            pixels = image_io.read_image(path, 8, 8, [(1.0, 0.0, 0.0)] * 4)
        assert pixels.shape == (4, 8, 8, 3) and pixels.dtype == np.uint8, (path, pixels.shape)
        seen["read"] += 1
    except limits.MediaError as error:
        assert path in str(error) and "\\n" not in str(error), error
        seen["refused"] += 1
print(seen["read"], seen["refused"])
"""


def test_500_mutated_files(tmp_path):
    frames = [
        np.random.default_rng(number).integers(0, 255, (32, 48, 3)).astype(np.uint8)
        for number in range(10)
    ]
    seeds = [
        write(tmp_path / "a.avi", frames, codec="mpeg4"),
        write(tmp_path / "b.mp4", frames),
        write(tmp_path / "c.mkv", frames),
        write(tmp_path / "d.avi", frames),
    ]
    seeds += [
        write(tmp_path / "i.ts", frames, codec="mpeg2video"),
        write(tmp_path / "j.flv", frames),
        write(tmp_path / "k.wmv", frames, codec="wmv2"),
        write(tmp_path / "l.mpg", frames, codec="mpeg1video"),
    ]
    Image.fromarray(frames[0]).save(
        tmp_path / "m.gif", save_all=True, append_images=[Image.fromarray(frames[1])]
    )
    exif = Image.Exif()
    exif[0x0112] = 6
    profile = icc_profiles.make_rgb(icc_profiles.ADOBE_RGB, icc_profiles.ADOBE_GAMMA)
    clear = Image.fromarray(np.dstack([frames[0], frames[1][..., 0]]))
    for name in ("e.jpg", "f.png", "g.webp", "h.bmp", "n.avif"):
        Image.fromarray(frames[0]).save(tmp_path / name)
        seeds.append(str(tmp_path / name))
    for name in ("o.jpg", "p.png", "q.webp", "r.avif"):
        image = clear if name != "o.jpg" else Image.fromarray(frames[0])
        image.save(tmp_path / name, exif=exif, icc_profile=profile)
        seeds.append(str(tmp_path / name))
    (tmp_path / "s.avif").write_bytes(
        tiled_avif.make_tiled_avif(np.tile(frames[0], (4, 3, 1))[:128, :128])
    )
    seeds += [str(tmp_path / "m.gif"), str(tmp_path / "s.avif")]
    (tmp_path / "mutated").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", MUTATED, *seeds, tmp_path / "mutated", "500"],
        timeout=300,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    read_whole, refused = map(int, done.stdout.split())
    assert read_whole + refused == 500 and read_whole > 50 and refused > 50
