"""What a media file holds, told by a process of its own, since a decoder may crash or hang on a stranger's file.

    python -m tfanon.media.probe '{"whole": true, "limits": {..}}'     a line of JSON in per file, a line out

media/children.py starts it, asks it and starts it again.
"""

import json
import sys

from tfanon import files
from tfanon.media import limits, reader

TINY = 2  # side that frames are scaled to: they are decoded, and nobody looks at them


def examine(path, whole):
    """{"frames", "height", "width"} of the video or image at `path`, an image having one frame; or {"error": line}.

    whole: decode every frame, by the rules of training, and add "sha256"; otherwise the packets are counted only.
    """
    try:
        with reader.opened(path) as (_, stream):
            size = {"height": stream.codec_context.height, "width": stream.codec_context.width}
        frames = _frames(path, whole)
        return {"frames": frames, **size} | ({"sha256": files.sha256(path)} if whole else {})
    except limits.MediaError as error:
        return {"error": str(error)}


def _frames(path, whole):
    if limits.is_video(path):
        return len(reader.read_frames(path, range, TINY, TINY)) if whole else reader.count_frames(path)
    return len(reader.read_image(path, TINY, TINY)) if whole else 1


def main():
    about = json.loads(sys.argv[1])
    limits.allow(**about["limits"])
    for line in sys.stdin:
        print(json.dumps(examine(json.loads(line), about["whole"])), flush=True)


if __name__ == "__main__":
    main()
