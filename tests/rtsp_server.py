"""An RTSP server on the loopback that sends H.264 over the one TCP connection, as cameras do."""

import contextlib
import socketserver
import struct

import av
import clips
import streaming

DESCRIPTION = (
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
    "a=fmtp:96 packetization-mode=1\r\n"
)
REPORTS = range(72, 77)  # payload types that mean RTCP: RFC 5761


class Packets(list):
    """The file that libav's muxer writes to: each write is one RTP packet."""

    def write(self, data):
        if data[1] & 0x7F not in REPORTS:
            self.append(bytes(data))
        return len(data)


def packets(frames, size=(48, 64), make=clips.picture):
    """RTP packets of `frames` pictures, 25 a second by their time stamps."""
    made = Packets()
    with av.open(made, "w", format="rtp", options={"packetsize": "1400"}) as container:
        stream = container.add_stream("libx264", rate=25, options={"tune": "zerolatency", "g": "5"})
        stream.height, stream.width, stream.pix_fmt = *size, "yuv420p"
        for number in range(frames):
            container.mux(
                stream.encode(av.VideoFrame.from_ndarray(make(number, size), format="rgb24"))
            )
        container.mux(stream.encode())
    return made


@contextlib.contextmanager
def served(play, certificate=None):
    """The address of a server. play(send, count): called for the count-th PLAY (from 0) with a function that sends an
    RTP packet; the connection ends when it returns.  certificate: as for streaming.running.
    """

    class Handler(socketserver.StreamRequestHandler):
        timeout = 10.0

        def handle(self):
            with contextlib.suppress(OSError):  # the client has gone
                while method := self.answer():
                    if method == "PLAY":
                        self.server.count += 1
                        return play(self.send, self.server.count)

        def answer(self):
            """Read one request and answer it; returns its method, '' where there is none."""
            method = self.rfile.readline().decode().split(" ")[0]
            lines = iter(lambda: self.rfile.readline().decode().strip(), "")
            asked = dict(line.split(": ", 1) for line in lines)
            body = DESCRIPTION if method == "DESCRIBE" else ""
            more = f"Transport: {asked['Transport']}\r\n" if method == "SETUP" else ""
            self.wfile.write(
                (
                    f"RTSP/1.0 200 OK\r\nCSeq: {asked.get('CSeq')}\r\nSession: 1\r\n{more}"
                    f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n{body}"
                ).encode()
            )
            return method

        def send(self, packet):
            self.wfile.write(struct.pack(">cBH", b"$", 0, len(packet)) + packet)

    with streaming.running(
        socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler), certificate
    ) as place:
        yield f"rtsp{'s' * bool(certificate)}://{place}/stream"
