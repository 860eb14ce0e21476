"""Downloads from a server on the loopback interface."""

import hashlib
import http.server
from collections.abc import Iterator
from typing import ClassVar

import pytest
import streaming

from tfanon.pretrained import catalog, download, weight_files

CONTENT = bytes(range(256)) * 40
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT with ranges; /broken ends early once, /plain ignores ranges."""

    requests: ClassVar[list[tuple[str, int]]] = []

    def do_GET(self) -> None:
        begin = int((self.headers.get("Range") or "bytes=0-")[6:-1])
        self.requests.append((self.path, begin))
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

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    Handler.requests.clear()
    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with streaming.run_server(running) as location:
        yield f"http://{location}"


@pytest.mark.parametrize("digest", [DIGEST, DIGEST[:8]])
def test_a_file_is_downloaded_once(server, tmp_path, digest):
    path = download.fetch_file(f"{server}/whole.pth", tmp_path / "cache", digest)
    assert path == tmp_path / "cache" / "whole.pth" and path.read_bytes() == CONTENT
    download.fetch_file(f"{server}/whole.pth", tmp_path / "cache", digest)
    assert Handler.requests == [("/whole.pth", 0)]


def test_an_interrupted_download_is_resumed(server, tmp_path):
    with pytest.raises(
        ValueError, match="ended after 1,000 of 10,240 bytes; re-running the same command resumes"
    ):
        download.fetch_file(f"{server}/broken.pth", tmp_path, DIGEST)
    assert download.fetch_file(f"{server}/broken.pth", tmp_path, DIGEST).read_bytes() == CONTENT
    assert Handler.requests == [("/broken.pth", 0), ("/broken.pth", 1000)]
    assert [path.name for path in tmp_path.iterdir()] == ["broken.pth"]


def test_a_server_without_ranges_starts_over(server, tmp_path):
    (tmp_path / "plain.pth.part").write_bytes(CONTENT[:50])
    assert download.fetch_file(f"{server}/plain.pth", tmp_path, DIGEST).read_bytes() == CONTENT


def test_a_complete_partial_file_is_kept(server, tmp_path):
    (tmp_path / "whole.pth.part").write_bytes(CONTENT)
    assert download.fetch_file(f"{server}/whole.pth", tmp_path, DIGEST).read_bytes() == CONTENT


def test_a_file_with_another_digest_is_removed(server, tmp_path):
    with pytest.raises(ValueError, match=f"SHA-256 begins with {DIGEST[:8]}, expected 00000000"):
        download.fetch_file(f"{server}/whole.pth", tmp_path, "00000000")
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_is_checked_but_not_removed(tmp_path):
    (tmp_path / "whole.pth").write_bytes(b"other")
    with pytest.raises(ValueError, match="is not the file that was published at"):
        download.fetch_file("https://127.0.0.1:1/whole.pth", tmp_path, DIGEST)
    assert (tmp_path / "whole.pth").read_bytes() == b"other"


def test_an_unreachable_server_gives_one_line_of_help(tmp_path):
    # No server listens on port 1.
    with pytest.raises(ValueError) as problem:
        download.fetch_file("https://127.0.0.1:1/far.pth", tmp_path, DIGEST)
    assert "https://127.0.0.1:1/far.pth could not be downloaded" in str(problem.value)
    assert f"Put the file at {tmp_path / 'far.pth'} by hand" in str(
        problem.value
    ) and "\n" not in str(problem.value)


def test_a_missing_file_is_an_error(server, tmp_path):
    with pytest.raises(ValueError, match="the server answered 404 Not Found"):
        download.fetch_file(f"{server}/missing.pth", tmp_path, DIGEST)


def test_the_size_of_a_download_is_limited(server, tmp_path, monkeypatch):
    monkeypatch.setattr(weight_files, "MAX_WEIGHT_FILE_BYTES", 5000)
    with pytest.raises(ValueError, match="grew beyond 5,000 bytes"):
        download.fetch_file(f"{server}/whole.pth", tmp_path, DIGEST)


@pytest.mark.parametrize(
    "url, digest, message",
    [
        ("http://example.com/a.pth", DIGEST, "is not an https URL"),
        ("file:///etc/passwd", DIGEST, "is not an https URL"),
        ("https://example.com/a.pth", "abc", "8 to 64 of its hexadecimal digits, not by 'abc'"),
    ],
)
def test_only_https_with_a_digest_is_accepted(tmp_path, url, digest, message):
    with pytest.raises(ValueError, match=message):
        download.fetch_file(url, tmp_path, digest)


def test_torchvisions_names_agree_with_the_digests():
    for name, entry in catalog.PUBLISHED_WEIGHTS.items():
        assert entry.url.startswith("https://") and len(entry.digest) in (0, 8, 64), name
        if entry.url.startswith(catalog.TORCHVISION_URL):
            assert entry.digest[:8] == entry.file_name[-12:-4], name


def test_an_unknown_name_lists_the_names():
    with pytest.raises(ValueError, match="no published weights called 'r3d'; available: r3d_18,"):
        catalog.find_published_weights("r3d")
