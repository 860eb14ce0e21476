"""The network code, against a server on the loopback interface."""

import hashlib
import http.server
import threading

import pytest

from tfanon.pretrained import catalog, download

CONTENT = bytes(range(256)) * 40
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT with ranges; /broken ends early once, /plain knows no ranges."""

    asked = []

    def do_GET(self):
        begin = int((self.headers.get("Range") or "bytes=0-")[6:-1])
        self.asked.append((self.path, begin))
        if self.path.startswith("/missing"):
            self.send_error(404)
            return
        if begin >= len(CONTENT):
            self.send_error(416)
            return
        begin = 0 if self.path.startswith("/plain") else begin
        self.send_response(206 if begin else 200)
        self.send_header("Content-Length", str(len(CONTENT) - begin))
        self.end_headers()
        end = 1000 if self.path.startswith("/broken") and not begin else len(CONTENT)
        self.wfile.write(CONTENT[begin:end])

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    Handler.asked.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{made.server_port}"
        made.shutdown()
        thread.join()


@pytest.mark.parametrize("digest", [DIGEST, DIGEST[:8]])
def test_a_file_comes_once(server, tmp_path, digest):
    path = download.fetch_file(f"{server}/whole.pth", tmp_path / "cache", digest)
    assert path == tmp_path / "cache" / "whole.pth" and path.read_bytes() == CONTENT
    download.fetch_file(f"{server}/whole.pth", tmp_path / "cache", digest)
    assert Handler.asked == [("/whole.pth", 0)]


def test_what_was_begun_is_continued(server, tmp_path):
    with pytest.raises(
        ValueError, match="ended after 1,000 of 10,240 bytes; the same command goes on"
    ):
        download.fetch_file(f"{server}/broken.pth", tmp_path, DIGEST)
    assert download.fetch_file(f"{server}/broken.pth", tmp_path, DIGEST).read_bytes() == CONTENT
    assert Handler.asked == [("/broken.pth", 0), ("/broken.pth", 1000)]
    assert [path.name for path in tmp_path.iterdir()] == ["broken.pth"]


def test_a_server_without_ranges_starts_over(server, tmp_path):
    (tmp_path / "plain.pth.part").write_bytes(CONTENT[:50])
    assert download.fetch_file(f"{server}/plain.pth", tmp_path, DIGEST).read_bytes() == CONTENT


def test_a_whole_part_needs_no_more(server, tmp_path):
    (tmp_path / "whole.pth.part").write_bytes(CONTENT)
    assert download.fetch_file(f"{server}/whole.pth", tmp_path, DIGEST).read_bytes() == CONTENT


def test_another_file_is_not_kept(server, tmp_path):
    with pytest.raises(ValueError, match=f"SHA-256 begins with {DIGEST[:8]}, expected is 00000000"):
        download.fetch_file(f"{server}/whole.pth", tmp_path, "00000000")
    assert list(tmp_path.iterdir()) == []


def test_a_file_put_there_by_hand_is_checked_and_left(tmp_path):
    (tmp_path / "whole.pth").write_bytes(b"other")
    with pytest.raises(ValueError, match="is not the file that was published at"):
        download.fetch_file("https://127.0.0.1:1/whole.pth", tmp_path, DIGEST)
    assert (tmp_path / "whole.pth").read_bytes() == b"other"


def test_without_a_network_one_line_says_what_to_do(tmp_path):
    # Port 1 of this machine: nobody listens.
    with pytest.raises(ValueError) as problem:
        download.fetch_file("https://127.0.0.1:1/far.pth", tmp_path, DIGEST)
    assert "https://127.0.0.1:1/far.pth could not be downloaded" in str(problem.value)
    assert f"Put the file at {tmp_path / 'far.pth'} by hand" in str(
        problem.value
    ) and "\n" not in str(problem.value)


def test_what_the_server_lacks_is_said(server, tmp_path):
    with pytest.raises(ValueError, match="the server answered 404 Not Found"):
        download.fetch_file(f"{server}/missing.pth", tmp_path, DIGEST)


def test_no_file_grows_without_end(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download.reading, "LARGEST", 5000)
    with pytest.raises(ValueError, match="grew beyond 5,000 bytes"):
        download.fetch_file(f"{server}/whole.pth", tmp_path, DIGEST)


@pytest.mark.parametrize(
    "address, digest, message",
    [
        ("http://example.com/a.pth", DIGEST, "is not an https address"),
        ("file:///etc/passwd", DIGEST, "is not an https address"),
        ("https://example.com/a.pth", "abc", "8 to 64 of its hexadecimal digits, not by 'abc'"),
    ],
)
def test_only_checked_https(tmp_path, address, digest, message):
    with pytest.raises(ValueError, match=message):
        download.fetch_file(address, tmp_path, digest)


def test_torchvisions_names_agree_with_the_digests():
    for name, entry in catalog.PUBLISHED_WEIGHTS.items():
        assert entry.url.startswith("https://") and len(entry.digest) in (0, 8, 64), name
        if entry.url.startswith(catalog.TORCHVISION_URL):
            assert entry.digest[:8] == entry.file[-12:-4], name


def test_a_wrong_name_shows_the_names():
    with pytest.raises(
        ValueError, match="No public weights called 'r3d' are known: there are r3d_18,"
    ):
        catalog.find_published_weights("r3d")
