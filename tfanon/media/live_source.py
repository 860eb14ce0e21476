"""Cameras, network streams and raw frames on a pipe: sources that can be read only once.

A stream cannot redirect to another address: playlists are not among the allowed formats, and each
kind of address may only open its own kind of connection. The certificate of an encrypted connection
is checked.
"""

import contextlib
import errno
import fractions
import math
import os
import re
import ssl
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer

from tfanon.media import frame_reader, limits, scaling, tone_mapping, video_reader
from tfanon.media.limits import MediaError

# scheme -> libav's protocols; https excludes http, to which a server could redirect
ALLOWED_PROTOCOLS = {
    "rtsp": "rtsp,rtp,udp,tcp",
    "rtsps": "rtsps,rtsp,rtp,srtp,udp,tcp,tls",
    "http": "http,tcp",
    "https": "https,tcp,tls",
}
ALLOWED_FORMATS = "rtsp,mpjpeg,mpegts,matroska,webm,mov,mp4,flv,jpeg_pipe,h264,hevc"
# platform -> (libav's input device, pattern of the name of a camera)
CAMERA_DEVICES = {"linux": ("video4linux2", "/dev/video{}"), "darwin": ("avfoundation", "{}")}
# of Debian and its derivatives, and of SUSE
CA_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/ca-bundle.pem")
TIMEOUT_SECONDS = 10.0  # for a connection, and from one frame to the next
MAX_RATE_DENOMINATOR = 1001  # of NTSC rates, such as 30000/1001
RGB_CHANNELS = 3


def is_live_input(text: object) -> bool:
    """Return whether an input is the number of a camera or an address, rather than a file.

    Args:
        text: The input as the user gives it.
    """
    return str(text).isdigit() or re.match(r"[a-z]+://", str(text)) is not None


def redact_address(address: object) -> str:
    """Return an input as messages and records show it, without secrets.

    User, password and query are removed from an address, as cameras take passwords in the query,
    too. If an unescaped "?" or "#" leaves open which part is the password, only the scheme is left.

    Args:
        address: The input as the user gives it; the name of a file stays as it is.
    """
    if not is_live_input(address):
        return str(address)
    return re.sub(r"(?<=://)([^/?#]*@|[^/]*@.*)|[?#].*", "", str(address))


@contextlib.contextmanager
def open_live_source(
    address: str, timeout: float = TIMEOUT_SECONDS, ca_file: str = ""
) -> Iterator[Iterator[av.VideoFrame]]:
    """Open a camera or a network stream.

    Args:
        address: The number of a camera, or an address with one of the allowed schemes.
        timeout: Seconds to wait for a connection, and from one frame to the next.
        ca_file: PEM file against which the certificate of an https:// or rtsps:// server is
            checked; empty: the system's certificate authorities.

    Yields:
        An iterator over its frames. It ends only for a file on a server, which has a length.

    Raises:
        MediaError: The address is not supported, the connection fails or is lost, or an endless
            source such as a camera ends. The message names the redacted address.
    """
    name = redact_address(address)
    try:
        with _connect(address, timeout, _make_open_arguments(address, ca_file)) as container:
            stream = limits.select_live_stream(name, container)
            stream.thread_type = "SLICE"  # threads for entire frames would hold some back
            yield _decode_frames(name, container, stream)
    except av.error.ExitError:  # what libav raises when a time limit is reached
        raise MediaError(f"{name}: nothing came for {timeout:g} seconds.") from None
    except (av.FFmpegError, EOFError) as error:
        raise MediaError(f"{name}: {frame_reader.describe_libav_error(error)}.") from None


def _connect(address: str, timeout: float, arguments: dict[str, Any]) -> InputContainer:
    """Open a source with libav, and explain a connection whose certificate is not accepted."""
    try:
        # timeout: to connect, and per read. A title that is not UTF-8 must not end a recording.
        return av.open(**arguments, timeout=(timeout, timeout), metadata_errors="replace")
    except OSError as error:
        options = arguments.get("options", {})
        if error.errno != errno.EIO or "tls_verify" not in options:
            raise
        # libav says no more than "I/O error".
        authorities = options.get("ca_file", "the system's authorities")
        raise MediaError(
            f"{redact_address(address)}: no encrypted connection; its certificate must be for this "
            f"name and signed by {authorities}; --ca_file names another PEM file."
        ) from None


def _decode_frames(
    name: str, container: InputContainer, stream: av.VideoStream
) -> Iterator[av.VideoFrame]:
    """Yield the undamaged frames of a source; a damaged one is dropped, as the next soon comes."""
    check_colour = tone_mapping.ColourChecker(name)
    for frame in container.decode(stream):
        limits.check_frame_size(name, frame.width, frame.height)
        check_colour(frame)
        if not frame.is_corrupt:
            yield frame
    # Only a file on a server has a size, and may end.
    if container.size <= 0:
        raise MediaError(f"{name}: the stream ended.")


def _make_open_arguments(address: str, ca_file: str = "") -> dict[str, Any]:
    """Return the arguments of av.open for a camera or an address.

    Raises:
        MediaError: The kind of address is not supported.
    """
    if str(address).isdigit():
        if sys.platform not in CAMERA_DEVICES:
            raise MediaError(
                f"Camera {address}: camera numbers work on Linux and macOS only; "
                "give an rtsp:// address."
            )
        device, pattern = CAMERA_DEVICES[sys.platform]
        return {"file": pattern.format(address), "format": device}
    scheme = address.partition("://")[0]
    if scheme not in ALLOWED_PROTOCOLS:
        beginnings = ", ".join(f"{name}://" for name in ALLOWED_PROTOCOLS)
        raise MediaError(f"{redact_address(address)}: an address begins with {beginnings}.")
    options = {
        "protocol_whitelist": ALLOWED_PROTOCOLS[scheme],
        "format_whitelist": ALLOWED_FORMATS,
    }
    if scheme.startswith("rtsp"):
        options["rtsp_transport"] = "tcp"  # over UDP a lost packet is a damaged frame
    if "tls" in ALLOWED_PROTOCOLS[scheme]:
        options["tls_verify"] = "1"
        trusted = _find_ca_file(ca_file)
        if trusted:
            options["ca_file"] = trusted
    return {"file": address, "options": options}


def _find_ca_file(ca_file: str) -> str | None:
    """Return the PEM file to check certificates against; None if only libav may know one.

    libav looks where the system on which it was built has them, which differs from most others.
    """
    if ca_file and not os.path.isfile(ca_file):
        raise MediaError(
            f"--ca_file={ca_file}: no such file; give a PEM file with the certificate of the "
            "camera, or of the authority that signed it."
        )
    candidates = [ca_file, ssl.get_default_verify_paths().cafile, *CA_BUNDLES]
    for path in candidates:
        if path and os.path.isfile(path):
            return path
    return None


class RawVideoReader:
    """Raw RGB frames from a pipe, with the interface of ``video_reader.VideoReader``.

    Attributes:
        pipe: Binary file with the frames.
        info: Properties of the frames.
        expected_frames: None, as the number of frames is unknown.
        frame_count: Frames yielded so far.
    """

    sound_tracks: tuple[AudioStream, ...] = ()
    sound_status = "none"
    metadata = None
    notes: tuple[str, ...] = ()

    def __init__(self, pipe: BinaryIO, height: int, width: int, rate: float) -> None:
        """Prepare to read a pipe.

        Args:
            pipe: Binary file with uint8 RGB frames, one after the other.
            height: In pixels.
            width: In pixels.
            rate: Frames per second.

        Raises:
            MediaError: The frames are larger than the limit.
        """
        limits.check_frame_size("standard input", width, height)
        exact_rate = fractions.Fraction(rate).limit_denominator(MAX_RATE_DENOMINATOR)
        self.pipe = pipe
        self.info = video_reader.VideoInfo(height, width, 1 / exact_rate, exact_rate)
        self.expected_frames = None
        self.frame_count = 0

    def __iter__(self) -> Iterator[video_reader.TimedFrame]:
        """Yield the frames.

        Raises:
            MediaError: The pipe ends inside a frame, or holds none.
        """
        shape = (self.info.height, self.info.width, RGB_CHANNELS)
        size = math.prod(shape)
        while data := self.pipe.read(size):
            if len(data) < size:
                raise MediaError(
                    f"Standard input ended inside frame {self.frame_count}: "
                    f"{len(data)} of {size} bytes."
                )
            pixels = np.frombuffer(data, np.uint8).reshape(shape)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            yield video_reader.TimedFrame(self.frame_count, 1, frame)
            self.frame_count += 1
        if not self.frame_count:
            raise MediaError("Standard input held no frame.")


class RawVideoWriter:
    """Raw RGB frames into a pipe, with the interface of ``video_writer.VideoWriter``."""

    def __init__(self, pipe: BinaryIO, info: video_reader.VideoInfo) -> None:
        """Prepare to write into a pipe.

        Args:
            pipe: Binary file.
            info: Properties of the original, which give the size of the frames.
        """
        self.pipe = pipe
        self.info = info

    def write(self, pixels: np.ndarray, timestamp: int, duration: int) -> None:
        """Write a frame, stretched to the size of the original.

        Args:
            pixels: uint8 RGB ``[h, w, 3]``.
            timestamp: Not used.
            duration: Not used.
        """
        frames = scaling.resize_frames(pixels[None], self.info.height, self.info.width)
        self.pipe.write(frames.tobytes())

    def finish(self) -> None:
        """Write what is still buffered."""
        self.pipe.flush()

    def close(self) -> None:
        """Leave the pipe open: it belongs to the process."""
