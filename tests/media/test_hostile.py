"""Files from strangers: what the reader does with each kind of odd, broken or crafted file.

| file | what the reader does |
| --- | --- |
| a playlist or a concat script, whatever its name | refused by content; opens nothing |
| zero bytes, text, an archive | refused by its content |
| truncated | AVI: frames before the cut; MP4 with its index at the end: refused; JPEG: refused |
| sound only | refused: no video stream |
| one frame | a clip that holds it |
| 1x1, odd sides | read and scaled as any other |
| rotated by its header | upright, as players show it |
| variable frame rate | frames are counted, time is ignored |
| 10 bits, greyscale | 8 bit RGB; grey has three equal channels |
| transparency | on a white background, so that hidden colours stay hidden |
| CMYK JPEG | RGB |
| rotated, transparent, tiled or animated images, other colour spaces | test_image_io.py |
| other containers, and boxes before a movie | test_limits.py |
"""

import http.server
import pathlib
import subprocess
import sys

import av
import clips
import icc_profiles
import numpy as np
import pytest
import streaming
import tiled_avif
from clips import Clip
from PIL import Image

from tfanon.media import array_writer, frame_reader, image_io, video_reader
from tfanon.media.limits import MediaError

SIDE = 16
READ_SIDE = 8  # to which frames are scaled
EXIF_ORIENTATION, ROTATED = 0x0112, 6
UNSUPPORTED = "the content is not in a supported video or image format"


def write_video(path, frames, codec="libx264", pixel_format="yuv420p", stamps=None):
    """A video of uint8 arrays [H, W, 3]; returns its path.  stamps: of the frames, in 1/25 s."""
    if stamps is None:
        stamps = range(len(frames))
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pixel_format
        for pixels, stamp in zip(frames, stamps, strict=True):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts = stamp
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return str(path)


def make_frame(number, height=SIDE, width=SIDE):
    """Red gives the number; green and blue show that the channels are in order."""
    return np.full((height, width, 3), (20 * number, 60, 120), np.uint8)


def make_frames(count, height=SIDE, width=SIDE):
    return [make_frame(number, height, width) for number in range(count)]


def make_noise(seed, height, width):
    return np.random.default_rng(seed).integers(0, 255, (height, width, 3)).astype(np.uint8)


def read(path):
    return frame_reader.read_frames(str(path), range, READ_SIDE, READ_SIDE).astype(int)


def read_image(path):
    return image_io.read_image(str(path), READ_SIDE, READ_SIDE)[0].astype(int)


def check_frames(path, count):
    """Assert that a file holds the frames of make_frames()."""
    frames = read(path)
    assert frames.shape == (count, READ_SIDE, READ_SIDE, 3)
    assert frame_reader.count_frames(str(path)) == count
    for number, frame in enumerate(frames):
        np.testing.assert_allclose(np.median(frame, axis=(0, 1)), (20 * number, 60, 120), atol=12)


@pytest.fixture
def web_server():
    """The port of a web server on this machine, and the list of paths that it is asked for."""
    requests = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            requests.append(self.path)
            self.send_error(404)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with streaming.run_server(server):
        yield server.server_address[1], requests


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
def test_script_opens_nothing(tmp_path, web_server, name, script):
    port, requests = web_server
    secret = tmp_path / "secret.mp4"
    array_writer.write_video(secret, make_frames(3))
    address = f"http://127.0.0.1:{port}/a.ts"
    (tmp_path / name).write_text(script.format(address=address, secret=secret, port=port))
    read_file = read_image if name.endswith("jpg") else read
    with pytest.raises(MediaError, match=f"{name}: {UNSUPPORTED}"):
        read_file(tmp_path / name)
    assert requests == []


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
def test_address_is_taken_as_the_name_of_a_file(path):
    with pytest.raises(MediaError, match="No such file"):
        read(path)


@pytest.mark.parametrize("name", ["file:secret.mp4", "12:00.mp4", "data:video.mp4"])
def test_name_with_a_colon_opens_that_file_alone(tmp_path, monkeypatch, name):
    # As an address, the name would open another file.
    monkeypatch.chdir(tmp_path)
    array_writer.write_video("secret.mp4", make_frames(7))
    array_writer.write_video(name, make_frames(3))
    check_frames(name, 3)
    with video_reader.open_video(name) as video:
        assert len(list(video)) == 3


def test_reference_out_of_an_mp4_is_not_followed(tmp_path):
    # A 'url ' atom says where the samples lie: libav must not open it.
    array_writer.write_video(tmp_path / "a.mp4", make_frames(3))
    content = (tmp_path / "a.mp4").read_bytes()
    in_this_file = b"url \x00\x00\x00\x01"  # flag 1
    assert in_this_file in content
    elsewhere = content.replace(in_this_file, b"url \x00\x00\x00\x00")
    (tmp_path / "b.mp4").write_bytes(elsewhere)
    try:
        assert read(tmp_path / "b.mp4").shape == (3, READ_SIDE, READ_SIDE, 3)
    except MediaError as error:
        assert "b.mp4" in str(error)


@pytest.mark.parametrize("name", ["a.avi", "a.mp4"])
@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04 an archive", b"Rar!\x1a\x07", b"hello", b"\x00" * 1000]
)
def test_file_that_is_no_media_is_refused(tmp_path, content, name):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(MediaError, match=f"{name}: (the file is empty|{UNSUPPORTED})"):
        read(tmp_path / name)


def truncate(source, target):
    content = pathlib.Path(source).read_bytes()
    target.write_bytes(content[: len(content) * 2 // 3])


def test_truncated_avi_holds_the_frames_before_the_cut(tmp_path):
    frames = [make_noise(number, 64, 64) for number in range(12)]
    truncate(write_video(tmp_path / "whole.avi", frames, codec="mpeg4"), tmp_path / "cut.avi")
    assert 1 <= frame_reader.count_frames(str(tmp_path / "cut.avi")) < 12


def test_truncated_mp4_is_refused(tmp_path):
    truncate(write_video(tmp_path / "whole.mp4", make_frames(12)), tmp_path / "cut.mp4")
    with pytest.raises(MediaError, match="cut.mp4"):
        read(tmp_path / "cut.mp4")


def test_sound_without_video_is_refused(tmp_path):
    samples = np.zeros((1, 1024), np.float32)
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(MediaError, match="a.mp4: no video stream in it"):
        read(tmp_path / "a.mp4")


def test_video_of_one_frame(tmp_path):
    check_frames(write_video(tmp_path / "a.mp4", make_frames(1)), 1)
    clip = frame_reader.read_frames(str(tmp_path / "a.mp4"), lambda count: [count - 1] * 4, 8, 8)
    assert clip.shape == (4, 8, 8, 3)


@pytest.mark.parametrize("height, width", [(1, 1), (1, 40), (17, 31), (3, 2)])
def test_odd_sides(tmp_path, height, width):
    frames = make_frames(3, height, width)
    path = write_video(tmp_path / "a.mkv", frames, codec="ffv1", pixel_format="bgr0")
    check_frames(path, 3)
    Image.fromarray(frames[2]).save(tmp_path / "a.png")
    expected = np.broadcast_to((40, 60, 120), (READ_SIDE, READ_SIDE, 3))
    np.testing.assert_allclose(read_image(tmp_path / "a.png"), expected, atol=2)


@pytest.mark.parametrize(
    "turns, mirrored", [(1, False), (2, False), (3, False), (0, True), (1, True)]
)
def test_rotated_video_is_read_upright(tmp_path, turns, mirrored):
    path = clips.write_clip(tmp_path / "a.mp4", Clip(turns=turns, mirrored=mirrored, frames=3))
    upright = clips.read_displayed_frames(path)
    height, width = upright.shape[1:3]
    assert (height, width) == ((64, 48) if turns % 2 else (48, 64))
    np.testing.assert_array_equal(frame_reader.read_frames(path, range, height, width), upright)


def test_window_lies_in_the_upright_frame(tmp_path):
    path = clips.write_clip(tmp_path / "a.mp4", Clip(turns=1, frames=1, size=(64, 64)))
    top_right = frame_reader.read_frames(path, range, 32, 32, (0.5, 0.0, 1.0))[0]
    np.testing.assert_array_equal(top_right, clips.read_displayed_frames(path)[0][:32, 32:])


def test_variable_frame_rate(tmp_path):
    path = write_video(tmp_path / "a.mp4", make_frames(6), stamps=[0, 1, 10, 11, 50, 200])
    check_frames(path, 6)


@pytest.mark.parametrize(
    "name, codec, pixel_format",
    [
        ("ten_bits.mkv", "ffv1", "yuv420p10le"),
        ("alpha.mov", "png", "rgba"),
        ("alpha.mkv", "ffv1", "yuva420p"),
        ("full.mkv", "ffv1", "yuv444p"),
    ],
)
def test_other_pixel_formats_become_rgb(tmp_path, name, codec, pixel_format):
    frames = make_frames(4)
    check_frames(write_video(tmp_path / name, frames, codec=codec, pixel_format=pixel_format), 4)


@pytest.mark.parametrize(
    "name, codec, pixel_format",
    [
        ("alpha.mov", "png", "rgba"),
        ("alpha.mkv", "ffv1", "yuva420p"),
        ("alpha.mov", "prores_ks", "yuva444p10le"),
        ("alpha.mov", "qtrle", "argb"),
    ],
)
def test_colours_hidden_by_transparency_stay_hidden(tmp_path, name, codec, pixel_format):
    # Red that is transparent on the left, half transparent in the middle, opaque on the right.
    rgba = np.zeros((48, 96, 4), np.uint8)
    rgba[..., 0] = 255
    rgba[:, 32:64, 3] = 128
    rgba[:, 64:, 3] = 255
    with av.open(str(tmp_path / name), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 96, pixel_format
        frame = av.VideoFrame.from_ndarray(rgba, format="rgba")
        container.mux(stream.encode(frame.reformat(format=pixel_format)))
        container.mux(stream.encode())
    pixels = frame_reader.read_frames(str(tmp_path / name), range, 48, 96)[0].astype(int)
    for column, expected in ((16, (255, 255, 255)), (48, (255, 127, 127)), (80, (255, 0, 0))):
        np.testing.assert_allclose(pixels[24, column], expected, atol=6)


def write_hdr_ramp(path, pixel_format):
    """One frame of HDR (PQ), from black to white."""
    levels = np.linspace(0, 255, 64).astype(np.uint8)
    ramp = np.repeat(levels[None], 48, 0)[..., None].repeat(3, 2)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 64, pixel_format
        context = stream.codec_context
        context.colorspace, context.color_range = 9, 1
        context.color_primaries, context.color_trc = 9, 16
        frame = av.VideoFrame.from_ndarray(ramp, format="rgb24")
        container.mux(stream.encode(frame.reformat(format=pixel_format, dst_colorspace="bt2020")))
        container.mux(stream.encode())


def test_hdr_with_transparency_is_tone_mapped(tmp_path):
    pixels = []
    for pixel_format in ("yuv444p10le", "yuva444p10le"):
        path = tmp_path / f"{pixel_format}.mkv"
        write_hdr_ramp(path, pixel_format)
        pixels.append(frame_reader.read_frames(str(path), range, 48, 64)[0].astype(int))
    np.testing.assert_allclose(pixels[1], pixels[0], atol=2)


def test_ten_bits_of_h264(tmp_path):
    path = write_video(tmp_path / "a.mp4", make_frames(4), pixel_format="yuv420p10le")
    check_frames(path, 4)


def test_greyscale_video_has_three_equal_channels(tmp_path):
    path = write_video(tmp_path / "a.mkv", make_frames(3), codec="ffv1", pixel_format="gray")
    frames = read(path)
    assert frames.shape == (3, READ_SIDE, READ_SIDE, 3)
    assert (frames[..., 0] == frames[..., 1]).all() and (frames[..., 0] == frames[..., 2]).all()
    # ITU-R BT.601: .299 * 40 + .587 * 60 + .114 * 120 = 60.9 in frame 2.
    np.testing.assert_allclose(frames[2], 61, atol=4)


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "1"])
def test_images_of_any_mode(tmp_path, mode):
    image = Image.fromarray(np.full((16, 16), 96, np.uint8)).convert(mode)
    image.save(tmp_path / "a.png")
    pixels = read_image(tmp_path / "a.png")
    expected = np.asarray(image.convert("RGB").resize((READ_SIDE, READ_SIDE)))
    assert pixels.shape == (READ_SIDE, READ_SIDE, 3)
    assert np.abs(pixels.mean() - expected.mean()) < 6  # mode 1 is dots


def test_16_bit_image(tmp_path):
    Image.fromarray(np.full((16, 16), 96 * 257, np.uint16)).save(tmp_path / "a.png")
    pixels = read_image(tmp_path / "a.png")
    assert pixels.shape == (READ_SIDE, READ_SIDE, 3)
    assert np.abs(pixels.mean() - 96) < 6


def test_cmyk_jpeg_becomes_rgb(tmp_path):
    image = Image.new("CMYK", (16, 16), (200, 30, 90, 20))
    image.save(tmp_path / "a.jpg", quality=100)
    expected = np.asarray(Image.open(tmp_path / "a.jpg").convert("RGB"))[0, 0].astype(int)
    pixels = read_image(tmp_path / "a.jpg")
    np.testing.assert_allclose(pixels, np.broadcast_to(expected, pixels.shape), atol=6)


# Every mutation of every seed file; in a process of its own, since a crash would end this one.
READ_MUTATED_FILES = """
import collections, sys
import numpy as np
from tfanon.media import frame_reader, image_io, limits
seeds, folder, count = sys.argv[1:-2], sys.argv[-2], int(sys.argv[-1])
contents = [open(path, "rb").read() for path in seeds]
rng, outcomes = np.random.default_rng(0), collections.Counter()
def mutate(content):
    kind, content = rng.integers(4), bytearray(content)
    if kind == 0:  # truncated
        return content[:rng.integers(len(content))]
    if kind == 1:  # bits flipped
        for position in rng.integers(len(content), size=rng.integers(1, 60)):
            content[position] ^= 1 << rng.integers(8)
        return content
    other = contents[rng.integers(len(contents))]
    first, second = rng.integers(len(content)), rng.integers(len(other))
    if kind == 2:  # spliced
        return content[:first] + other[second:]
    content[first:first + 64] = bytes(rng.integers(256, size=64, dtype=np.uint8))
    return content
for number in range(count):
    seed = int(rng.integers(len(seeds)))
    path = f"{folder}/{number}.{seeds[seed].rpartition('.')[2]}"
    with open(path, "wb") as file:
        file.write(mutate(contents[seed]))
    try:
        if limits.is_video_path(path):
            choose = lambda count: np.minimum(np.arange(4) * 2, count - 1)
            pixels = frame_reader.read_frames(path, choose, 8, 8)
        else:
            pixels = image_io.read_image(path, 8, 8, [(1.0, 0.0, 0.0)] * 4)
        assert pixels.shape == (4, 8, 8, 3) and pixels.dtype == np.uint8, (path, pixels.shape)
        outcomes["read"] += 1
    except limits.MediaError as error:
        assert path in str(error) and "\\n" not in str(error), error
        outcomes["refused"] += 1
print(outcomes["read"], outcomes["refused"])
"""


def write_seed_files(folder):
    """Small files in many formats; returns their paths."""
    frames = [make_noise(number, 32, 48) for number in range(10)]
    seeds = [
        write_video(folder / "a.avi", frames, codec="mpeg4"),
        write_video(folder / "b.mp4", frames),
        write_video(folder / "c.mkv", frames),
        write_video(folder / "d.avi", frames),
        write_video(folder / "i.ts", frames, codec="mpeg2video"),
        write_video(folder / "j.flv", frames),
        write_video(folder / "k.wmv", frames, codec="wmv2"),
        write_video(folder / "l.mpg", frames, codec="mpeg1video"),
    ]
    image = Image.fromarray(frames[0])
    image.save(folder / "m.gif", save_all=True, append_images=[Image.fromarray(frames[1])])
    for name in ("e.jpg", "f.png", "g.webp", "h.bmp", "n.avif"):
        image.save(folder / name)
        seeds.append(str(folder / name))
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = ROTATED
    profile = icc_profiles.make_rgb(icc_profiles.ADOBE_RGB, icc_profiles.ADOBE_GAMMA)
    transparent = Image.fromarray(np.dstack([frames[0], frames[1][..., 0]]))
    for name in ("o.jpg", "p.png", "q.webp", "r.avif"):
        picture = image if name == "o.jpg" else transparent
        picture.save(folder / name, exif=exif, icc_profile=profile)
        seeds.append(str(folder / name))
    tiles = np.tile(frames[0], (4, 3, 1))[:128, :128]
    (folder / "s.avif").write_bytes(tiled_avif.make_tiled_avif(tiles))
    return [*seeds, str(folder / "m.gif"), str(folder / "s.avif")]


def test_500_mutated_files(tmp_path):
    seeds = write_seed_files(tmp_path)
    (tmp_path / "mutated").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", READ_MUTATED_FILES, *seeds, tmp_path / "mutated", "500"],
        timeout=300,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    read_count, refused = map(int, done.stdout.split())
    assert read_count + refused == 500 and read_count > 50 and refused > 50
