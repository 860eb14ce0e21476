"""Pictures: each kind of file is read upright, in sRGB and on white; nothing else is written."""

import gc
import io
import struct
import sys
import warnings

import av
import clips
import icc_profiles
import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps
from PIL.PngImagePlugin import PngInfo
from tiled_avif import make_tiled_avif

from tfanon.data.decode import Files
from tfanon.media import frame_reader, image_io, limits, probe, scaling
from tfanon.media.limits import MediaError


def texture():
    return clips.picture(0, (20, 32))


@pytest.mark.parametrize("ending", sorted(image_io.WRITE_FORMATS))
def test_what_is_written_is_read(tmp_path, ending):
    image_io.write_image(tmp_path / f"a{ending}", texture())
    read = image_io.read_full_image(str(tmp_path / f"a{ending}"))
    lossless = ending in (".bmp", ".png")
    assert read.shape == (20, 32, 3) and np.abs(read.astype(int) - texture()).mean() <= (
        0 if lossless else 16
    )


def test_a_photograph_is_read_upright_and_written_without_its_tags(tmp_path):
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = (
        6,
        "a camera",
    )  # shown upright after a quarter turn clockwise; its maker
    Image.fromarray(texture()).save(tmp_path / "in.jpg", exif=exif, quality=95)
    upright = image_io.read_full_image(str(tmp_path / "in.jpg"))
    assert upright.shape == (32, 20, 3)
    assert np.abs(upright.astype(int) - np.rot90(texture(), -1)).mean() < 8
    image_io.write_image(tmp_path / "out.jpg", upright)
    assert not Image.open(tmp_path / "out.jpg").getexif()
    assert b"a camera" not in (tmp_path / "out.jpg").read_bytes()


@pytest.mark.parametrize("ending", [".jpg", ".png", ".webp", ".avif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photograph_is_read_as_pillow_shows_it(tmp_path, orientation, ending):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = (
        {"subsampling": "4:4:4", "speed": 10}
        if ending == ".avif"
        else {"subsampling": 0, "lossless": True}
    )
    path = str(tmp_path / f"a{ending}")
    Image.fromarray(texture()).save(path, exif=exif, quality=95, **options)
    with Image.open(path) as picture:
        wanted = np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
    read = image_io.read_full_image(path)
    assert read.shape == wanted.shape and np.abs(read.astype(int) - wanted).mean() < 5
    assert image_io.read_image_size(path) == wanted.shape[:2]
    # Training reads the same picture, and cuts its windows from it: here the lower right quarter.
    height, width = wanted.shape[:2]
    whole, quarter = image_io.read_image(path, height, width, [(1.0, 0, 0), (0.5, 1, 1)])
    assert np.abs(whole.astype(int) - wanted).mean() < 5
    enlarged = np.asarray(
        Image.fromarray(wanted).resize((2 * width, 2 * height), Image.Resampling.BILINEAR)
    )
    assert np.abs(quarter.astype(int) - enlarged[height:, width:]).mean() < 8


def test_quality_is_pillows(tmp_path):
    for quality in (20, 95):
        image_io.write_image(tmp_path / f"{quality}.jpg", texture(), quality)
    assert (tmp_path / "20.jpg").stat().st_size < (tmp_path / "95.jpg").stat().st_size


def test_what_is_no_single_picture_is_named(tmp_path):
    path = tmp_path / "a.webp"
    pages = [Image.fromarray(texture() + number) for number in (0, 9)]
    pages[0].save(path, save_all=True, append_images=pages[1:])
    (tmp_path / "cut.png").write_bytes(b"")
    image_io.write_image(tmp_path / "b.png", texture())
    (tmp_path / "cut.png").write_bytes((tmp_path / "b.png").read_bytes()[:60])
    for name in ("a.webp", "cut.png", "missing.jpg"):
        with pytest.raises(MediaError, match=name):
            image_io.read_full_image(str(tmp_path / name))
    with pytest.raises(ValueError, match="ends in '.gif': choose .avif .bmp"):
        image_io.write_image(tmp_path / "a.gif", texture())


def test_a_colon_in_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    image_io.write_image("12:00.png", texture())
    assert np.array_equal(image_io.read_full_image("12:00.png"), texture())


def blocks():
    """uint8 [48, 64, 3]: 48 blocks of one colour each."""
    colours = np.random.default_rng(3).integers(0, 256, (6, 8, 3))
    return colours.repeat(8, 0).repeat(8, 1).astype(np.uint8)


def save(path, pixels, **options):
    """Write pixels, or an image, as exactly as the format can; returns the path as a string."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    exact = {
        ".webp": {"lossless": True, "exact": True},
        ".jpg": {"quality": 98, "subsampling": 0},
        ".avif": {"quality": 98, "subsampling": "4:4:4", "speed": 10},
    }
    image.save(path, **exact.get(path.suffix, {}), **options)
    return str(path)


def middles(pixels):
    """The middle of each block, int [6, 8, 3]."""
    return pixels[4::8, 4::8].astype(int)


def read_plainly(path):
    """Pixels of an image as libav decodes it, without anything of image_io."""
    with frame_reader.open_container(path, strict=True) as (container, stream):
        frame = next(container.decode(stream))
        return scaling.Scaler().to_pixels(frame, 40, 56), scaling.Scaler().to_pixels(
            frame, frame.height, frame.width
        )


@pytest.mark.parametrize("profile", [None, "sRGB"])
@pytest.mark.parametrize(
    "ending, mode",
    [
        (".jpg", "RGB"),
        (".jpg", "L"),
        (".png", "RGB"),
        (".png", "L"),
        (".png", "P"),
        (".png", "1"),
        (".png", "I;16"),
        (".webp", "RGB"),
        (".bmp", "RGB"),
        (".bmp", "P"),
    ],
)
def test_ordinary_pictures_are_read_as_libav_decodes_them(tmp_path, ending, mode, profile):
    """To the last bit: runs of training that are on record read such files."""
    written = (
        ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes() if profile else None
    )
    pixels = clips.picture(0, (61, 83))
    if mode == "I;16":
        image = Image.fromarray(pixels[..., 0].astype(np.uint16) * 257)
    else:
        image = Image.fromarray(pixels).convert(mode)
    image.save(tmp_path / f"plain{ending}", quality=80)
    image.save(tmp_path / f"a{ending}", quality=80, icc_profile=written)
    small, whole = read_plainly(str(tmp_path / f"plain{ending}"))
    path = str(tmp_path / f"a{ending}")
    assert np.array_equal(image_io.read_image(path, 40, 56)[0], small)
    assert np.array_equal(image_io.read_full_image(path), whole)


@pytest.mark.parametrize("ending", [".png", ".webp", ".jpg", ".avif"])
@pytest.mark.parametrize(
    "primaries, gamma",
    [(icc_profiles.DISPLAY_P3, None), (icc_profiles.ADOBE_RGB, icc_profiles.ADOBE_GAMMA)],
)
def test_profiles_are_converted_to_srgb(tmp_path, primaries, gamma, ending):
    profile = icc_profiles.make_rgb(primaries, gamma)
    path = save(tmp_path / f"a{ending}", blocks(), icc_profile=profile)
    wanted = icc_profiles.to_srgb(middles(blocks()), primaries, gamma)
    assert np.abs(wanted - middles(blocks())).max() > 40  # what ignoring the profile costs
    read = image_io.read_full_image(path)
    error = np.abs(middles(read) - wanted)
    assert (
        error.max() <= 2 if ending in (".png", ".webp") else error.mean() <= 3
    )  # the others lose a little themselves
    assert np.array_equal(image_io.read_image(path, 48, 64)[0], read)


def test_a_grey_profile(tmp_path):
    ramp = np.arange(256, dtype=np.uint8)[None].repeat(8, 0)
    profile = icc_profiles.make_grey(1.8)
    path = save(tmp_path / "a.png", ramp, icc_profile=profile)
    wanted = icc_profiles.to_srgb(ramp[..., None].repeat(3, 2), icc_profiles.SRGB, 1.8)
    read = image_io.read_full_image(path)
    assert np.abs(read - wanted).max() < 2 < np.abs(read.astype(int) - ramp[..., None]).max()
    deep = save(tmp_path / "deep.png", ramp.astype(np.uint16) * 257, icc_profile=profile)
    assert np.array_equal(image_io.read_full_image(deep), read)


def test_a_cmyk_profile(tmp_path):
    profile = icc_profiles.make_cmyk(lambda *inks: 1 - sum(inks) / 4)
    path = save(
        tmp_path / "a.jpg", Image.new("CMYK", (32, 32), (255, 0, 0, 0)), icc_profile=profile
    )
    # One ink of four leaves L* = 75: Y = ((75 + 16) / 116)^3 = .4828; sRGB: 255 * .7239 = 184.6.
    assert np.abs(image_io.read_full_image(path).astype(int) - 185).max() <= 2


@pytest.mark.parametrize(
    "profile",
    [
        b"",
        b"junk" * 40,
        icc_profiles.make_grey(1.0),
        icc_profiles.make_rgb(icc_profiles.DISPLAY_P3)[:300],
    ],
)
def test_a_broken_profile_counts_as_srgb(tmp_path, profile):
    path = save(tmp_path / "a.png", blocks(), icc_profile=profile)
    assert np.array_equal(image_io.read_full_image(path), blocks())


def test_the_profile_of_a_png_is_kept_from_libav(tmp_path):
    """PyAV would free its name twice, which ends the process sooner or later."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    path = save(tmp_path / "a.png", blocks(), icc_profile=profile)
    frame, turn = image_io._decode_frame(path)
    assert len(frame.side_data) == 0 and turn == 0


@pytest.mark.parametrize(
    "code_points, primaries",
    [
        ((12, 13), icc_profiles.DISPLAY_P3),
        ((1, 13), icc_profiles.SRGB),
        ((2, 2), icc_profiles.SRGB),
    ],
)
def test_code_points_are_converted_to_srgb(tmp_path, code_points, primaries):
    wanted = icc_profiles.to_srgb(middles(blocks()), primaries)
    avif = tmp_path / "a.avif"
    save(avif, blocks())
    before = struct.pack(">8sHH", b"colrnclx", 1, 13)
    content = avif.read_bytes()
    assert content.count(before) == 1
    avif.write_bytes(content.replace(before, struct.pack(">8sHH", b"colrnclx", *code_points)))
    assert np.abs(middles(image_io.read_full_image(str(avif))) - wanted).mean() <= 3
    words = PngInfo()
    words.add(b"cICP", bytes([*code_points, 0, 1]))
    png = save(tmp_path / "a.png", blocks(), pnginfo=words)
    assert np.abs(middles(image_io.read_full_image(png)) - wanted).max() <= 1


@pytest.mark.parametrize("ending", [".avif", ".png"])
def test_an_hdr_picture_is_tone_mapped(tmp_path, ending):
    words = PngInfo()
    words.add(b"cICP", bytes([9, 16, 0, 1]))
    # A PQ signal of .5807 is the light of SDR white, 203 cd/m2; as SDR it is a middle grey, 148.
    path = tmp_path / f"a{ending}"
    save(
        path,
        np.full((64, 64, 3), 148, np.uint8),
        **({"pnginfo": words} if ending == ".png" else {}),
    )
    if ending == ".avif":
        before = struct.pack(">8sHH", b"colrnclx", 1, 13)
        path.write_bytes(
            path.read_bytes().replace(before, struct.pack(">8sHH", b"colrnclx", 9, 16))
        )
    assert image_io.read_full_image(str(path)).min() > 185


@pytest.mark.parametrize("ending", [".png", ".webp", ".avif"])
def test_what_is_transparent_is_white(tmp_path, ending):
    pixels = np.dstack([blocks(), np.full((48, 64), 255, np.uint8)])
    pixels[:24, :, 3], pixels[24:, 32:, 3] = 0, 128
    path = save(tmp_path / f"a{ending}", pixels)
    wanted = blocks().astype(float)
    wanted[:24] = 255
    wanted[24:, 32:] = 255 + (wanted[24:, 32:] - 255) * 128 / 255
    for read in (image_io.read_full_image(path), image_io.read_image(path, 48, 64)[0]):
        assert np.abs(middles(read) - middles(wanted)).max() <= (6 if ending == ".avif" else 1)


@pytest.mark.parametrize("mode", ["P", "L", "LA", "RGB", "I;16"])
def test_transparency_of_other_pngs(tmp_path, mode):
    """Half of the picture is black and transparent, the other grey."""
    levels = np.full((16, 16), 90, np.uint8)
    levels[:8] = 0
    if mode == "LA":
        image, clear = (
            Image.fromarray(np.dstack([levels, np.where(levels, 255, 0).astype(np.uint8)])),
            None,
        )
    elif mode == "I;16":
        image, clear = Image.fromarray(levels.astype(np.uint16) * 257), 0
    else:
        image, clear = Image.fromarray(levels).convert(mode), (0, 0, 0) if mode == "RGB" else 0
    path = save(tmp_path / "a.png", image, **({} if clear is None else {"transparency": clear}))
    read = image_io.read_full_image(path).astype(int)
    assert read[:8].min() == 255 and np.abs(read[8:] - 90).max() <= 1


def test_a_bmp_whose_fourth_byte_means_nothing(tmp_path):
    """Programs write masks for an alpha that they leave at 0: browsers then show the picture."""
    for name, alpha in (("empty.bmp", 0), ("clear.bmp", 0x40)):
        body = b"".join(struct.pack("4B", 10, 200, 30, alpha) for _ in range(64))
        head = struct.pack(
            "<IiiHHIIiiII4I",
            56,
            8,
            8,
            1,
            32,
            3,
            len(body),
            0,
            0,
            0,
            0,
            0xFF0000,
            0xFF00,
            0xFF,
            0xFF000000,
        )
        (tmp_path / name).write_bytes(
            struct.pack("<2sIHHI", b"BM", 70 + len(body), 0, 0, 70) + head + body
        )
    assert image_io.read_full_image(str(tmp_path / "empty.bmp"))[4, 4].tolist() == [30, 200, 10]
    assert min(image_io.read_full_image(str(tmp_path / "clear.bmp"))[4, 4]) > 190


def test_the_first_picture_of_a_jpeg_is_the_photograph(tmp_path):
    """Gain maps and previews come after it, videos too (in photographs that move)."""

    def encoded(pixels, form="JPEG", **options):
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, form, quality=95, **options)
        return file.getvalue()

    photograph, gain = encoded(blocks()), encoded(255 - blocks()[::2, ::2])
    mpo = encoded(blocks(), "MPO", save_all=True, append_images=[Image.fromarray(255 - blocks())])
    contents = {
        "ultra_hdr": photograph + gain,
        "mpo": mpo,
        "junk": photograph + b"\xff\xd8\xff\xe0" + bytes(range(256)),
        "moving": photograph + struct.pack(">I4s4s", 16, b"ftyp", b"mp42") + bytes(4),
    }
    (tmp_path / "plain.jpg").write_bytes(photograph)
    wanted = image_io.read_full_image(str(tmp_path / "plain.jpg"))
    for name, content in contents.items():
        path = tmp_path / f"{name}.jpg"
        path.write_bytes(content)
        assert np.array_equal(image_io.read_full_image(str(path)), wanted), name
        assert np.array_equal(image_io.read_image(str(path), 48, 64)[0], wanted), name
    profile = icc_profiles.make_rgb(icc_profiles.DISPLAY_P3)
    (tmp_path / "p3.jpg").write_bytes(encoded(blocks(), icc_profile=profile) + gain)
    wanted = icc_profiles.to_srgb(middles(blocks()), icc_profiles.DISPLAY_P3)
    assert np.abs(middles(image_io.read_full_image(str(tmp_path / "p3.jpg"))) - wanted).mean() < 6


@pytest.mark.parametrize("ending", [".avif", ".jpg"])
def test_a_tiled_avif_is_read_whole(tmp_path, ending):
    quarters = np.array(
        [[(200, 30, 30), (30, 200, 30)], [(30, 30, 200), (120, 120, 120)]], np.uint8
    )
    pixels = quarters.repeat(64, 0).repeat(64, 1)
    path = tmp_path / f"a{ending}"  # the content decides
    path.write_bytes(make_tiled_avif(pixels))
    for read in (image_io.read_full_image(str(path)), image_io.read_image(str(path), 128, 128)[0]):
        assert np.abs(read.astype(int) - pixels).max() <= 4
    assert image_io.read_image_size(str(path)) == (128, 128)
    assert probe.examine_file(str(path), whole=True)["height"] == 128


def test_a_heic_without_its_package_is_refused_in_a_line(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif.as_plugin", None)
    path = tmp_path / "a.heic"
    path.write_bytes(
        struct.pack(">I4s4sI4s4s", 24, b"ftyp", b"heic", 0, b"mif1", b"heic") + bytes(40)
    )
    with pytest.raises(
        MediaError, match=r"a.heic: an HEIF picture.*pip install 'tfanon\[heif\]'. Or convert it"
    ):
        image_io.read_full_image(str(path))


@pytest.mark.parametrize("ending", [".png", ".webp"])
def test_an_animation(tmp_path, ending):
    """Training reads its first picture; as a still it is refused: the others would be lost."""
    path = tmp_path / f"a{ending}"
    save(path, blocks(), save_all=True, append_images=[Image.fromarray(255 - blocks())])
    assert np.array_equal(image_io.read_image(str(path), 48, 64)[0], blocks())
    with pytest.raises(MediaError, match="more than one picture in it: an animation"):
        image_io.read_full_image(str(path))


def test_a_video_under_the_name_of_an_image_is_refused(tmp_path):
    clips.write(tmp_path / "a.mp4", clips.Clip(frames=3))
    (tmp_path / "a.mp4").rename(tmp_path / "a.jpg")
    with pytest.raises(
        MediaError, match=r"a.jpg: a video by its content \(mov\), under the name of an image"
    ):
        image_io.read_image(str(tmp_path / "a.jpg"), 8, 8)


@pytest.mark.parametrize("ending", [".avif", ".bmp", ".jpg", ".png", ".webp"])
def test_size_is_limited_before_decoding(tmp_path, monkeypatch, ending):
    """By the limit of the flag alone: Pillow's own neither warns nor stops anything."""
    profile = icc_profiles.make_rgb(icc_profiles.DISPLAY_P3)
    path = save(
        tmp_path / f"a{ending}", blocks(), **({} if ending == ".bmp" else {"icc_profile": profile})
    )
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert image_io.read_full_image(path).shape == (48, 64, 3)
    monkeypatch.setattr(limits, "MAX_FRAME_PIXELS", 48 * 64 - 1)
    monkeypatch.setattr(image_io, "_read_srgb_pixels", None)
    for read in (
        image_io.read_full_image,
        image_io.read_image_size,
        lambda path: image_io.read_image(path, 8, 8),
    ):
        with pytest.raises(
            MediaError,
            match=r"frames of 64x48 pixels; the limit is 3071 pixels \(--max_frame_pixels\)",
        ):
            read(path)


@pytest.mark.parametrize("ending", [".avif", ".jpg", ".png", ".webp"])
def test_a_cut_picture_is_named(tmp_path, ending):
    profile = icc_profiles.make_rgb(icc_profiles.DISPLAY_P3)
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    for name, options in (("plain", {}), ("profile", {"icc_profile": profile})):
        path = tmp_path / f"{name}{ending}"
        save(path, noise, **options)
        path.write_bytes(path.read_bytes()[:-2000])
        for read in (image_io.read_full_image, lambda path: image_io.read_image(path, 8, 8)):
            with pytest.raises(MediaError, match=f"^{path}: [^\\n]*$"):
                read(str(path))


class Held:
    """A file in memory, as data sets hold them."""

    def __init__(self, path):
        self.path = path

    def __str__(self):
        return f"store:{self.path}"

    def read(self):
        return open(self.path, "rb").read()


@pytest.mark.parametrize("ending", [".avif", ".jpg", ".png", ".webp"])
def test_files_in_memory_are_read_as_files(tmp_path, ending):
    exif = Image.Exif()
    exif[0x0112] = 6
    for options in ({}, {"icc_profile": icc_profiles.make_rgb(icc_profiles.DISPLAY_P3)}):
        path = save(tmp_path / f"a{ending}", blocks(), exif=exif, **options)
        from_file, from_memory = (
            image_io.read_image(given, 64, 48) for given in (path, Held(path))
        )
        assert np.array_equal(from_file, from_memory)
    rows = Files([path], 32, "raise", 0.0)
    windows = np.array([(1.0, 0, 0), (0.5, 1, 0)], np.float32)
    pixels, _ = rows.read(np.int64(0), np.float32(0), windows)
    assert np.array_equal(pixels[:, 0], image_io.read_image(path, 32, 32, windows))


def test_what_is_written_says_nothing_else(tmp_path):
    for ending in image_io.WRITE_FORMATS:
        image_io.write_image(tmp_path / f"a{ending}", texture())
        with Image.open(tmp_path / f"a{ending}") as written:
            assert (
                not written.getexif() and not {"icc_profile", "exif", "xmp"} & written.info.keys()
            )


@pytest.mark.parametrize("options", [{}, {"lossless": True}, {"exif": b"Exif\0\0"}])
def test_the_size_of_a_webp_is_known_before_pillow_makes_room(options):
    file = io.BytesIO()
    Image.new("RGB", (300, 17)).save(file, "WEBP", **options)
    assert image_io._read_webp_size(file.getvalue()[:30]) == (300, 17)
    assert image_io._read_webp_size(b"RIFF") == (0, 0)


def test_frames_of_ordinary_pictures_are_freed_at_once(tmp_path):
    """Without waiting for Python's garbage collector, which counts objects and not their bytes."""

    def count_frames():
        return sum(isinstance(found, av.VideoFrame) for found in gc.get_objects())

    path = save(tmp_path / "a.jpg", blocks())
    gc.collect()
    gc.disable()
    try:
        before = count_frames()
        image_io.read_image(path, 8, 8)
        image_io.read_full_image(path)
        assert count_frames() == before
    finally:
        gc.enable()
