"""Anonymize files by a TensorFlow Serving that runs an export of tfanon; encoded images travel, never numbers as text:

    python -m tools.serving_client INPUT... -o OUTPUT --server=grpc://127.0.0.1:8500
    python -m tools.serving_client in.mp4 -o out.mp4 --server=https://anonymizer.example --model_name=tfanon

Raw frames go to that server: it must be inside the zone in which they may be seen (docs/serving.md). grpcs:// and
https:// are encrypted; TFANON_TOKEN in the environment is sent as a bearer token. Outputs are written as
tfanon.anonymize writes them: whole, checked, or not at all.
"""

import base64
import dataclasses
import io
import json
import os
import pathlib
import ssl
import sys
import urllib.error
import urllib.parse
import urllib.request

import numpy as np
from absl import app
from PIL import Image

from tfanon import anonymize
from tfanon.core import config, exit_status
from tfanon.exporting import serving_protos
from tfanon.inference import jobs
from tfanon.inference.anonymizer import Anonymizer
from tfanon.inference.job_runner import JobRunner
from tfanon.inference.network import Network, UnsafeOutputError
from tfanon.inference.options import AnonymizeOptions as Anonymizing

SIGNATURE, GIVEN, ANSWER = "image_bytes", "image_bytes", "anonymized_bytes"
SCHEMES = ("grpc", "grpcs", "http", "https")
BATCH = 8  # frames of one request
UNLIMITED = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
]  # 4 MB is a few frames
QUALITY = 95  # of the JPEGs on the way there


@dataclasses.dataclass(frozen=True)
class Settings:
    """Where the server is, and what is written."""

    output: str = config.flag("", "File or folder to write.", short="o")
    server: str = config.flag(
        "grpc://127.0.0.1:8500", f"Address of the server: {', '.join(SCHEMES)}://HOST:PORT."
    )
    model_name: str = config.flag("tfanon", "The model's name there.")
    ca_file: str = config.flag(
        "",
        "PEM file that the server's certificate is checked against; empty: the system's.",
        alias="authority",
    )
    timeout: float = config.flag(60.0, "Seconds to wait for an answer.", low=0.1, high=3600.0)
    overwrite: bool = config.flag(False, "Replace outputs that exist.")


def main(arguments):
    exit_status.exit_on_sigterm()
    return anonymized(arguments[1:], config.from_flags(Settings))


def anonymized(given, settings):
    """The exit status of anonymizing the files `given`."""
    return exit_status.run_with_exit_status("tools.serving_client", lambda: work(given, settings))


def work(given, settings):
    """The same; raises ValueError and OSError."""
    if not given:
        raise ValueError("Name at least one input.")
    plan = jobs.plan_jobs(given, settings.output)
    anonymizer = Anonymizer(network(settings), layout="whole")
    writing = Anonymizing(output=settings.output, overwrite=settings.overwrite)
    for line in plan.describe_left_out():
        print(line)
    batch = JobRunner(
        anonymizer,
        writing,
        anonymize.get_manifest_path(plan.jobs, writing),
        not sys.stderr.isatty(),
        left_out=plan.get_left_out_entries(),
    )
    return 1 if batch.run(plan.jobs) or plan.has_unreadable_folder else 0


def network(settings):
    """The server's model as a Network.

    Its name is all that a record can know it by: nothing is downloaded that had a digest, and which version answers is
    the server's choice.
    """
    name = f"{settings.model_name} ({SIGNATURE}) at {settings.server}"
    return Network(name, "", caller(settings), batch=BATCH)


def caller(settings, connect=None):
    """The server as a function: uint8 [n, H, W, 3] -> the same.

    connect(address, settings): makes a function from JPEGs to JPEGs; by default what the address says.
    Raises ValueError for an address that is none.
    """
    address = urllib.parse.urlsplit(settings.server)
    if address.scheme not in SCHEMES or not address.hostname:
        raise ValueError(f"--server is {', '.join(SCHEMES)}://HOST:PORT, not '{settings.server}'.")
    ask = (connect or (over_grpc if address.scheme.startswith("grpc") else over_rest))(
        address, settings
    )

    def run(frames):
        answer = [decoded(image) for image in ask([encoded(frame) for frame in frames])]
        if [image.shape for image in answer] != [frame.shape for frame in frames]:
            raise UnsafeOutputError(
                f"{settings.server} answered {len(frames)} frames of {frames.shape[1:]} with "
                f"{len(answer)} of {sorted({image.shape for image in answer})}."
            )
        return np.stack(answer)

    return run


def over_grpc(address, settings):
    """A function from JPEGs to JPEGs that asks by gRPC."""
    serving_protos.import_messages()
    import grpc
    from tensorflow_serving.apis import prediction_service_pb2_grpc

    if address.scheme == "grpcs":
        trusted = pathlib.Path(settings.ca_file).read_bytes() if settings.ca_file else None
        channel = grpc.secure_channel(
            address.netloc, grpc.ssl_channel_credentials(trusted), UNLIMITED
        )
    else:
        channel = grpc.insecure_channel(address.netloc, UNLIMITED)
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    headers = [(name.lower(), value) for name, value in token().items()]

    def ask(images):
        request = serving_protos.make_predict_request(settings.model_name, SIGNATURE, GIVEN, images)
        try:
            return list(
                stub.Predict(request, settings.timeout, metadata=headers).outputs[ANSWER].string_val
            )
        except grpc.RpcError as problem:
            raise ValueError(
                f"{settings.server}: {problem.code().name}: {problem.details()}"
            ) from None

    return ask


def over_rest(_, settings):
    """A function from JPEGs to JPEGs that asks by REST, with base64 inside JSON, as TensorFlow Serving defines it."""
    trusted = ssl.create_default_context(cafile=settings.ca_file or None)
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=trusted), StayHere)
    url = f"{settings.server.rstrip('/')}/v1/models/{settings.model_name}:predict"

    def ask(images):
        body = {
            "signature_name": SIGNATURE,
            "inputs": {GIVEN: [{"b64": base64.b64encode(image).decode()} for image in images]},
        }
        headers = {"Content-Type": "application/json", **token()}
        request = urllib.request.Request(url, json.dumps(body).encode(), headers)
        try:
            with opener.open(request, timeout=settings.timeout) as reply:
                answer = json.load(reply)["outputs"]
        except urllib.error.HTTPError as problem:
            said = problem.read(500).decode(errors="replace")
            raise ValueError(f"{url}: {problem.code} {problem.reason} {said}") from None
        except (urllib.error.URLError, KeyError) as problem:
            raise ValueError(f"{url}: {problem}") from None
        return [base64.b64decode(image["b64"]) for image in answer]

    return ask


class StayHere(urllib.request.HTTPRedirectHandler):
    """Whoever is sent on to another address would hand it the token; that answer is an error instead."""

    def redirect_request(self, *_):
        return None


def token():
    """The header that says who asks, where the environment holds a token."""
    return (
        {"Authorization": f"Bearer {os.environ['TFANON_TOKEN']}"}
        if "TFANON_TOKEN" in os.environ
        else {}
    )


def encoded(frame):
    """uint8 [H, W, 3] as JPEG, colours at full resolution."""
    file = io.BytesIO()
    Image.fromarray(frame).save(file, "JPEG", quality=QUALITY, subsampling=0)
    return file.getvalue()


def decoded(image):
    """A JPEG as uint8 [H, W, 3].  Raises Unsafe where it is none."""
    try:
        return np.asarray(Image.open(io.BytesIO(image), formats=["JPEG"]).convert("RGB"))
    except (OSError, ValueError) as problem:
        raise UnsafeOutputError(f"The server's answer is no JPEG: {problem}") from None


if __name__ == "__main__":
    config.define_flags(Settings)
    app.run(main)
