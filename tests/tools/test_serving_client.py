"""The client against servers on the loopback that run a real export by the published messages."""

import base64
import concurrent.futures
import contextlib
import http.server
import json
import shutil
import ssl
import subprocess

import helpers
import numpy as np
import pytest
import streaming
import tensorflow as tf

from tfanon.exporting import exporter
from tfanon.media import array_writer, image_io
from tfanon.models import per_frame

grpc = pytest.importorskip("grpc")
pytest.importorskip("tensorflow_serving.apis")

from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc  # noqa: E402

from tools import serving_client  # noqa: E402


@pytest.fixture(scope="module")
def signatures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "export"
    f_A, frames = (
        per_frame.PerFrame(helpers.make_frame_network()),
        np.zeros([1, 16, 16, 3], np.uint8),
    )
    exporter.export_anonymizer(f_A, folder, frames, formats=("saved_model",))
    return tf.saved_model.load(str(folder / "saved_model")).signatures


class Prediction(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Predict, as the server answers it; `seen` holds what callers sent beside their requests."""

    def __init__(self, signatures):
        self.signatures, self.seen = signatures, []

    def Predict(self, request, context):
        self.seen.append(dict(context.invocation_metadata()))
        if request.model_spec.name != "tfanon":
            context.abort(
                grpc.StatusCode.NOT_FOUND, f"Servable not found: {request.model_spec.name}"
            )
        given = {
            name: tf.constant(tf.make_ndarray(value)) for name, value in request.inputs.items()
        }
        answer = predict_pb2.PredictResponse()
        for name, value in self.signatures[request.model_spec.signature_name](**given).items():
            answer.outputs[name].CopyFrom(tf.make_tensor_proto(value))
        return answer


@contextlib.contextmanager
def served(servicer, credentials=None):
    """Host and port of a gRPC server of the servicer, encrypted where there are credentials."""
    server, place = grpc.server(concurrent.futures.ThreadPoolExecutor(2)), "127.0.0.1:0"
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(servicer, server)
    port = (
        server.add_secure_port(place, credentials)
        if credentials
        else server.add_insecure_port(place)
    )
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None)


@pytest.fixture(scope="module")
def over_grpc(signatures):
    servicer = Prediction(signatures)
    with served(servicer) as place:
        yield f"grpc://{place}", servicer


@pytest.fixture(scope="module")
def rest_handler(signatures):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            found = self.path == "/v1/models/tfanon:predict"
            given = {
                name: tf.constant([base64.b64decode(one["b64"]) for one in value])
                for name, value in asked["inputs"].items()
            }
            (answer,) = signatures[asked["signature_name"]](**given).values()
            body = {"outputs": [{"b64": base64.b64encode(one).decode()} for one in answer.numpy()]}
            self.send_response(200 if found else 404)
            self.end_headers()
            self.wfile.write(
                json.dumps(body if found else {"error": "Servable not found"}).encode()
            )

        def log_message(self, *_):
            pass

    return Handler


@pytest.fixture(scope="module")
def over_rest(rest_handler):
    with streaming.run_server(
        http.server.ThreadingHTTPServer(("127.0.0.1", 0), rest_handler)
    ) as place:
        yield f"http://{place}"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """(key, certificate) of 127.0.0.1, signed by itself."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed: there is no certificate to test with")
    folder = tmp_path_factory.mktemp("tls")
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
            "/CN=127.0.0.1",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-keyout",
            folder / "key.pem",
            "-out",
            folder / "ca.pem",
        ],
        check=True,
        capture_output=True,
    )
    return folder / "key.pem", folder / "ca.pem"


@pytest.fixture(scope="module")
def over_tls(signatures, rest_handler, certificate):
    """Addresses of the same two servers behind TLS."""
    key, chain = certificate
    credentials = grpc.ssl_server_credentials([(key.read_bytes(), chain.read_bytes())])
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), rest_handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with served(Prediction(signatures), credentials) as secured, streaming.run_server(server) as place:
        yield f"grpcs://{secured}", f"https://{place}"


@pytest.fixture
def picture(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 56, 3), np.uint8)
    image_io.write_image(tmp_path / "in.png", pixels)
    return tmp_path / "in.png"


def anonymize(given, output, server, **more):
    return serving_client.anonymized(
        [str(given)], serving_client.Settings(output=str(output), server=server, **more)
    )


def test_a_picture_by_both_ways(over_grpc, over_rest, picture, tmp_path):
    assert anonymize(picture, tmp_path / "grpc.png", over_grpc[0]) == 0
    assert anonymize(picture, tmp_path / "rest.png", over_rest) == 0
    one, other = (
        image_io.read_full_image(str(tmp_path / name)) for name in ("grpc.png", "rest.png")
    )
    assert one.shape == (40, 56, 3) and np.array_equal(one, other)
    assert np.abs(one.astype(int) - image_io.read_full_image(str(picture))).mean() > 20


def test_another_model_s_result_is_not_taken_for_this_one_s(over_grpc, picture, tmp_path, capsys):
    output = tmp_path / "out.png"
    assert anonymize(picture, output, over_grpc[0]) == anonymize(picture, output, over_grpc[0]) == 0
    assert "done before" in capsys.readouterr().out
    assert anonymize(picture, output, over_grpc[0], model_name="strong") == 1
    assert (
        "was not made from this input with these settings; give --overwrite"
        in capsys.readouterr().out
    )


def test_a_video_keeps_its_frames(over_grpc, tmp_path):
    frames = np.random.default_rng(1).integers(0, 256, (11, 32, 48, 3), np.uint8)
    array_writer.write_video(tmp_path / "in.mp4", frames)
    assert anonymize(tmp_path / "in.mp4", tmp_path / "out.mp4", over_grpc[0]) == 0
    record = json.loads((tmp_path / "out.mp4.manifest.json").read_text())
    assert record["files"]["out.mp4"]["frames"] == 11  # batches of 8 and of 3


def test_encrypted_only_to_a_server_whose_certificate_is_trusted(
    over_tls, certificate, picture, tmp_path, capsys
):
    for server, said in zip(over_tls, ("UNAVAILABLE", "CERTIFICATE_VERIFY_FAILED")):
        output = tmp_path / f"{server[:5]}.png"
        assert anonymize(picture, output, server, timeout=10.0) == 1
        assert said in capsys.readouterr().out and not output.exists()
        assert anonymize(picture, output, server, ca_file=str(certificate[1])) == 0
        assert image_io.read_full_image(str(output)).shape == (40, 56, 3)


def test_ctrl_c_is_one_line(over_grpc, picture, tmp_path, monkeypatch, capsys):
    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(serving_client.JobRunner, "run", stopped)
    assert anonymize(picture, tmp_path / "out.png", over_grpc[0]) == 130
    assert (
        capsys.readouterr().err
        == "tools.serving_client: interrupted. Run the same command again to resume.\n"
    )


def test_a_token_is_sent(over_grpc, picture, tmp_path, monkeypatch):
    monkeypatch.setenv("TFANON_TOKEN", "secret")
    assert anonymize(picture, tmp_path / "out.png", over_grpc[0]) == 0
    assert over_grpc[1].seen[-1]["authorization"] == "Bearer secret"


def test_the_token_is_not_carried_to_another_address(picture, tmp_path, monkeypatch, capsys):
    seen = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            seen.append(self.path)
            self.send_response(302)
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def do_GET(self):
            seen.append(self.path)
            self.send_error(404)

        def log_message(self, *_):
            pass

    monkeypatch.setenv("TFANON_TOKEN", "secret")
    with streaming.run_server(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as place:
        assert anonymize(picture, tmp_path / "out.png", f"http://{place}") == 1
    assert seen == ["/v1/models/tfanon:predict"] and "predict: 302 Found" in capsys.readouterr().out


def test_a_model_that_is_not_there(over_grpc, over_rest, picture, tmp_path, capsys):
    for server, said in (
        (over_grpc[0], "NOT_FOUND: Servable not found: other"),
        (over_rest, '404 Not Found {"error"'),
    ):
        assert anonymize(picture, tmp_path / "out.png", server, model_name="other") == 1
        assert said in capsys.readouterr().out
        assert not (tmp_path / "out.png").exists()


def test_a_server_that_gives_frames_back_unchanged_is_refused(
    over_grpc, picture, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(
        over_grpc[1],
        "signatures",
        {"image_bytes": lambda image_bytes: {"anonymized_bytes": image_bytes}},
    )
    assert anonymize(picture, tmp_path / "out.png", over_grpc[0]) == 1
    assert "came back unchanged" in capsys.readouterr().out
    assert not (tmp_path / "out.png").exists()


def test_an_answer_of_another_size_or_none_is_refused(picture):
    settings = serving_client.Settings()
    jpeg = serving_client.encoded(np.zeros([8, 8, 3], np.uint8))
    for answer, said in (
        ([jpeg], r"answered 1 frames of \(16, 16, 3\) with 1 of \[\(8, 8, 3\)\]"),
        ([b"nothing"], "no JPEG"),
    ):
        run = serving_client.caller(
            settings, lambda address, settings, answer=answer: lambda images: answer
        )
        with pytest.raises(serving_client.UnsafeOutputError, match=said):
            run(np.zeros([1, 16, 16, 3], np.uint8))


def test_an_address_that_is_none(picture, tmp_path, capsys):
    assert anonymize(picture, tmp_path / "out.png", "127.0.0.1:8500") == 1
    assert (
        "--server is grpc, grpcs, http, https://HOST:PORT, not '127.0.0.1:8500'"
        in capsys.readouterr().err
    )
