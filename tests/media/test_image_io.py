"""Images are read upright, in sRGB and on white, and written without metadata."""

import gc
import io
import pathlib
import struct
import sys
import warnings
from typing import Any

import av
import clips
import icc_profiles
import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps
from PIL.PngImagePlugin import PngInfo
from tiled_avif import make_tiled_avif

from tfanon.data.decode import MediaReader
from tfanon.media import frame_reader, image_io, limits, probe, scaling
from tfanon.media.limits import MediaError


def make_photo() -> np.ndarray:
    return clips.make_texture(0, (20, 32))


@pytest.mark.parametrize("ending", sorted(image_io.WRITE_FORMATS))
def test_written_image_is_read_back(tmp_path, ending):
    image_io.write_image(tmp_path / f"a{ending}", make_photo())
    read = image_io.read_full_image(str(tmp_path / f"a{ending}"))
    bound = 0 if ending in (".bmp", ".png") else 16
    assert read.shape == (20, 32, 3)
    assert np.abs(read.astype(int) - make_photo()).mean() <= bound


def test_photo_is_read_upright_and_written_without_metadata(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # shown upright after a quarter turn clockwise
    exif[0x010F] = "a camera"  # its maker
    Image.fromarray(make_photo()).save(tmp_path / "in.jpg", exif=exif, quality=95)
    upright = image_io.read_full_image(str(tmp_path / "in.jpg"))
    assert upright.shape == (32, 20, 3)
    assert np.abs(upright.astype(int) - np.rot90(make_photo(), -1)).mean() < 8
    image_io.write_image(tmp_path / "out.jpg", upright)
    assert not Image.open(tmp_path / "out.jpg").getexif()
    assert b"a camera" not in (tmp_path / "out.jpg").read_bytes()


@pytest.mark.parametrize("ending", [".jpg", ".png", ".webp", ".avif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_photo_is_read_as_pillow_shows_it(tmp_path, orientation, ending):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"subsampling": 0, "lossless": True}
    if ending == ".avif":
        options = {"subsampling": "4:4:4", "speed": 10}
    path = str(tmp_path / f"a{ending}")
    Image.fromarray(make_photo()).save(path, exif=exif, quality=95, **options)
    with Image.open(path) as picture:
        wanted = np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
    read = image_io.read_full_image(path)
    assert read.shape == wanted.shape
    assert np.abs(read.astype(int) - wanted).mean() < 5
    assert image_io.read_image_size(path) == wanted.shape[:2]
    # Training reads the same picture, and cuts its windows from it: here the lower right quarter.
    height, width = wanted.shape[:2]
    whole, quarter = image_io.read_image(path, height, width, [(1.0, 0, 0), (0.5, 1, 1)])
    assert np.abs(whole.astype(int) - wanted).mean() < 5
    enlarged = np.asarray(
        Image.fromarray(wanted).resize((2 * width, 2 * height), Image.Resampling.BILINEAR)
    )
    assert np.abs(quarter.astype(int) - enlarged[height:, width:]).mean() < 8


def test_quality_is_passed_to_pillow(tmp_path):
    for quality in (20, 95):
        image_io.write_image(tmp_path / f"{quality}.jpg", make_photo(), quality)
    assert (tmp_path / "20.jpg").stat().st_size < (tmp_path / "95.jpg").stat().st_size


def test_errors_name_the_file(tmp_path):
    path = tmp_path / "a.webp"
    pages = [Image.fromarray(make_photo() + number) for number in (0, 9)]
    pages[0].save(path, save_all=True, append_images=pages[1:])
    (tmp_path / "cut.png").write_bytes(b"")
    image_io.write_image(tmp_path / "b.png", make_photo())
    (tmp_path / "cut.png").write_bytes((tmp_path / "b.png").read_bytes()[:60])
    for name in ("a.webp", "cut.png", "missing.jpg"):
        with pytest.raises(MediaError, match=name):
            image_io.read_full_image(str(tmp_path / name))
    with pytest.raises(ValueError, match="ends in '.gif': choose .avif .bmp"):
        image_io.write_image(tmp_path / "a.gif", make_photo())


def test_file_name_with_a_colon(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    image_io.write_image("12:00.png", make_photo())
    assert np.array_equal(image_io.read_full_image("12:00.png"), make_photo())


def make_blocks() -> np.ndarray:
    """uint8 [48, 64, 3]: 48 blocks of one colour each."""
    colours = np.random.default_rng(3).integers(0, 256, (6, 8, 3))
    return colours.repeat(8, 0).repeat(8, 1).astype(np.uint8)


def save(path: pathlib.Path, pixels: np.ndarray | Image.Image, **options: Any) -> str:
    """Write pixels, or an image, as exactly as the format can; returns the path as a string."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    exact = {
        ".webp": {"lossless": True, "exact": True},
        ".jpg": {"quality": 98, "subsampling": 0},
        ".avif": {"quality": 98, "subsampling": "4:4:4", "speed": 10},
    }
    image.save(path, **exact.get(path.suffix, {}), **options)
    return str(path)


def take_block_centers(pixels: np.ndarray) -> np.ndarray:
    """The middle of each block, int [6, 8, 3]."""
    return pixels[4::8, 4::8].astype(int)


def read_with_libav(path: str) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of an image as libav alone decodes it: of 40x56 pixels, and at its own size."""
    with frame_reader.open_container(path, strict=True) as (container, stream):
        frame = next(container.decode(stream))
        small = scaling.Scaler().to_pixels(frame, 40, 56)
        return small, scaling.Scaler().to_pixels(frame, frame.height, frame.width)


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
def test_plain_pictures_are_read_as_libav_decodes_them(tmp_path, ending, mode, profile):
    """To the last bit: recorded training runs read such files."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    pixels = clips.make_texture(0, (61, 83))
    if mode == "I;16":
        image = Image.fromarray(pixels[..., 0].astype(np.uint16) * 257)
    else:
        image = Image.fromarray(pixels).convert(mode)
    image.save(tmp_path / f"plain{ending}", quality=80)
    image.save(tmp_path / f"a{ending}", quality=80, icc_profile=srgb if profile else None)
    small, whole = read_with_libav(str(tmp_path / f"plain{ending}"))
    path = str(tmp_path / f"a{ending}")
    assert np.array_equal(image_io.read_image(path, 40, 56)[0], small)
    assert np.array_equal(image_io.read_full_image(path), whole)


@pytest.mark.parametrize("ending", [".png", ".webp", ".jpg", ".avif"])
@pytest.mark.parametrize(
    "primaries, gamma",
    [(icc_profiles.DISPLAY_P3, None), (icc_profiles.ADOBE_RGB, icc_profiles.ADOBE_GAMMA)],
)
def test_icc_profiles_are_converted_to_srgb(tmp_path, primaries, gamma, ending):
    profile = icc_profiles.make_rgb(primaries, gamma)
    path = save(tmp_path / f"a{ending}", make_blocks(), icc_profile=profile)
    wanted = icc_profiles.to_srgb(take_block_centers(make_blocks()), primaries, gamma)
    assert (
        np.abs(wanted - take_block_centers(make_blocks())).max() > 40
    )  # what ignoring the profile costs
    read = image_io.read_full_image(path)
    error = np.abs(take_block_centers(read) - wanted)
    if ending in (".png", ".webp"):
        assert error.max() <= 2
    else:
        assert error.mean() <= 3  # they are lossy themselves
    assert np.array_equal(image_io.read_image(path, 48, 64)[0], read)


def test_grey_profile_is_converted(tmp_path):
    ramp = np.arange(256, dtype=np.uint8)[None].repeat(8, 0)
    profile = icc_profiles.make_grey(1.8)
    path = save(tmp_path / "a.png", ramp, icc_profile=profile)
    wanted = icc_profiles.to_srgb(ramp[..., None].repeat(3, 2), icc_profiles.SRGB, 1.8)
    read = image_io.read_full_image(path)
    assert np.abs(read - wanted).max() < 2 < np.abs(read.astype(int) - ramp[..., None]).max()
    deep = save(tmp_path / "deep.png", ramp.astype(np.uint16) * 257, icc_profile=profile)
    assert np.array_equal(image_io.read_full_image(deep), read)


def test_cmyk_profile_is_converted(tmp_path):
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
def test_broken_profile_counts_as_srgb(tmp_path, profile):
    path = save(tmp_path / "a.png", make_blocks(), icc_profile=profile)
    assert np.array_equal(image_io.read_full_image(path), make_blocks())


def test_libav_never_sees_the_profile_of_a_png(tmp_path):
    """PyAV would free its name twice, which ends the process sooner or later."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    path = save(tmp_path / "a.png", make_blocks(), icc_profile=profile)
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
    wanted = icc_profiles.to_srgb(take_block_centers(make_blocks()), primaries)
    avif = tmp_path / "a.avif"
    save(avif, make_blocks())
    before = struct.pack(">8sHH", b"colrnclx", 1, 13)
    content = avif.read_bytes()
    assert content.count(before) == 1
    avif.write_bytes(content.replace(before, struct.pack(">8sHH", b"colrnclx", *code_points)))
    assert np.abs(take_block_centers(image_io.read_full_image(str(avif))) - wanted).mean() <= 3
    chunks = PngInfo()
    chunks.add(b"cICP", bytes([*code_points, 0, 1]))
    png = save(tmp_path / "a.png", make_blocks(), pnginfo=chunks)
    assert np.abs(take_block_centers(image_io.read_full_image(png)) - wanted).max() <= 1


@pytest.mark.parametrize("ending", [".avif", ".png"])
def test_hdr_picture_is_tone_mapped(tmp_path, ending):
    chunks = PngInfo()
    chunks.add(b"cICP", bytes([9, 16, 0, 1]))
    # A PQ signal of .5807 is the light of SDR white, 203 cd/m2; as SDR it is a middle grey, 148.
    path = tmp_path / f"a{ending}"
    options = {"pnginfo": chunks} if ending == ".png" else {}
    save(path, np.full((64, 64, 3), 148, np.uint8), **options)
    if ending == ".avif":
        before = struct.pack(">8sHH", b"colrnclx", 1, 13)
        path.write_bytes(
            path.read_bytes().replace(before, struct.pack(">8sHH", b"colrnclx", 9, 16))
        )
    assert image_io.read_full_image(str(path)).min() > 185


@pytest.mark.parametrize("ending", [".png", ".webp", ".avif"])
def test_transparent_areas_become_white(tmp_path, ending):
    pixels = np.dstack([make_blocks(), np.full((48, 64), 255, np.uint8)])
    pixels[:24, :, 3], pixels[24:, 32:, 3] = 0, 128
    path = save(tmp_path / f"a{ending}", pixels)
    wanted = make_blocks().astype(float)
    wanted[:24] = 255
    wanted[24:, 32:] = 255 + (wanted[24:, 32:] - 255) * 128 / 255
    for read in (image_io.read_full_image(path), image_io.read_image(path, 48, 64)[0]):
        assert np.abs(take_block_centers(read) - take_block_centers(wanted)).max() <= (
            6 if ending == ".avif" else 1
        )


@pytest.mark.parametrize("mode", ["P", "L", "LA", "RGB", "I;16"])
def test_transparency_in_every_png_mode(tmp_path, mode):
    """Half of the picture is black and transparent, the other grey."""
    levels = np.full((16, 16), 90, np.uint8)
    levels[:8] = 0
    options = {"transparency": 0}
    if mode == "LA":
        alpha = np.where(levels, 255, 0).astype(np.uint8)
        image, options = Image.fromarray(np.dstack([levels, alpha])), {}
    elif mode == "I;16":
        image = Image.fromarray(levels.astype(np.uint16) * 257)
    else:
        image = Image.fromarray(levels).convert(mode)
    if mode == "RGB":
        options = {"transparency": (0, 0, 0)}
    path = save(tmp_path / "a.png", image, **options)
    read = image_io.read_full_image(path).astype(int)
    assert read[:8].min() == 255 and np.abs(read[8:] - 90).max() <= 1


def test_bmp_with_empty_alpha_is_opaque(tmp_path):
    """Some programs declare an alpha channel and leave it at 0: browsers then show the picture."""
    masks = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    for name, alpha in (("empty.bmp", 0), ("clear.bmp", 0x40)):
        body = struct.pack("4B", 10, 200, 30, alpha) * 64
        numbers = (56, 8, 8, 1, 32, 3, len(body), 0, 0, 0, 0)
        head = struct.pack("<IiiHHIIiiII4I", *numbers, *masks)
        (tmp_path / name).write_bytes(
            struct.pack("<2sIHHI", b"BM", 70 + len(body), 0, 0, 70) + head + body
        )
    assert image_io.read_full_image(str(tmp_path / "empty.bmp"))[4, 4].tolist() == [30, 200, 10]
    assert min(image_io.read_full_image(str(tmp_path / "clear.bmp"))[4, 4]) > 190


def test_jpeg_with_further_pictures_is_read_as_the_first(tmp_path):
    """Gain maps and previews come after it, and videos in live photos."""

    def encoded(pixels, form="JPEG", **options):
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, form, quality=95, **options)
        return file.getvalue()

    photograph, gain = encoded(make_blocks()), encoded(255 - make_blocks()[::2, ::2])
    mpo = encoded(
        make_blocks(), "MPO", save_all=True, append_images=[Image.fromarray(255 - make_blocks())]
    )
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
    (tmp_path / "p3.jpg").write_bytes(encoded(make_blocks(), icc_profile=profile) + gain)
    wanted = icc_profiles.to_srgb(take_block_centers(make_blocks()), icc_profiles.DISPLAY_P3)
    assert (
        np.abs(
            take_block_centers(image_io.read_full_image(str(tmp_path / "p3.jpg"))) - wanted
        ).mean()
        < 6
    )


@pytest.mark.parametrize("ending", [".avif", ".jpg"])
def test_tiled_avif_is_read_as_a_whole(tmp_path, ending):
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


def test_heic_without_its_package_names_the_package(tmp_path, monkeypatch):
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
def test_first_picture_of_an_animation(tmp_path, ending):
    """Training reads it; as a full image it is refused, since the others would be lost."""
    path = tmp_path / f"a{ending}"
    save(path, make_blocks(), save_all=True, append_images=[Image.fromarray(255 - make_blocks())])
    assert np.array_equal(image_io.read_image(str(path), 48, 64)[0], make_blocks())
    with pytest.raises(MediaError, match="an animation with more than one picture"):
        image_io.read_full_image(str(path))


def test_video_with_an_image_extension_is_refused(tmp_path):
    clips.write_clip(tmp_path / "a.mp4", clips.Clip(frames=3))
    (tmp_path / "a.mp4").rename(tmp_path / "a.jpg")
    with pytest.raises(
        MediaError, match=r"a.jpg: the content is a video \(mov\), but the name is that of an image"
    ):
        image_io.read_image(str(tmp_path / "a.jpg"), 8, 8)


@pytest.mark.parametrize("ending", [".avif", ".bmp", ".jpg", ".png", ".webp"])
def test_size_is_checked_before_decoding(tmp_path, monkeypatch, ending):
    """By the limit of the flag alone: that of Pillow neither warns nor refuses."""
    profile = icc_profiles.make_rgb(icc_profiles.DISPLAY_P3)
    options = {} if ending == ".bmp" else {"icc_profile": profile}
    path = save(tmp_path / f"a{ending}", make_blocks(), **options)
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
def test_truncated_picture_is_refused(tmp_path, ending):
    profile = icc_profiles.make_rgb(icc_profiles.DISPLAY_P3)
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    for name, options in (("plain", {}), ("profile", {"icc_profile": profile})):
        path = tmp_path / f"{name}{ending}"
        save(path, noise, **options)
        path.write_bytes(path.read_bytes()[:-2000])
        for read in (image_io.read_full_image, lambda path: image_io.read_image(path, 8, 8)):
            with pytest.raises(MediaError, match=f"^{path}: [^\\n]*$"):
                read(str(path))


class StoredFile:
    """A file in memory, as in prepared data sets."""

    def __init__(self, path):
        self.path = path

    def __str__(self):
        return f"store:{self.path}"

    def read(self):
        return open(self.path, "rb").read()


@pytest.mark.parametrize("ending", [".avif", ".jpg", ".png", ".webp"])
def test_files_in_memory_are_read_like_files_on_disk(tmp_path, ending):
    exif = Image.Exif()
    exif[0x0112] = 6
    for options in ({}, {"icc_profile": icc_profiles.make_rgb(icc_profiles.DISPLAY_P3)}):
        path = save(tmp_path / f"a{ending}", make_blocks(), exif=exif, **options)
        from_memory = image_io.read_image(StoredFile(path), 64, 48)
        assert np.array_equal(image_io.read_image(path, 64, 48), from_memory)
    rows = MediaReader([path], 32, "raise", 0.0)
    windows = np.array([(1.0, 0, 0), (0.5, 1, 0)], np.float32)
    pixels, _ = rows.read(np.int64(0), np.float32(0), windows)
    assert np.array_equal(pixels[:, 0], image_io.read_image(path, 32, 32, windows))


def test_written_images_have_no_metadata(tmp_path):
    for ending in image_io.WRITE_FORMATS:
        image_io.write_image(tmp_path / f"a{ending}", make_photo())
        with Image.open(tmp_path / f"a{ending}") as written:
            assert not written.getexif()
            assert not {"icc_profile", "exif", "xmp"} & written.info.keys()


@pytest.mark.parametrize("options", [{}, {"lossless": True}, {"exif": b"Exif\0\0"}])
def test_size_of_a_webp_is_known_before_pillow_allocates_memory(options):
    file = io.BytesIO()
    Image.new("RGB", (300, 17)).save(file, "WEBP", **options)
    assert image_io._read_webp_size(file.getvalue()[:30]) == (300, 17)
    assert image_io._read_webp_size(b"RIFF") == (0, 0)


def test_frames_of_plain_pictures_are_freed_at_once(tmp_path):
    """They do not wait for the garbage collector, which counts objects and not their bytes."""

    def count_frames():
        return sum(isinstance(item, av.VideoFrame) for item in gc.get_objects())

    path = save(tmp_path / "a.jpg", make_blocks())
    gc.collect()
    gc.disable()
    try:
        before = count_frames()
        image_io.read_image(path, 8, 8)
        image_io.read_full_image(path)
        assert count_frames() == before
    finally:
        gc.enable()
