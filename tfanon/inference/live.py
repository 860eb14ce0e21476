"""Live: a camera or a stream, with a latency that has a bound. A late frame is dropped; none is shown as it came."""

import array
import contextlib
import fractions
import pathlib
import signal
import time

from tfanon.core import files
from tfanon.inference import video
from tfanon.inference.frame_grabber import FrameGrabber, ConnectionLostError
from tfanon.media import frame_reader, scaling, video_reader, video_writer
from tfanon.media import live_source as sources
from tfanon.media.limits import MediaError

TIME_BASE = fractions.Fraction(1, 1000)  # of the time stamps that are written: when a frame arrived


class FileRecorder:
    """Files of a live source, each whole before it gets its name.

    target: the file, or with `segment` seconds the pattern of names: out.mkv becomes out-00001.mkv, out-00002.mkv, ...
    finished(path, frames): called with each file when it has its name.
    Raises MediaError or OSError where a file cannot be written; that file is then not there.
    """

    def __init__(
        self,
        target,
        encoding,
        segment_seconds=0.0,
        overwrite=False,
        on_file_finished=lambda path, frames: None,
    ):
        self.target, self.encoding, self.segment_seconds, self.overwrite = (
            pathlib.Path(target),
            encoding,
            segment_seconds,
            overwrite,
        )
        self.finished = on_file_finished
        self.open, self.files = None, {}  # path of each file: its frames
        encoding.choose_encoder(self.target.suffix.lower())
        if self.target.suffix.lower() == ".avi":
            raise ValueError(
                "Live frames come at uneven times, which an .avi file cannot hold; an .mkv file can."
            )
        self._claim_path(self._make_path(1))

    def write(self, pixels, size, arrival):
        """Append a frame.  pixels: upright, uint8 [h, w, 3].  size: (H, W) to show it at.  arrival: in seconds."""
        if self.open and self.segment_seconds and arrival - self.began >= self.segment_seconds:
            self.finish()
        if not self.open:
            self._start_file(size, arrival)
        self.stamp = max(self.stamp + 1, round((arrival - self.began) / TIME_BASE))
        self.stamps.append(self.stamp)
        with frame_reader.name_file_in_errors(self.path):
            self.sink.write(pixels, self.stamp, 0)

    def finish(self):
        """Make the file that is being written whole, check it, and give it its name."""
        if self.open:
            with self.open, frame_reader.name_file_in_errors(self.path):
                self.sink.finish()
                video_writer.verify_video_times(self.unfinished, self.stamps, TIME_BASE)
            self.open, self.files[str(self.path)] = None, len(self.stamps)
            self.finished(str(self.path), len(self.stamps))

    def discard(self):
        """Let the file that is being written vanish."""
        if self.open:
            with contextlib.suppress(InterruptedError), self.open:
                raise InterruptedError
            self.open = None

    def _start_file(self, size, arrival):
        self.path = self._claim_path(self._make_path(len(self.files) + 1))
        self.open = contextlib.ExitStack()
        self.unfinished = self.open.enter_context(
            files.write_atomically(self.path, replace=self.overwrite)
        )
        form = video_reader.VideoInfo(*size, TIME_BASE, fractions.Fraction(25))
        with frame_reader.name_file_in_errors(self.path):
            self.sink = self.open.enter_context(
                contextlib.closing(video_writer.VideoWriter(self.unfinished, form, self.encoding))
            )
        self.began, self.stamp, self.stamps = arrival, -1, array.array("q")

    def _make_path(self, number):
        return (
            self.target.with_stem(f"{self.target.stem}-{number:05d}")
            if self.segment_seconds
            else self.target
        )

    def _claim_path(self, path):
        if path.exists() and not self.overwrite:
            raise ValueError(f"{path} exists; give --overwrite, or another -o.")
        files.remove_leftovers(path)
        return path


class PipeRecorder:
    """Raw RGB frames on a pipe, upright, where a Recorder would write files."""

    def __init__(self, pipe):
        self.pipe, self.files = pipe, {}

    def write(self, pixels, size, arrival):
        """Write a frame.  size: (H, W)."""
        self.pipe.write(scaling.resize_frames(pixels[None], *size).tobytes())
        self.pipe.flush()

    def finish(self):
        """Nothing is held back."""

    discard = finish


class NullRecorder(PipeRecorder):
    """For a preview alone."""

    def __init__(self):
        super().__init__(None)

    def write(self, pixels, size, arrival):
        """Keep nothing."""


def anonymize_live(
    source,
    recorder,
    anonymizer,
    max_latency=0.5,
    max_seconds=0.0,
    reconnect_seconds=60.0,
    on_frame=lambda pixels: None,
    ca_file="",
):
    """Anonymize a live source until it is over, a signal comes or `max_seconds` have passed; returns a record.

    recorder: a Recorder, or anything with its write, finish and discard.  max_latency: seconds from a frame's arrival
    to its end, beyond which it is dropped; 0: none is, and the source waits.  authority: as for media.live.opened.
    Raises MediaError where the source stays lost, and where no frame was in time; what was recorded is kept then.
    Raises network.Unsafe where a frame must not be shown; the file that is being written is not kept then.
    """
    scaler, begin, shown, late = scaling.Scaler(), time.monotonic(), 0, 0
    find_turn = scaling.OrientationFinder()
    with (
        FrameGrabber(source, reconnect_seconds, not max_latency, max_seconds, ca_file) as grabber,
        _close_on_signal(grabber),
    ):
        try:
            for arrival, frame in grabber:
                rotation = find_turn(frame)
                size = (frame.width, frame.height) if rotation % 2 else (frame.height, frame.width)
                pixels = video.make_upright(
                    frame, rotation, (frame.height, frame.width), anonymizer, scaler
                )
                answer = anonymizer.run(pixels[None], shown)[0]
                if max_latency and time.monotonic() - arrival > max_latency:
                    late += 1
                    continue
                recorder.write(answer, size, arrival)
                on_frame(answer)
                shown += 1
        except ConnectionLostError:
            recorder.finish()
            raise
        except BaseException:
            recorder.discard()
            raise
        recorder.finish()
    if not shown:
        raise MediaError(
            f"{sources.redact_address(source)}: no frame was anonymized in time; {grabber.dropped + late} came. A "
            "larger --max_latency may help, or a model that was trained at a smaller size."
        )
    return {
        "frames": shown,
        "dropped": grabber.dropped + late,
        "connections": grabber.connections,
        "seconds": round(time.monotonic() - begin, 3),
        "files": recorder.files,
    }


@contextlib.contextmanager
def _close_on_signal(grabber):
    """Ctrl-C and SIGTERM end a live source as its own end would: what was anonymized is a whole file."""
    before = {
        number: signal.signal(number, lambda *_: grabber.close())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
