"""Cameras, network streams and raw frames on a pipe: sources that come once and cannot be asked again.

A stream names no further address: playlists are not among the formats, and each kind of address opens its own kind of
connection alone. Where that is encrypted, the certificate is checked.
"""

import contextlib
import errno
import fractions
import math
import os
import re
import ssl
import sys

import av
import numpy as np

from tfanon.media import limits, scaling, tone_mapping, video_reader
from tfanon.media.limits import MediaError

ALLOWED_PROTOCOLS = {
    "rtsp": "rtsp,rtp,udp,tcp",
    "rtsps": "rtsps,rtsp,rtp,srtp,udp,tcp,tls",
    "http": "http,tcp",
    "https": "https,tcp,tls",
}  # without http: a server could send us on to an address that is not encrypted
ALLOWED_FORMATS = "rtsp,mpjpeg,mpegts,matroska,webm,mov,mp4,flv,jpeg_pipe,h264,hevc"
CAMERA_DEVICES = {"linux": ("video4linux2", "/dev/video{}"), "darwin": ("avfoundation", "{}")}
CA_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/ca-bundle.pem",
)  # of Debian and its like, of SUSE
TIMEOUT_SECONDS = 10.0  # seconds for a connection, and from one frame to the next


def is_live_input(text):
    """Whether an input is a camera's number or an address, rather than a file."""
    return str(text).isdigit() or re.match(r"[a-z]+://", str(text)) is not None


def redact_address(given):
    """An input as messages and records name it: an address without user, password and query, where cameras take them too.

    Where an unescaped '?' or '#' leaves open which part is the password, nothing but the scheme is shown.
    """
    return (
        re.sub(r"(?<=://)([^/?#]*@|[^/]*@.*)|[?#].*", "", str(given))
        if is_live_input(given)
        else str(given)
    )


@contextlib.contextmanager
def open_live_source(given, timeout=TIMEOUT_SECONDS, ca_file=""):
    """An iterator over the frames of a camera or address.

    authority: PEM file that the certificate of an https:// or rtsps:// server is checked against; empty: the system's.
    Raises MediaError that names it where it breaks, and where one ends that has no end, such as a camera: what a server
    sends from a file has a length, and ends the iterator.
    """
    try:
        with _connect(given, timeout, _make_open_arguments(given, ca_file)) as container:
            stream = limits.select_live_stream(redact_address(given), container)
            stream.thread_type = "SLICE"  # threads for whole frames would hold some back
            yield _decode_frames(given, container, stream)
    except av.error.ExitError:  # libav's word for a time limit that was reached
        raise MediaError(f"{redact_address(given)}: nothing came for {timeout:g} seconds.") from None
    except (av.FFmpegError, EOFError) as error:
        raise MediaError(f"{redact_address(given)}: {getattr(error, 'strerror', None) or error}.") from None


def _connect(given, patience, arguments):
    try:
        return av.open(**arguments, timeout=(patience, patience), metadata_errors="replace")
    except OSError as error:
        if error.errno != errno.EIO or "tls_verify" not in arguments.get("options", {}):
            raise
        trusted = arguments["options"].get(
            "ca_file", "the system's authorities"
        )  # libav says no more than "I/O error"
        raise MediaError(
            f"{redact_address(given)}: no encrypted connection; its certificate must be for this name and signed by "
            f"{trusted}; --ca_file names another PEM file."
        ) from None


def _decode_frames(given, container, stream):
    check_colour = tone_mapping.ColourChecker(redact_address(given))
    for frame in container.decode(stream):
        limits.check_frame_size(redact_address(given), frame.width, frame.height)
        check_colour(frame)
        if not frame.is_corrupt:  # seen, and left out: the next one is already on its way
            yield frame
    if container.size <= 0:
        raise MediaError(f"{redact_address(given)}: the stream ended.")


def _make_open_arguments(given, authority=""):
    """What av.open is called with.  Raises MediaError for an address of another kind."""
    if str(given).isdigit():
        if sys.platform not in CAMERA_DEVICES:
            raise MediaError(
                f"Camera {given}: numbers are known on Linux and macOS only; give an rtsp:// address."
            )
        name, pattern = CAMERA_DEVICES[sys.platform]
        return {"file": pattern.format(given), "format": name}
    scheme = given.split("://")[0]
    if scheme not in ALLOWED_PROTOCOLS:
        raise MediaError(
            f"{redact_address(given)}: an address begins with {', '.join(f'{name}://' for name in ALLOWED_PROTOCOLS)}."
        )
    options = {"protocol_whitelist": ALLOWED_PROTOCOLS[scheme], "format_whitelist": ALLOWED_FORMATS}
    if scheme.startswith("rtsp"):
        options["rtsp_transport"] = "tcp"  # over UDP a lost packet is a damaged picture
    if "tls" in ALLOWED_PROTOCOLS[scheme]:
        options["tls_verify"] = "1"
        if trusted := _find_ca_file(authority):
            options["ca_file"] = trusted
    return {"file": given, "options": options}


def _find_ca_file(authority):
    """The PEM file that certificates are checked against; None where only libav may know of one.

    libav itself looks where its builders' system has them, which is elsewhere on most others.
    """
    if authority and not os.path.isfile(authority):
        raise MediaError(
            f"--ca_file={authority}: no such file; a PEM file with the certificate of the camera, or of "
            "who signed it, would do."
        )
    known = [authority, ssl.get_default_verify_paths().cafile, *CA_BUNDLES]
    return next((path for path in known if path and os.path.isfile(path)), None)


class RawVideoReader:
    """Raw RGB frames from a pipe, with the interface of source.Video.

    pipe: binary file.  Raises MediaError where it ends inside a frame, and where there is none.
    """

    sounds, sound, metadata, notes = (), "none", None, ()

    def __init__(self, pipe, height, width, rate):
        limits.check_frame_size("standard input", width, height)
        rate = fractions.Fraction(rate).limit_denominator(1001)
        self.pipe, self.form = pipe, video_reader.VideoInfo(height, width, 1 / rate, rate)
        self.expected, self.count = None, 0

    def __iter__(self):
        shape = (self.form.height, self.form.width, 3)
        size = math.prod(shape)
        while data := self.pipe.read(size):
            if len(data) < size:
                raise MediaError(
                    f"Standard input ended inside frame {self.count}: {len(data)} of {size} bytes."
                )
            frame = av.VideoFrame.from_ndarray(
                np.frombuffer(data, np.uint8).reshape(shape), format="rgb24"
            )
            yield video_reader.TimedFrame(self.count, 1, frame)
            self.count += 1
        if not self.count:
            raise MediaError("Standard input held no frame.")


class RawVideoWriter:
    """Raw RGB frames into a pipe, with the interface of sink.Sink."""

    def __init__(self, pipe, form):
        self.pipe, self.form = pipe, form

    def write(self, pixels, stamp, duration):
        """Write uint8 [h, w, 3], stretched to the form's size."""
        self.pipe.write(
            scaling.resize_frames(pixels[None], self.form.height, self.form.width).tobytes()
        )

    def finish(self):
        self.pipe.flush()

    def close(self):
        """The pipe stays open: it is the process's."""
