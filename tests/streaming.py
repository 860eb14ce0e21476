"""A server on this machine that streams as cameras and stations do."""

import contextlib
import http.server
import pathlib
import shutil
import socketserver
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator

import clips
import numpy as np
import pytest

Send = Callable[[bytes], object]


@contextlib.contextmanager
def serve_stream(
    answer: Callable[[Send, int], object],
    port: int = 0,
    certificate: pathlib.Path | None = None,
    status: bytes = b"200 OK",
) -> Iterator[str]:
    """The address of an HTTP server that runs in the block.

    answer(send, count): called for the count-th request (from 0) with a function that sends bytes;
    the connection ends when it returns. It may begin with a line 'Content-Type: ..'.
    certificate: as for run_server().  status: of every answer.
    """

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.server.count += 1
            with contextlib.suppress(OSError):  # the client has gone
                self.wfile.write(b"HTTP/1.0 %s\r\n" % status)
                answer(self.wfile.write, self.server.count)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    scheme = "https" if certificate else "http"
    with run_server(server, certificate) as location:
        yield f"{scheme}://{location}/stream"


@contextlib.contextmanager
def run_server(
    server: socketserver.TCPServer, certificate: pathlib.Path | None = None
) -> Iterator[str]:
    """The host and port of a threading server that runs in the block; its ``count`` begins at -1.

    certificate: as make_certificate() returns it; the server then speaks TLS.
    """
    server.count = -1
    server.daemon_threads = True
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, certificate.with_suffix(".key"))
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.handle_error = lambda *_: None  # a client that rejects the certificate
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def make_certificate(path: pathlib.Path, name: str = "IP:127.0.0.1") -> pathlib.Path:
    """Write a self-signed certificate of ``name`` to a PEM file, and its key beside it."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed: there is no certificate to test with")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
    command += ["-subj", "/CN=a camera", "-addext", f"subjectAltName={name}"]
    command += ["-keyout", path.with_suffix(".key"), "-out", path]
    subprocess.run(command, check=True, capture_output=True)
    return path


def send_motion_jpeg(
    send: Send,
    frames: int,
    pause: float = 0.02,
    size: tuple[int, int] = (48, 64),
    make: Callable[[int, tuple[int, int]], np.ndarray] = clips.make_texture,
) -> None:
    """Send JPEG files as a camera does, one every ``pause`` seconds."""
    send(b"Content-Type: multipart/x-mixed-replace; boundary=cut\r\n\r\n")
    for number in range(frames):
        jpeg = clips.encode_jpeg(make(number, size), quality=90)
        header = b"--cut\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(jpeg)
        send(header + jpeg + b"\r\n")
        time.sleep(pause)


def send_file(send: Send, data: bytes, kind: str) -> None:
    """Send a file of a MIME type, with its length."""
    send(b"Content-Type: %s\r\nContent-Length: %d\r\n\r\n" % (kind.encode(), len(data)))
    send(data)
