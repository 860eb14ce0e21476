"""Contact sheets and animations show each sample at its place."""

import numpy as np
import pytest
from PIL import Image

from tfanon.media import contact_sheet

GAP = contact_sheet.GAP_PIXELS


def make_samples(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, 20, 30, 3), dtype=np.uint8)


def test_sheet_shows_every_sample_at_its_place():
    rows = {"raw": make_samples(3), "f_A": make_samples(2, seed=1)}
    sheet = contact_sheet.draw_sheet(rows, titles=("run", "jump"))
    left = sheet.shape[1] - 3 * (30 + GAP)
    top = sheet.shape[0] - 2 * (20 + GAP)
    for row, frames in enumerate(rows.values()):
        for column, frame in enumerate(frames):
            y, x = top + row * (20 + GAP), left + column * (30 + GAP)
            np.testing.assert_array_equal(sheet[y : y + 20, x : x + 30], frame)
    assert (sheet[top : top + 20, :left] < 128).any()  # the row's name is there
    assert (sheet[:top, left:] < 128).any()  # and the titles
    assert (sheet[-20 - GAP :, -30 - GAP :] == 255).all()  # the shorter row ends early


def test_sheet_of_floats_is_enlarged():
    frame = make_samples(1)
    sheet = contact_sheet.draw_sheet({"raw": frame / 255}, scale=2)
    np.testing.assert_array_equal(sheet[GAP : GAP + 40 : 2, -60 - GAP : -GAP : 2], frame[0])
    np.testing.assert_array_equal(sheet[GAP + 1 : GAP + 40 : 2, -59 - GAP : -GAP : 2], frame[0])


def test_floats_are_clipped_and_rounded():
    # -1 -> 0, .5 -> 127.5 -> 128 (to even), 2 -> 255
    assert contact_sheet.to_uint8(np.array([-1, 0.5, 2.0])).tolist() == [0, 128, 255]


def test_cutting_a_sheet_returns_its_samples():
    rows = {
        "raw": make_samples(3)[:, :, :20],
        "a longer name than that": make_samples(3, seed=1)[:, :, :20],
    }
    cut = contact_sheet.cut_sheet(contact_sheet.draw_sheet(rows), 2, 3)
    assert cut.shape[:2] == (2, 3)
    for row, frames in zip(cut, rows.values(), strict=True):
        np.testing.assert_array_equal(row, frames)
    enlarged = contact_sheet.cut_sheet(contact_sheet.draw_sheet(rows, scale=2), 2, 3)
    assert enlarged.shape[2] == 2 * cut.shape[2]
    for wrong in ((5, 3), (2, 30)):
        with pytest.raises(ValueError, match="has no"):
            contact_sheet.cut_sheet(contact_sheet.draw_sheet(rows), *wrong)


def test_strip_puts_frames_side_by_side():
    clip = make_samples(3)
    image = contact_sheet.draw_strip(clip)
    assert image.shape == (20, 3 * 30 + 2 * GAP, 3)
    np.testing.assert_array_equal(image[:, 30 + GAP : 60 + GAP], clip[1])


@pytest.mark.parametrize("ending", ["gif", "webp", "png"])
def test_animation_has_a_sheet_per_frame(tmp_path, ending):
    raw = np.stack([make_samples(5), make_samples(5, seed=1)])
    path = tmp_path / "new" / f"clips.{ending}"
    contact_sheet.save_animation(path, {"raw": raw, "f_A": 255 - raw}, fps=10)
    with Image.open(path) as image:
        assert image.n_frames == 5
        image.seek(4)  # the duration of a frame is known once it is read
        image.load()
        assert image.info["duration"] == 100
        assert image.info["loop"] == 0


def test_saved_sheet_is_read_back(tmp_path):
    sheet = contact_sheet.draw_sheet({"raw": make_samples(2)})
    contact_sheet.save_sheet(tmp_path / "report" / "samples.png", sheet)
    np.testing.assert_array_equal(
        np.asarray(Image.open(tmp_path / "report" / "samples.png")), sheet
    )


@pytest.mark.parametrize(
    "call",
    [
        lambda: contact_sheet.draw_sheet({}),
        lambda: contact_sheet.draw_sheet({"raw": make_samples(1)[0]}),
        lambda: contact_sheet.draw_sheet({"raw": make_samples(1), "f_A": make_samples(1)[:, :10]}),
    ],
)
def test_rows_of_different_sizes_are_refused(call):
    with pytest.raises(ValueError, match=r"rows \[N, H, W, 3\] of frames of one size"):
        call()


def test_clips_of_different_lengths_are_refused(tmp_path):
    with pytest.raises(ValueError, match="of one T"):
        contact_sheet.save_animation(
            tmp_path / "x.gif", {"raw": make_samples(4)[None], "f_A": make_samples(3)[None]}
        )
