import sys
import types

import numpy as np
import pytest

from tfanon.inference import preview


def test_without_a_display_it_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "tkinter", None)
    with pytest.raises(ValueError, match="--preview needs a display and tkinter"):
        preview.PreviewWindow()


def test_frames_are_shown_until_the_window_is_closed(monkeypatch):
    shown, protocols, state = [], {}, []
    root = types.SimpleNamespace(
        title=lambda text: None,
        protocol=lambda name, call: protocols.update({name: call}),
        update=lambda: state.append("updated"),
        destroy=lambda: state.append("destroyed"),
    )
    label = types.SimpleNamespace(pack=lambda: None, configure=lambda image: shown.append(image))
    monkeypatch.setitem(
        sys.modules, "tkinter", types.SimpleNamespace(Tk=lambda: root, Label=lambda parent: label)
    )
    from PIL import ImageTk

    monkeypatch.setattr(ImageTk, "PhotoImage", lambda image: image.size)
    show = preview.PreviewWindow()
    show(np.zeros((1000, 2000, 3), np.uint8))
    protocols["WM_DELETE_WINDOW"]()
    show(np.zeros((10, 20, 3), np.uint8))
    show.close()
    assert shown == [(960, 480)] and state == ["updated", "destroyed"]
