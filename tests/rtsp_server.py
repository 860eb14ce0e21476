"""An RTSP server on this machine that sends H.264 over the one TCP connection, as cameras do."""

import contextlib
import pathlib
import socketserver
import struct
from collections.abc import Callable, Iterator

import av
import clips
import numpy as np
import streaming

DESCRIPTION = (
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n"
    "a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\n"
)
RTCP_PAYLOAD_TYPES = range(72, 77)  # RFC 5761


class RtpPackets(list):
    """The file that libav's muxer writes to: each write is one RTP packet."""

    def write(self, data: bytes) -> int:
        if data[1] & 0x7F not in RTCP_PAYLOAD_TYPES:
            self.append(bytes(data))
        return len(data)


def make_rtp_packets(
    frames: int,
    size: tuple[int, int] = (48, 64),
    make: Callable[[int, tuple[int, int]], np.ndarray] = clips.make_texture,
) -> RtpPackets:
    """RTP packets of a video, 25 frames a second by their timestamps."""
    packets = RtpPackets()
    with av.open(packets, "w", format="rtp", options={"packetsize": "1400"}) as container:
        stream = container.add_stream("libx264", rate=25, options={"tune": "zerolatency", "g": "5"})
        stream.height, stream.width = size
        stream.pix_fmt = "yuv420p"
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(make(number, size), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return packets


@contextlib.contextmanager
def serve_rtsp(
    play: Callable[[streaming.Send, int], object], certificate: pathlib.Path | None = None
) -> Iterator[str]:
    """The address of an RTSP server that runs in the block.

    play(send, count): called for the count-th PLAY (from 0) with a function that sends an RTP
    packet; the connection ends when it returns.  certificate: as for streaming.run_server().
    """

    class Handler(socketserver.StreamRequestHandler):
        timeout = 10.0

        def handle(self) -> None:
            with contextlib.suppress(OSError):  # the client has gone
                while method := self.answer():
                    if method == "PLAY":
                        self.server.count += 1
                        play(self.send, self.server.count)
                        return

        def answer(self) -> str:
            """Read one request and answer it; returns its method, '' at the end."""
            method = self.rfile.readline().decode().split(" ")[0]
            lines = iter(lambda: self.rfile.readline().decode().strip(), "")
            headers = dict(line.split(": ", 1) for line in lines)
            body = DESCRIPTION if method == "DESCRIBE" else ""
            transport = ""
            if method == "SETUP":
                transport = f"Transport: {headers['Transport']}\r\n"
            answer = (
                f"RTSP/1.0 200 OK\r\nCSeq: {headers.get('CSeq')}\r\nSession: 1\r\n{transport}"
                f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n{body}"
            )
            self.wfile.write(answer.encode())
            return method

        def send(self, packet: bytes) -> None:
            self.wfile.write(struct.pack(">cBH", b"$", 0, len(packet)) + packet)

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    scheme = "rtsps" if certificate else "rtsp"
    with streaming.run_server(server, certificate) as location:
        yield f"{scheme}://{location}/stream"
