"""Pictures at their own size, without what else their files said."""

import clips
import numpy as np
import pytest
from PIL import Image, ImageOps

from tfanon.media import still
from tfanon.media.limits import MediaError


def texture():
    return clips.picture(0, (20, 32))


@pytest.mark.parametrize("ending", sorted(still.FORMATS))
def test_what_is_written_is_read(tmp_path, ending):
    still.write_still(tmp_path / f"a{ending}", texture())
    read = still.read_still(str(tmp_path / f"a{ending}"))
    lossless = ending in (".bmp", ".png")
    assert read.shape == (20, 32, 3) and np.abs(read.astype(int) - texture()).mean() <= (0 if lossless else 12)


def test_a_photograph_is_read_upright_and_written_without_its_tags(tmp_path):
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "a camera"  # shown upright after a quarter turn clockwise; its maker
    Image.fromarray(texture()).save(tmp_path / "in.jpg", exif=exif, quality=95)
    upright = still.read_still(str(tmp_path / "in.jpg"))
    assert upright.shape == (32, 20, 3)
    assert np.abs(upright.astype(int) - np.rot90(texture(), -1)).mean() < 8
    still.write_still(tmp_path / "out.jpg", upright)
    assert not Image.open(tmp_path / "out.jpg").getexif()
    assert b"a camera" not in (tmp_path / "out.jpg").read_bytes()


@pytest.mark.parametrize("ending", [".jpg", ".png", ".webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photograph_is_read_as_pillow_shows_it(tmp_path, orientation, ending):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(texture()).save(tmp_path / f"a{ending}", exif=exif, quality=95, subsampling=0, lossless=True)
    with Image.open(tmp_path / f"a{ending}") as picture:
        wanted = np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
    read = still.read_still(str(tmp_path / f"a{ending}"))
    assert read.shape == wanted.shape and np.abs(read.astype(int) - wanted).mean() < 5


def test_quality_is_pillows(tmp_path):
    for quality in (20, 95):
        still.write_still(tmp_path / f"{quality}.jpg", texture(), quality)
    assert (tmp_path / "20.jpg").stat().st_size < (tmp_path / "95.jpg").stat().st_size


def test_what_is_no_single_picture_is_named(tmp_path):
    path = tmp_path / "a.webp"
    pages = [Image.fromarray(texture() + number) for number in (0, 9)]
    pages[0].save(path, save_all=True, append_images=pages[1:])
    (tmp_path / "cut.png").write_bytes(b"")
    still.write_still(tmp_path / "b.png", texture())
    (tmp_path / "cut.png").write_bytes((tmp_path / "b.png").read_bytes()[:60])
    for name in ("a.webp", "cut.png", "missing.jpg"):
        with pytest.raises(MediaError, match=name):
            still.read_still(str(tmp_path / name))
    with pytest.raises(ValueError, match="ends in '.gif': choose .bmp .jpeg"):
        still.write_still(tmp_path / "a.gif", texture())


def test_a_colon_in_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    still.write_still("12:00.png", texture())
    assert np.array_equal(still.read_still("12:00.png"), texture())
