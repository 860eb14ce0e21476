"""The preview needs a display, and may be closed at any time."""

import sys
import types

import numpy as np
import pytest
from PIL import ImageTk

from tfanon.inference import preview


def test_missing_display_is_reported(monkeypatch):
    monkeypatch.setitem(sys.modules, "tkinter", None)
    with pytest.raises(ValueError, match="--preview needs a display and tkinter"):
        preview.PreviewWindow()


def test_frames_are_shown_until_the_window_is_closed(monkeypatch):
    shown_sizes, protocols, calls = [], {}, []
    root = types.SimpleNamespace(
        title=lambda text: None,
        protocol=lambda name, call: protocols.update({name: call}),
        update=lambda: calls.append("update"),
        destroy=lambda: calls.append("destroy"),
    )
    label = types.SimpleNamespace(
        pack=lambda: None, configure=lambda image: shown_sizes.append(image)
    )
    tkinter = types.SimpleNamespace(Tk=lambda: root, Label=lambda parent: label)
    monkeypatch.setitem(sys.modules, "tkinter", tkinter)
    monkeypatch.setattr(ImageTk, "PhotoImage", lambda image: image.size)
    show = preview.PreviewWindow()
    show(np.zeros((1000, 2000, 3), np.uint8))
    protocols["WM_DELETE_WINDOW"]()
    show(np.zeros((10, 20, 3), np.uint8))
    show.close()
    assert shown_sizes == [(960, 480)] and calls == ["update", "destroy"]
