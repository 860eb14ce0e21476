"""The choice of a loader, and what no loader accepts."""

import pytest

from tfanon.inference import loaders


def test_paths_without_a_model_are_refused(saved_models, run, tmp_path):
    for model, mode, message in [
        ("", "", "not neither"),
        ("a", "blur", "not both"),
        ("", "blurr", "No mode called 'blurr'"),
        (str(tmp_path / "gone"), "", "there is nothing at that path"),
        (str(tmp_path), "", "is not a model"),
        (str(saved_models / "none"), "", "has no signature for frames; it has: text"),
    ]:
        with pytest.raises(ValueError, match=message):
            loaders.load_network(model, mode)
    (tmp_path / "run.flags").write_text((run[0] / "run.flags").read_text())
    with pytest.raises(ValueError, match="contains no trained anonymizer yet"):
        loaders.load_network(str(tmp_path))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/saved_model.pb").write_bytes(b"\xff\xff")
    with pytest.raises(ValueError, match="could not be loaded"):
        loaders.load_network(str(tmp_path / "broken"))


def test_onnx_files_are_accepted_on_request_only(tmp_path, monkeypatch):
    path = tmp_path / "a.onnx"
    path.write_bytes(b"")
    loaded = []
    monkeypatch.setattr(loaders.onnx, "load_onnx", lambda *arguments: loaded.append(arguments))
    with pytest.raises(ValueError, match="a.onnx is not a model"):
        loaders.load_network(str(path))
    assert not loaded
    loaders.load_network(str(path), threads=2, accept_onnx=True)
    assert loaded == [(path, 2)]
