"""Draws contact sheets and animations of the same samples under each anonymizer."""

import os
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

SAMPLES_PER_SHEET = 6
GAP_PIXELS = 4  # between pictures
TEXT_HEIGHT = 14  # pixels
BACKGROUND_COLOUR, TEXT_COLOUR = (255, 255, 255), (30, 30, 30)


def to_uint8(frames: np.ndarray) -> np.ndarray:
    """Convert frames in [0, 1] to uint8 as the export does: clipped, then rounded.

    Args:
        frames: Floats in [0, 1], or uint8, which are returned as they are.
    """
    frames = np.asarray(frames)
    if frames.dtype == np.uint8:
        return frames
    return np.round(255 * np.clip(frames, 0, 1)).astype(np.uint8)


def draw_sheet(
    rows: Mapping[str, np.ndarray], titles: Sequence[str] = (), scale: int = 1
) -> np.ndarray:
    """Draw a sheet: a row per anonymizer after its name, a column per sample under its title.

    Args:
        rows: Frames ``[N, H, W, 3]`` by the name of the row, uint8 or floats in [0, 1]. Rows may
            differ in N, but not in H and W.
        titles: Up to N titles.
        scale: Side of the square that each pixel becomes.

    Returns:
        uint8 ``[height, width, 3]``.

    Raises:
        ValueError: There are no rows, or frames differ in size.
    """
    rows = {name: to_uint8(frames) for name, frames in rows.items()}
    shapes = {name: frames.shape for name, frames in rows.items()}
    has_frames = all(len(shape) == 4 for shape in shapes.values())
    # The number of frames may differ: a shorter row ends early.
    frame_shapes = {shape[1:] for shape in shapes.values()}
    if not has_frames or len(frame_shapes) != 1:
        raise ValueError(
            f"A sheet needs rows [N, H, W, 3] of frames of one size; their shapes are {shapes}."
        )
    frame_height, frame_width, _ = frame_shapes.pop()
    height, width = scale * frame_height, scale * frame_width
    columns = max(len(frames) for frames in rows.values())
    font = ImageFont.load_default(TEXT_HEIGHT)
    left = 2 * GAP_PIXELS + max(int(font.getlength(name)) for name in rows)
    top = TEXT_HEIGHT + 2 * GAP_PIXELS if titles else GAP_PIXELS
    sheet_width = left + columns * (width + GAP_PIXELS)
    sheet_height = top + len(rows) * (height + GAP_PIXELS)
    sheet = Image.new("RGB", (sheet_width, sheet_height), BACKGROUND_COLOUR)
    draw = ImageDraw.Draw(sheet)
    for column, title in enumerate(titles):
        x = left + column * (width + GAP_PIXELS) + width // 2
        # "ma": centred, and the text hangs below the point.
        draw.text((x, GAP_PIXELS), title, TEXT_COLOUR, font, anchor="ma")
    for row, (name, frames) in enumerate(rows.items()):
        y = top + row * (height + GAP_PIXELS)
        # "rm": ends at the point, vertically centred.
        draw.text((left - GAP_PIXELS, y + height // 2), name, TEXT_COLOUR, font, anchor="rm")
        for column, frame in enumerate(frames):
            sheet.paste(_enlarge(frame, scale), (left + column * (width + GAP_PIXELS), y))
    return np.asarray(sheet)


def cut_sheet(sheet: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Cut the pictures out of a sheet of draw_sheet with square frames and without titles.

    Args:
        sheet: uint8 ``[height, width, 3]``.
        rows: Number of rows of the sheet.
        columns: Number of columns of the sheet.

    Returns:
        uint8 ``[rows, columns, side, side, 3]``.

    Raises:
        ValueError: The size of the sheet is not that of so many pictures.
    """
    height, width, _ = sheet.shape
    pitch, rest = divmod(height - GAP_PIXELS, rows)
    side = pitch - GAP_PIXELS
    # The pictures end at the right edge; how wide the names before them are depends on the font.
    left = width - columns * pitch
    if rest or side < 1 or left < GAP_PIXELS:
        raise ValueError(
            f"A sheet of {width} x {height} pixels has no {rows} rows of {columns} squares."
        )
    pictures = []
    for y in range(GAP_PIXELS, height, pitch):
        pictures.append([sheet[y : y + side, x : x + side] for x in range(left, width, pitch)])
    return np.stack(pictures)


def draw_strip(clip: np.ndarray, scale: int = 1) -> np.ndarray:
    """Draw the frames of a clip side by side.

    Args:
        clip: ``[T, H, W, 3]``, uint8 or floats in [0, 1].
        scale: Side of the square that each pixel becomes.

    Returns:
        uint8 ``[scale * H, T * (scale * W + GAP_PIXELS) - GAP_PIXELS, 3]``.
    """
    clip = to_uint8(clip).repeat(scale, axis=1).repeat(scale, axis=2)
    gap = np.full_like(clip[0, :, :GAP_PIXELS], 255)
    pieces = [clip[0]]
    for frame in clip[1:]:
        pieces += [gap, frame]
    return np.concatenate(pieces, axis=1)


def save_sheet(path: str | os.PathLike[str], image: np.ndarray) -> None:
    """Write a picture; its folder is made if it is missing.

    Args:
        path: Path of the file; its extension decides the format.
        image: uint8 ``[height, width, 3]``.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


def save_animation(
    path: str | os.PathLike[str],
    rows: Mapping[str, np.ndarray],
    titles: Sequence[str] = (),
    scale: int = 1,
    fps: float = 8,
) -> None:
    """Write a sheet whose pictures move, repeated without end.

    Args:
        path: Path of the file, which ends in .gif, .webp or .png (animated PNG).
        rows: Clips ``[N, T, H, W, 3]`` by the name of the row, all of one T.
        titles: As in draw_sheet.
        scale: As in draw_sheet.
        fps: Frames per second; GIF stores hundredths of a second only.

    Raises:
        ValueError: There are no rows, or clips differ in length or size.
    """
    clips = {name: to_uint8(clip) for name, clip in rows.items()}
    shapes = {name: clip.shape for name, clip in clips.items()}
    has_clips = all(len(shape) == 5 for shape in shapes.values())
    lengths = {shape[1] for shape in shapes.values()}
    if not has_clips or len(lengths) != 1:
        raise ValueError(
            f"An animation needs rows [N, T, H, W, 3] of one T; their shapes are {shapes}."
        )
    sheets = []
    for t in range(lengths.pop()):
        frames = {name: clip[:, t] for name, clip in clips.items()}
        sheets.append(Image.fromarray(draw_sheet(frames, titles, scale)))
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # loop=0: repeat without end.
    sheets[0].save(
        path, save_all=True, append_images=sheets[1:], duration=round(1000 / fps), loop=0
    )


def _enlarge(frame: np.ndarray, scale: int) -> Image.Image:
    """Repeat pixels: a smoothed enlargement would look like the work of an anonymizer."""
    return Image.fromarray(frame.repeat(scale, axis=0).repeat(scale, axis=1))
