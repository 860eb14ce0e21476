"""Examines media files in a separate process, as a decoder may crash or hang.

    python -m tfanon.media.probe '{"whole": true, "limits": {..}}'

reads the path of a file as a line of JSON and answers with a line of JSON, until its input ends.
``worker_pool`` starts it, and starts it again.
"""

import json
import sys
from typing import Any

from tfanon.core import files
from tfanon.media import frame_reader, image_io, limits

PROBE_SIDE = 2  # pixels to which frames are scaled; they are decoded, but never used


def examine_file(path: str, whole: bool) -> dict[str, Any]:
    """Examine a video or an image, which counts as one frame.

    Args:
        path: The file.
        whole: Whether to decode every frame, as training does, and to add the file's digest; else
            frames are only counted.

    Returns:
        {"frames": .., "height": .., "width": ..}, with "sha256" if ``whole``; or {"error": line}.
    """
    try:
        height, width = _read_size(path)
        answer: dict[str, Any] = {
            "frames": _count_frames(path, whole),
            "height": height,
            "width": width,
        }
        if whole:
            answer["sha256"] = files.compute_sha256(path)
        return answer
    except limits.MediaError as error:
        return {"error": str(error)}


def _read_size(path: str) -> tuple[int, int]:
    """Return (height, width) by the header, of an image after it is turned upright."""
    if not limits.is_video_path(path):
        return image_io.read_image_size(path)
    with frame_reader.open_container(path) as (_, stream):
        return stream.codec_context.height, stream.codec_context.width


def _count_frames(path: str, whole: bool) -> int:
    if limits.is_video_path(path):
        if whole:
            # range, as the function that chooses, chooses every frame.
            return len(frame_reader.read_frames(path, range, PROBE_SIDE, PROBE_SIDE))
        return frame_reader.count_frames(path)
    if whole:
        return len(image_io.read_image(path, PROBE_SIDE, PROBE_SIDE))
    return 1


def run_worker() -> None:
    """Answer for each path on standard input, with the options in the first argument."""
    options = json.loads(sys.argv[1])
    limits.set_limits(**options["limits"])
    for line in sys.stdin:
        answer = examine_file(json.loads(line), options["whole"])
        print(json.dumps(answer), flush=True)  # the parent waits for the line


if __name__ == "__main__":
    run_worker()
