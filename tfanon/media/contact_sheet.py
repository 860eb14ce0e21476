"""Sheets and moving pictures of what each anonymizer makes of the same samples."""

import pathlib

import numpy as np
from PIL import Image, ImageDraw, ImageFont

SAMPLES_PER_SHEET = 6  # samples of a sheet
GAP_PIXELS, TEXT_HEIGHT = 4, 14  # pixels between pictures; height of the letters
BACKGROUND_COLOUR, TEXT_COLOUR = (255, 255, 255), (30, 30, 30)


def to_uint8(frames):
    """Frames in [0, 1] as uint8, clipped and rounded as the export does it; uint8 passes as it is."""
    frames = np.asarray(frames)
    return (
        frames
        if frames.dtype == np.uint8
        else np.round(255 * np.clip(frames, 0, 1)).astype(np.uint8)
    )


def draw_sheet(rows, titles=(), scale=1):
    """One sheet: a row per anonymizer with its name in front, a column per sample with its title above.

    rows: {name: frames [n, H, W, 3]}, uint8 or float in [0, 1]; shorter rows end early, H and W are one size.
    titles: up to n strings.  scale: each pixel becomes scale x scale.  Returns uint8 [height, width, 3].
    Raises ValueError where there is nothing to show or sizes differ.
    """
    rows = {name: to_uint8(frames) for name, frames in rows.items()}
    shapes = {frames.shape[1:] if frames.ndim == 4 else None for frames in rows.values()}
    if len(shapes) != 1 or None in shapes:
        raise ValueError(
            f"A grid takes rows [n, H, W, 3] of one size; it was given "
            f"{ {name: frames.shape for name, frames in rows.items()} }."
        )
    height, width = (scale * side for side in next(iter(shapes))[:2])
    columns, font = (
        max(len(frames) for frames in rows.values()),
        ImageFont.load_default(TEXT_HEIGHT),
    )
    left = 2 * GAP_PIXELS + max(int(font.getlength(name)) for name in rows)
    top = TEXT_HEIGHT + 2 * GAP_PIXELS if titles else GAP_PIXELS
    sheet = Image.new(
        "RGB",
        (left + columns * (width + GAP_PIXELS), top + len(rows) * (height + GAP_PIXELS)),
        BACKGROUND_COLOUR,
    )
    draw = ImageDraw.Draw(sheet)
    for column, title in enumerate(titles):
        draw.text(
            (left + column * (width + GAP_PIXELS) + width // 2, GAP_PIXELS),
            title,
            TEXT_COLOUR,
            font,
            anchor="ma",
        )
    for row, (name, frames) in enumerate(rows.items()):
        y = top + row * (height + GAP_PIXELS)
        draw.text((left - GAP_PIXELS, y + height // 2), name, TEXT_COLOUR, font, anchor="rm")
        for column, frame in enumerate(frames):
            sheet.paste(_enlarge(frame, scale), (left + column * (width + GAP_PIXELS), y))
    return np.asarray(sheet)


def cut_sheet(sheet, rows, columns):
    """The pictures of each row of a `grid` of square ones without titles, [rows, columns, side, side, 3].

    sheet: uint8 [height, width, 3].  Raises ValueError where that is no such sheet.
    """
    side, rest = divmod(sheet.shape[0] - GAP_PIXELS, rows)
    side -= GAP_PIXELS
    left = sheet.shape[1] - columns * (side + GAP_PIXELS)
    if rest or side < 1 or left < GAP_PIXELS:
        raise ValueError(
            f"A sheet of {sheet.shape[1]} x {sheet.shape[0]} pixels has no {rows} rows of {columns} squares."
        )
    return np.stack(
        [
            [
                sheet[y : y + side, x : x + side]
                for x in range(left, sheet.shape[1], side + GAP_PIXELS)
            ]
            for y in range(GAP_PIXELS, sheet.shape[0], side + GAP_PIXELS)
        ]
    )


def draw_strip(clip, scale=1):
    """The frames of a clip [T, H, W, 3] side by side: uint8 [H, T (W + gap) - gap, 3]."""
    clip = to_uint8(clip).repeat(scale, axis=1).repeat(scale, axis=2)
    gap = np.full_like(clip[0, :, :GAP_PIXELS], 255)
    return np.concatenate([piece for frame in clip for piece in (gap, frame)][1:], axis=1)


def save_sheet(path, image):
    """Write one picture, uint8 [height, width, 3], in the format that the ending of `path` names."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


def save_animation(path, rows, titles=(), scale=1, fps=8):
    """A grid that moves, endlessly repeated.

    path: ends in .gif, .webp or .png (animated PNG).  rows: {name: clips [n, T, H, W, 3]}, all of one T.
    fps: frames per second; a GIF knows hundredths of a second only.
    """
    clips = {name: to_uint8(clips) for name, clips in rows.items()}
    lengths = {clip.shape[1] if clip.ndim == 5 else None for clip in clips.values()}
    if len(lengths) != 1 or None in lengths:
        raise ValueError(
            f"An animation takes rows [n, T, H, W, 3] of one T; it was given "
            f"{ {name: clip.shape for name, clip in clips.items()} }."
        )
    sheets = [
        Image.fromarray(
            draw_sheet({name: clip[:, t] for name, clip in clips.items()}, titles, scale)
        )
        for t in range(lengths.pop())
    ]
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    sheets[0].save(
        path, save_all=True, append_images=sheets[1:], duration=round(1000 / fps), loop=0
    )


def _enlarge(frame, scale):
    """Pixels stay square blocks: a smoothed enlargement would look like an anonymizer's work."""
    return Image.fromarray(frame.repeat(scale, axis=0).repeat(scale, axis=1))
