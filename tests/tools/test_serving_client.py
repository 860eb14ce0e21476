"""The client against servers on this machine that run a real export, by the published messages."""

import base64
import concurrent.futures
import contextlib
import http.server
import json
import pathlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import helpers
import numpy as np
import pytest
import streaming
import tensorflow as tf

from tfanon.exporting import exporter
from tfanon.inference.network import UnsafeOutputError
from tfanon.media import array_writer, image_io
from tfanon.models import per_frame

grpc = pytest.importorskip("grpc")
pytest.importorskip("tensorflow_serving.apis")

from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc  # noqa: E402

from tools import serving_client  # noqa: E402
from tools.serving_client import ServingClientOptions  # noqa: E402


@pytest.fixture(scope="module")
def signatures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "export"
    f_A = per_frame.PerFrame(helpers.make_frame_network())
    frames = np.zeros([1, 16, 16, 3], np.uint8)
    exporter.export_anonymizer(f_A, folder, frames, formats=("saved_model",))
    return tf.saved_model.load(str(folder / "saved_model")).signatures


class PredictionServicer(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Answers Predict as the server does; `metadata` holds what each request brought beside it."""

    def __init__(self, signatures: Mapping[str, Callable]) -> None:
        self.signatures = signatures
        self.metadata: list[dict[str, str]] = []

    def Predict(
        self, request: predict_pb2.PredictRequest, context: grpc.ServicerContext
    ) -> predict_pb2.PredictResponse:
        self.metadata.append(dict(context.invocation_metadata()))
        if request.model_spec.name != "tfanon":
            context.abort(
                grpc.StatusCode.NOT_FOUND, f"Servable not found: {request.model_spec.name}"
            )
        inputs = {
            name: tf.constant(tf.make_ndarray(value)) for name, value in request.inputs.items()
        }
        response = predict_pb2.PredictResponse()
        outputs = self.signatures[request.model_spec.signature_name](**inputs)
        for name, value in outputs.items():
            response.outputs[name].CopyFrom(tf.make_tensor_proto(value))
        return response


@contextlib.contextmanager
def run_grpc_server(
    servicer: PredictionServicer, credentials: grpc.ServerCredentials | None = None
) -> Iterator[str]:
    """Run a gRPC server, encrypted if there are credentials; yield HOST:PORT."""
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(servicer, server)
    address = "127.0.0.1:0"
    if credentials:
        port = server.add_secure_port(address, credentials)
    else:
        port = server.add_insecure_port(address)
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None)


@pytest.fixture(scope="module")
def grpc_server(signatures):
    servicer = PredictionServicer(signatures)
    with run_grpc_server(servicer) as address:
        yield f"grpc://{address}", servicer


@pytest.fixture(scope="module")
def rest_handler(signatures):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            exists = self.path == "/v1/models/tfanon:predict"
            inputs = {}
            for name, values in request["inputs"].items():
                images = [base64.b64decode(value["b64"]) for value in values]
                inputs[name] = tf.constant(images)
            (output,) = signatures[request["signature_name"]](**inputs).values()
            encoded = [{"b64": base64.b64encode(image).decode()} for image in output.numpy()]
            body = {"outputs": encoded} if exists else {"error": "Servable not found"}
            self.send_response(200 if exists else 404)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@pytest.fixture(scope="module")
def rest_server(rest_handler):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), rest_handler)
    with streaming.run_server(server) as address:
        yield f"http://{address}"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return streaming.make_certificate(tmp_path_factory.mktemp("tls") / "ca.pem")


@pytest.fixture(scope="module")
def encrypted_servers(signatures, rest_handler, certificate):
    """Addresses of the same two servers with TLS."""
    key = certificate.with_suffix(".key")
    credentials = grpc.ssl_server_credentials([(key.read_bytes(), certificate.read_bytes())])
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), rest_handler)
    with (
        run_grpc_server(PredictionServicer(signatures), credentials) as grpc_address,
        streaming.run_server(server, certificate) as rest_address,
    ):
        yield f"grpcs://{grpc_address}", f"https://{rest_address}"


@pytest.fixture
def picture(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 56, 3), np.uint8)
    image_io.write_image(tmp_path / "in.png", pixels)
    return tmp_path / "in.png"


def anonymize(path: pathlib.Path, output: pathlib.Path, server: str, **more: Any) -> int:
    options = ServingClientOptions(output=str(output), server=server, **more)
    return serving_client.run_command([str(path)], options)


def test_grpc_and_rest_give_the_same_picture(grpc_server, rest_server, picture, tmp_path):
    assert anonymize(picture, tmp_path / "grpc.png", grpc_server[0]) == 0
    assert anonymize(picture, tmp_path / "rest.png", rest_server) == 0
    by_grpc = image_io.read_full_image(str(tmp_path / "grpc.png"))
    by_rest = image_io.read_full_image(str(tmp_path / "rest.png"))
    assert by_grpc.shape == (40, 56, 3) and np.array_equal(by_grpc, by_rest)
    assert np.abs(by_grpc.astype(int) - image_io.read_full_image(str(picture))).mean() > 20


def test_result_of_another_model_is_not_reused(grpc_server, picture, tmp_path, capsys):
    output = tmp_path / "out.png"
    assert anonymize(picture, output, grpc_server[0]) == 0
    assert anonymize(picture, output, grpc_server[0]) == 0
    assert "done before" in capsys.readouterr().out
    assert anonymize(picture, output, grpc_server[0], model_name="strong") == 1
    assert (
        "was not made from this input with these settings; give --overwrite"
        in capsys.readouterr().out
    )


def test_video_keeps_its_frames(grpc_server, tmp_path):
    frames = np.random.default_rng(1).integers(0, 256, (11, 32, 48, 3), np.uint8)
    array_writer.write_video(tmp_path / "in.mp4", frames)
    assert anonymize(tmp_path / "in.mp4", tmp_path / "out.mp4", grpc_server[0]) == 0
    record = json.loads((tmp_path / "out.mp4.manifest.json").read_text())
    assert record["files"]["out.mp4"]["frames"] == 11  # batches of 8 and of 3


def test_only_servers_with_a_trusted_certificate_get_frames(
    encrypted_servers, certificate, picture, tmp_path, capsys
):
    messages = ("UNAVAILABLE", "CERTIFICATE_VERIFY_FAILED")
    for server, message in zip(encrypted_servers, messages):
        output = tmp_path / f"{server[:5]}.png"
        assert anonymize(picture, output, server, timeout=10.0) == 1
        assert message in capsys.readouterr().out and not output.exists()
        assert anonymize(picture, output, server, ca_file=str(certificate)) == 0
        assert image_io.read_full_image(str(output)).shape == (40, 56, 3)


def test_ctrl_c_prints_one_line(grpc_server, picture, tmp_path, monkeypatch, capsys):
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(serving_client.JobRunner, "run", interrupt)
    assert anonymize(picture, tmp_path / "out.png", grpc_server[0]) == 130
    assert (
        capsys.readouterr().err
        == "tools.serving_client: interrupted. Run the same command again to resume.\n"
    )


def test_token_is_sent(grpc_server, picture, tmp_path, monkeypatch):
    monkeypatch.setenv("TFANON_TOKEN", "secret")
    assert anonymize(picture, tmp_path / "out.png", grpc_server[0]) == 0
    assert grpc_server[1].metadata[-1]["authorization"] == "Bearer secret"


def test_token_is_not_sent_to_another_address(picture, tmp_path, monkeypatch, capsys):
    requested = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            requested.append(self.path)
            self.send_response(302)
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def do_GET(self) -> None:
            requested.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    monkeypatch.setenv("TFANON_TOKEN", "secret")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with streaming.run_server(server) as address:
        assert anonymize(picture, tmp_path / "out.png", f"http://{address}") == 1
    assert requested == ["/v1/models/tfanon:predict"]
    assert "predict: 302 Found" in capsys.readouterr().out


def test_missing_model_is_an_error(grpc_server, rest_server, picture, tmp_path, capsys):
    for server, message in (
        (grpc_server[0], "NOT_FOUND: Servable not found: other"),
        (rest_server, '404 Not Found {"error"'),
    ):
        assert anonymize(picture, tmp_path / "out.png", server, model_name="other") == 1
        assert message in capsys.readouterr().out
        assert not (tmp_path / "out.png").exists()


def test_unchanged_frames_are_refused(grpc_server, picture, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        grpc_server[1],
        "signatures",
        {"image_bytes": lambda image_bytes: {"anonymized_bytes": image_bytes}},
    )
    assert anonymize(picture, tmp_path / "out.png", grpc_server[0]) == 1
    assert "came back unchanged" in capsys.readouterr().out
    assert not (tmp_path / "out.png").exists()


def test_answer_of_another_size_or_kind_is_refused():
    jpeg = serving_client.encode_jpeg(np.zeros([8, 8, 3], np.uint8))
    for image, message in (
        (jpeg, r"1 frames of shape \(16, 16, 3\) and returned 1 of \[\(8, 8, 3\)\]"),
        (b"nothing", "is not a JPEG file"),
    ):

        def connect(address: object, options: object, image: bytes = image) -> Callable:
            return lambda images: [image]

        call = serving_client.make_caller(ServingClientOptions(), connect)
        with pytest.raises(UnsafeOutputError, match=message):
            call(np.zeros([1, 16, 16, 3], np.uint8))


def test_invalid_address_is_refused(picture, tmp_path, capsys):
    assert anonymize(picture, tmp_path / "out.png", "127.0.0.1:8500") == 1
    assert (
        "--server must be grpc, grpcs, http, https://HOST:PORT, not '127.0.0.1:8500'"
        in capsys.readouterr().err
    )
