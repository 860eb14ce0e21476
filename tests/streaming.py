"""A server on the loopback that streams what a test gives it, as cameras and stations do."""

import contextlib
import http.server
import io
import threading
import time

import clips
from PIL import Image


@contextlib.contextmanager
def served(answer, port=0):
    """The address of a server. answer(send, count): called for the count-th request (from 0) with a function that sends
    bytes; the connection ends when it returns. It may begin with a line 'Content-Type: ..'.
    """
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.count += 1
            with contextlib.suppress(OSError):  # the client has gone
                self.wfile.write(b"HTTP/1.0 200 OK\r\n")
                answer(self.wfile.write, self.server.count)

        def log_message(self, *_):
            pass

    with running(http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)) as place:
        yield f"http://{place}/stream"


@contextlib.contextmanager
def running(server):
    """The host and port of a threading socketserver that runs in the block; its `count` begins at -1."""
    server.count, server.daemon_threads = -1, True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def motion_jpeg(send, frames, pause=0.02, size=(48, 64), make=clips.picture):
    """`frames` JPEGs as a camera sends them, one every `pause` seconds."""
    send(b"Content-Type: multipart/x-mixed-replace; boundary=cut\r\n\r\n")
    for number in range(frames):
        file = io.BytesIO()
        Image.fromarray(make(number, size)).save(file, "JPEG", quality=90)
        send(b"--cut\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n" % (len(file.getvalue()),
                                                                                     file.getvalue()))
        time.sleep(pause)


def whole(send, data, kind):
    """A file, with its length."""
    send(b"Content-Type: %s\r\nContent-Length: %d\r\n\r\n" % (kind.encode(), len(data)))
    send(data)
