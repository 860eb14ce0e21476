"""Downloads files, resumes interrupted downloads and keeps only files with the right SHA-256.

Not by pooch or keras.utils.get_file: both begin an interrupted download anew, compare whole digests
only, and replace a file that was put there by hand and has another digest.
"""

import http.client
import os
import pathlib
import re
import urllib.error
import urllib.parse
import urllib.request

from tfanon.core import files
from tfanon.pretrained import weight_files

# Of the connection and of each read, not of the whole download.
TIMEOUT_SECONDS = 30  # without a byte
CHUNK_BYTES = 1 << 20
LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1")  # a local mirror may be plain http
MIN_DIGEST_DIGITS = 8  # what the authors of torchvision publish, in the name of a file


def fetch_file(url: str, folder: str | pathlib.Path, digest: str) -> pathlib.Path:
    """Download a file, unless it exists; an interrupted download is resumed.

    Args:
        url: An https URL; its last part is the name of the file.
        folder: Folder of the file.
        digest: The first digits of its SHA-256, at least 8.

    Returns:
        Path of the file.

    Raises:
        ValueError: The file cannot be downloaded, or has another SHA-256. The message contains
            the URL, and where to put the file by hand.
    """
    if not re.fullmatch(rf"[0-9a-f]{{{MIN_DIGEST_DIGITS},64}}", digest):
        raise ValueError(
            f"A SHA-256 must be given by {MIN_DIGEST_DIGITS} to 64 of its hexadecimal digits, "
            f"not by '{digest}'."
        )
    parts = urllib.parse.urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in LOOPBACK_HOSTS:
        raise ValueError(f"{url} is not an https URL.")
    # The last part of the path only, so that a URL cannot name a file outside the folder.
    target = pathlib.Path(folder) / pathlib.PurePosixPath(parts.path).name
    # A file that is there may have been put there by hand: it is checked like a download.
    if target.exists():
        _check_digest(target, digest, url)
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.part")
    _resume_download(url, partial, target)
    _check_digest(partial, digest, url)
    # Only a checked file gets the final name.
    os.replace(partial, target)
    return target


def _check_digest(path: pathlib.Path, digest: str, url: str) -> None:
    """Raise ValueError if a file has another digest; remove it if it was downloaded just now."""
    actual = files.compute_sha256(path)
    if actual.startswith(digest):
        return
    # A finished file is the user's and stays.
    if path.suffix == ".part":
        path.unlink()
    shown = actual[: max(MIN_DIGEST_DIGITS, len(digest))]
    raise ValueError(
        f"{path} is not the file that was published at {url}: its SHA-256 begins with {shown}, "
        f"expected {digest}."
    )


def _resume_download(url: str, partial: pathlib.Path, target: pathlib.Path) -> None:
    """Append to `partial` until it is complete."""
    start = partial.stat().st_size if partial.exists() else 0
    headers = {"Range": f"bytes={start}-"} if start else {}
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
            # A server that ignores the range sends the whole file again.
            is_rest = response.status == http.client.PARTIAL_CONTENT
            _append_response(response, partial, "ab" if is_rest else "wb")
    except urllib.error.HTTPError as error:
        # "Range not satisfiable": nothing is missing, the last run was stopped before the check.
        if error.code != http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            reason = f"the server answered {error.code} {error.reason}"
            raise ValueError(_describe_download_failure(url, target, reason)) from None
    except (OSError, http.client.HTTPException) as error:
        # urllib wraps the cause in a URLError.
        cause = getattr(error, "reason", None) or error
        raise ValueError(_describe_download_failure(url, target, cause)) from None


def _append_response(response: http.client.HTTPResponse, partial: pathlib.Path, mode: str) -> None:
    """Write the body of a response to a file, up to the largest size that is allowed."""
    expected = int(response.headers.get("Content-Length") or 0)
    limit = weight_files.MAX_WEIGHT_FILE_BYTES
    written = 0
    with open(partial, mode) as file:
        # In chunks, so that a resumed download has what arrived before an interruption.
        while chunk := response.read(CHUNK_BYTES):
            # Counted here: a server need not send the length, or the right one.
            if file.tell() + len(chunk) > limit:
                raise ValueError(
                    f"{partial} grew beyond {limit:,} bytes; no published weights are that large."
                )
            file.write(chunk)
            written += len(chunk)
    if written < expected:
        raise OSError(
            f"the connection ended after {written:,} of {expected:,} bytes; re-running the same "
            "command resumes the download"
        )


def _describe_download_failure(url: str, target: pathlib.Path, reason: object) -> str:
    """Return the message for a file that could not be downloaded."""
    return (
        f"{url} could not be downloaded ({reason}). Put the file at {target} by hand and re-run "
        "the command."
    )
