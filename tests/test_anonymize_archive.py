import sys

import clips
import pytest

from tfanon import anonymize_archive, anonymizing
from tfanon.anonymize_archive import Archive


def test_without_beam_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.delitem(sys.modules, "tfanon.anonymizing.archive", raising=False)
    monkeypatch.delattr(anonymizing, "archive", raising=False)
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    with pytest.raises(ValueError, match=r'An archive needs Apache Beam: pip install "tfanon\[beam\]"'):
        anonymize_archive.work([clips.write(tmp_path / "a.mp4")], Archive(output=str(tmp_path / "out"), mode="blur"))
    assert not (tmp_path / "out").exists()
