"""A server on the loopback that streams what a test gives it, as cameras and stations do."""

import contextlib
import http.server
import io
import shutil
import ssl
import subprocess
import threading
import time

import clips
import pytest
from PIL import Image


@contextlib.contextmanager
def served(answer, port=0, certificate=None, status=b"200 OK"):
    """The address of a server. answer(send, count): called for the count-th request (from 0) with a function that sends
    bytes; the connection ends when it returns. It may begin with a line 'Content-Type: ..'.
    certificate: as for running().  status: of every answer.
    """

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.count += 1
            with contextlib.suppress(OSError):  # the client has gone
                self.wfile.write(b"HTTP/1.0 %s\r\n" % status)
                answer(self.wfile.write, self.server.count)

        def log_message(self, *_):
            pass

    with running(
        http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler), certificate
    ) as place:
        yield f"http{'s' * bool(certificate)}://{place}/stream"


@contextlib.contextmanager
def running(server, certificate=None):
    """The host and port of a threading socketserver that runs in the block; its `count` begins at -1.

    certificate: as make_certificate gives it; the server then speaks TLS.
    """
    server.count, server.daemon_threads = -1, True
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, certificate.with_suffix(".key"))
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.handle_error = lambda *_: None  # a client that does not like the certificate
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def make_certificate(path, name="IP:127.0.0.1"):
    """`path`, a PEM file with a certificate of `name` that is signed by itself; its key lies beside it."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed: there is no certificate to test with")
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "1",
            "-subj",
            "/CN=a camera",
            "-addext",
            f"subjectAltName={name}",
            "-keyout",
            path.with_suffix(".key"),
            "-out",
            path,
        ],
        check=True,
        capture_output=True,
    )
    return path


def motion_jpeg(send, frames, pause=0.02, size=(48, 64), make=clips.picture):
    """`frames` JPEGs as a camera sends them, one every `pause` seconds."""
    send(b"Content-Type: multipart/x-mixed-replace; boundary=cut\r\n\r\n")
    for number in range(frames):
        file = io.BytesIO()
        Image.fromarray(make(number, size)).save(file, "JPEG", quality=90)
        send(
            b"--cut\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n"
            % (len(file.getvalue()), file.getvalue())
        )
        time.sleep(pause)


def whole(send, data, kind):
    """A file, with its length."""
    send(b"Content-Type: %s\r\nContent-Length: %d\r\n\r\n" % (kind.encode(), len(data)))
    send(data)
