"""Files from the web: resumed where they stopped, kept only with the right SHA-256."""

import http.client
import os
import pathlib
import re
import urllib.error
import urllib.parse
import urllib.request

from tfanon.core import files
from tfanon.pretrained import weight_files

TIMEOUT_SECONDS = 30  # seconds without a byte
CHUNK_BYTES = 1 << 20  # bytes
LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1")


def fetch_file(url, folder, digest):
    """The file of `address` in `folder`, downloaded unless it is there; returns its path.

    digest: the first digits of its SHA-256, at least 8. What an earlier call began is continued.
    Raises ValueError with the address and the place where to put the file by hand where it cannot be had, and where
    what came has another digest.
    """
    if not re.fullmatch(r"[0-9a-f]{8,64}", digest):
        raise ValueError(
            f"A SHA-256 is known by 8 to 64 of its hexadecimal digits, not by '{digest}'."
        )
    parts = urllib.parse.urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in LOOPBACK_HOSTS:
        raise ValueError(f"{url} is not an https address.")
    target = pathlib.Path(folder) / pathlib.PurePosixPath(parts.path).name
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        begun = target.with_name(f"{target.name}.part")
        _resume_download(url, begun, target)
        _check_digest(begun, digest, url)
        os.replace(begun, target)
    else:
        _check_digest(target, digest, url)
    return target


def _check_digest(path, digest, address):
    """Raises ValueError, and removes what was downloaded, where the digest is another."""
    found = files.compute_sha256(path)
    if not found.startswith(digest):
        if path.suffix == ".part":
            path.unlink()
        raise ValueError(
            f"{path} is not the file that was published at {address}: its SHA-256 begins with "
            f"{found[: max(8, len(digest))]}, expected is {digest}."
        )


def _resume_download(address, begun, target):
    """Append to `begun` until it is whole."""
    have = begun.stat().st_size if begun.exists() else 0
    request = urllib.request.Request(address, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
            continued = answer.status == http.client.PARTIAL_CONTENT
            _append_response(answer, begun, "ab" if continued else "wb")
    except urllib.error.HTTPError as problem:
        if problem.code != http.client.REQUESTED_RANGE_NOT_SATISFIABLE:  # then it is whole already
            raise ValueError(
                _describe_failure(
                    address, target, f"the server answered {problem.code} {problem.reason}"
                )
            ) from None
    except (OSError, http.client.HTTPException) as problem:
        raise ValueError(
            _describe_failure(address, target, getattr(problem, "reason", None) or problem)
        ) from None


def _append_response(answer, begun, mode):
    expected = int(answer.headers.get("Content-Length") or 0)
    written = 0
    with open(begun, mode) as file:
        while piece := answer.read(CHUNK_BYTES):
            if file.tell() + len(piece) > weight_files.MAX_WEIGHT_FILE_BYTES:
                raise ValueError(
                    f"{begun} grew beyond {weight_files.MAX_WEIGHT_FILE_BYTES:,} bytes; no published weights are that large."
                )
            file.write(piece)
            written += len(piece)
    if written < expected:
        raise OSError(
            f"the connection ended after {written:,} of {expected:,} bytes; the same command goes on from there"
        )


def _describe_failure(address, target, reason):
    return f"{address} could not be downloaded ({reason}). Put the file at {target} by hand, and give the command again."
