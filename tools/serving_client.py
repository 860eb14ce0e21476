"""Anonymize files with a TensorFlow Serving server that runs an export of tfanon.

    python -m tools.serving_client INPUT... -o OUTPUT --server=grpc://127.0.0.1:8500
    python -m tools.serving_client in.mp4 -o out.mp4 --server=https://anonymizer.example

Frames travel as JPEG. Raw frames go to that server, so it must be inside the zone in which they may
be seen (docs/serving.md). grpcs:// and https:// are encrypted; the environment variable
TFANON_TOKEN, if set, is sent as a bearer token. Outputs are written as tfanon.anonymize writes
them: complete and verified, or not at all.
"""

import base64
import dataclasses
import http.client
import io
import json
import os
import pathlib
import ssl
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from typing import IO

import numpy as np
from PIL import Image

from tfanon import anonymize
from tfanon.core import command_line, config, exit_status
from tfanon.exporting import serving_protos
from tfanon.inference import jobs
from tfanon.inference.anonymizer import Anonymizer
from tfanon.inference.job_runner import JobRunner
from tfanon.inference.network import Network, UnsafeOutputError
from tfanon.inference.options import AnonymizeOptions

SIGNATURE, INPUT_KEY, OUTPUT_KEY = "image_bytes", "image_bytes", "anonymized_bytes"
SCHEMES = ("grpc", "grpcs", "http", "https")
TOKEN_VARIABLE = "TFANON_TOKEN"
FRAMES_PER_REQUEST = 8
UNLIMITED_MESSAGES = [  # gRPC's default limit of 4 MB is a few frames
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
]
JPEG_QUALITY = 95  # of the frames that are sent
MAX_ERROR_BYTES = 500  # of a server's answer that are shown

# From JPEG files to anonymized JPEG files.
SendImages = Callable[[Sequence[bytes]], list[bytes]]


@dataclasses.dataclass(frozen=True)
class ServingClientOptions:
    """Where the server is, and where results are written."""

    output: str = config.flag("", "File or folder to write.", short="o", group="Output")
    overwrite: bool = config.flag(False, "Replace existing outputs.")
    server: str = config.flag(
        "grpc://127.0.0.1:8500",
        f"Address of the server, {', '.join(SCHEMES)}://HOST:PORT.",
        group="Server",
    )
    model_name: str = config.flag("tfanon", "Name of the model on the server.")
    ca_file: str = config.flag(
        "",
        "PEM file that the server's certificate is checked against; empty: the system's.",
        alias="authority",
    )
    timeout: float = config.flag(60.0, "Seconds to wait for an answer.", low=0.1, high=3600.0)


ConnectFunction = Callable[[urllib.parse.SplitResult, ServingClientOptions], SendImages]


def main(arguments: Sequence[str]) -> int:
    """Run the command; return the exit status."""
    exit_status.exit_on_sigterm()
    return run_command(arguments[1:], config.from_flags(ServingClientOptions))


def run_command(inputs: Sequence[str], options: ServingClientOptions) -> int:
    """Anonymize files; return the exit status, with one line for an error."""
    return exit_status.run_with_exit_status(
        "tools.serving_client", lambda: anonymize_files(inputs, options)
    )


def anonymize_files(inputs: Sequence[str], options: ServingClientOptions) -> int:
    """Anonymize files.

    Returns:
        The exit status: 1 if a file failed or a folder could not be read.

    Raises:
        ValueError: The inputs or the options are invalid.
        OSError: A file cannot be read or written.
    """
    if not inputs:
        raise ValueError("Name at least one input.")
    plan = jobs.plan_jobs(inputs, options.output)
    # The server resizes frames itself, so they are sent whole.
    anonymizer = Anonymizer(make_network(options), layout="whole")
    writing = AnonymizeOptions(output=options.output, overwrite=options.overwrite)
    for line in plan.describe_left_out():
        print(line)
    runner = JobRunner(
        anonymizer,
        writing,
        anonymize.get_manifest_path(plan.jobs, writing),
        quiet=not sys.stderr.isatty(),
        left_out=plan.get_left_out_entries(),
    )
    failures = runner.run(plan.jobs)
    return 1 if failures or plan.has_unreadable_folder else 0


def make_network(options: ServingClientOptions) -> Network:
    """Return the server's model as a Network.

    A manifest identifies the model by name and address only: the server gives no digest, and
    decides itself which version answers.
    """
    name = f"{options.model_name} ({SIGNATURE}) at {options.server}"
    return Network(name, "", make_caller(options), batch=FRAMES_PER_REQUEST)


def make_caller(
    options: ServingClientOptions, connect: ConnectFunction | None = None
) -> Callable[[np.ndarray], np.ndarray]:
    """Return the server as a function of frames, uint8 `[N, H, W, 3]`, to the same shape.

    Args:
        options: Address and model.
        connect: Makes the function that sends JPEG files; by default the scheme of the address
            decides.

    Raises:
        ValueError: The address is invalid.
    """
    address = urllib.parse.urlsplit(options.server)
    if address.scheme not in SCHEMES or not address.hostname:
        raise ValueError(
            f"--server must be {', '.join(SCHEMES)}://HOST:PORT, not '{options.server}'."
        )
    if connect is None:
        connect = connect_grpc if address.scheme.startswith("grpc") else connect_rest
    send_images = connect(address, options)

    def call(frames: np.ndarray) -> np.ndarray:
        images = [encode_jpeg(frame) for frame in frames]
        anonymized = [decode_jpeg(image) for image in send_images(images)]
        shapes = [frame.shape for frame in anonymized]
        if shapes != [frame.shape for frame in frames]:
            raise UnsafeOutputError(
                f"{options.server} was sent {len(frames)} frames of shape {frames.shape[1:]} and "
                f"returned {len(shapes)} of {sorted(set(shapes))}."
            )
        return np.stack(anonymized)

    return call


def connect_grpc(address: urllib.parse.SplitResult, options: ServingClientOptions) -> SendImages:
    """Return a function that sends JPEG files by gRPC."""
    serving_protos.import_messages()
    import grpc
    from tensorflow_serving.apis import prediction_service_pb2_grpc

    if address.scheme == "grpcs":
        roots = pathlib.Path(options.ca_file).read_bytes() if options.ca_file else None
        credentials = grpc.ssl_channel_credentials(roots)
        channel = grpc.secure_channel(address.netloc, credentials, UNLIMITED_MESSAGES)
    else:
        channel = grpc.insecure_channel(address.netloc, UNLIMITED_MESSAGES)
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    # gRPC accepts lower-case names only.
    metadata = [(name.lower(), value) for name, value in make_token_header().items()]

    def send_images(images: Sequence[bytes]) -> list[bytes]:
        request = serving_protos.make_predict_request(
            options.model_name, SIGNATURE, INPUT_KEY, list(images)
        )
        try:
            response = stub.Predict(request, options.timeout, metadata=metadata)
        except grpc.RpcError as error:
            raise ValueError(f"{options.server}: {error.code().name}: {error.details()}") from None
        return list(response.outputs[OUTPUT_KEY].string_val)

    return send_images


def connect_rest(_: urllib.parse.SplitResult, options: ServingClientOptions) -> SendImages:
    """Return a function that sends JPEG files by REST, as base64 in TensorFlow Serving's JSON."""
    context = ssl.create_default_context(cafile=options.ca_file or None)
    handler = urllib.request.HTTPSHandler(context=context)
    opener = urllib.request.build_opener(handler, RedirectRefuser)
    url = f"{options.server.rstrip('/')}/v1/models/{options.model_name}:predict"

    def send_images(images: Sequence[bytes]) -> list[bytes]:
        encoded = [{"b64": base64.b64encode(image).decode()} for image in images]
        body = {"signature_name": SIGNATURE, "inputs": {INPUT_KEY: encoded}}
        headers = {"Content-Type": "application/json", **make_token_header()}
        request = urllib.request.Request(url, json.dumps(body).encode(), headers)
        try:
            with opener.open(request, timeout=options.timeout) as response:
                outputs = json.load(response)["outputs"]
        except urllib.error.HTTPError as error:
            text = error.read(MAX_ERROR_BYTES).decode(errors="replace")
            raise ValueError(f"{url}: {error.code} {error.reason} {text}") from None
        except (urllib.error.URLError, KeyError) as error:
            raise ValueError(f"{url}: {error}") from None
        return [base64.b64decode(image["b64"]) for image in outputs]

    return send_images


class RedirectRefuser(urllib.request.HTTPRedirectHandler):
    """Treats a redirection as an error: following it would hand the token to another address."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> None:
        """Follow no redirection."""
        return None


def make_token_header() -> dict[str, str]:
    """Return the header with the bearer token; empty if TFANON_TOKEN is not set."""
    token = os.environ.get(TOKEN_VARIABLE)
    return {} if token is None else {"Authorization": f"Bearer {token}"}


def encode_jpeg(frame: np.ndarray) -> bytes:
    """Encode uint8 `[H, W, 3]` as JPEG, with colours at full resolution."""
    file = io.BytesIO()
    Image.fromarray(frame).save(file, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return file.getvalue()


def decode_jpeg(image: bytes) -> np.ndarray:
    """Decode a JPEG file to uint8 `[H, W, 3]`.

    Raises:
        UnsafeOutputError: The bytes are not a JPEG file.
    """
    try:
        return np.asarray(Image.open(io.BytesIO(image), formats=["JPEG"]).convert("RGB"))
    except (OSError, ValueError) as error:
        raise UnsafeOutputError(f"The server's answer is not a JPEG file: {error}") from None


if __name__ == "__main__":
    command_line.run_entry_point(main, [ServingClientOptions], __doc__)
