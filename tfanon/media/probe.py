"""What a media file holds, found in a process of its own: a decoder may crash or hang.

    python -m tfanon.media.probe '{"whole": true, "limits": {..}}'

takes a line of JSON per file and answers with a line.

media/children.py starts it, asks it and starts it again.
"""

import json
import sys

from tfanon.core import files
from tfanon.media import frame_reader, image_io, limits

PROBE_SIDE = 2  # side that frames are scaled to: they are decoded, and nobody looks at them


def examine_file(path, whole):
    """{"frames", "height", "width"} of a video or of an image, which is one; or {"error": line}.

    whole: decode every frame, by the rules of training, and add "sha256"; else frames are counted.
    """
    try:
        height, width = _read_size(path)
        found = {"frames": _count_frames(path, whole), "height": height, "width": width}
        return found | ({"sha256": files.compute_sha256(path)} if whole else {})
    except limits.MediaError as error:
        return {"error": str(error)}


def _read_size(path) -> tuple[int, int]:
    """(height, width) by the header, of an image upright."""
    if not limits.is_video_path(path):
        return image_io.read_image_size(path)
    with frame_reader.open_container(path) as (_, stream):
        return stream.codec_context.height, stream.codec_context.width


def _count_frames(path, whole):
    if limits.is_video_path(path):
        return (
            len(frame_reader.read_frames(path, range, PROBE_SIDE, PROBE_SIDE))
            if whole
            else frame_reader.count_frames(path)
        )
    return len(image_io.read_image(path, PROBE_SIDE, PROBE_SIDE)) if whole else 1


def run_worker():
    about = json.loads(sys.argv[1])
    limits.set_limits(**about["limits"])
    for line in sys.stdin:
        print(json.dumps(examine_file(json.loads(line), about["whole"])), flush=True)


if __name__ == "__main__":
    run_worker()
