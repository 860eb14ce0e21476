"""A window that shows anonymized frames, and never anything else."""

from typing import Any

import numpy as np

MAX_WINDOW_PIXELS = 960  # of its longer side


class PreviewWindow:
    """A window that opens at once and shows frame after frame.

    Closing the window ends the preview and not the work.

    Args:
        title: Title of the window.

    Raises:
        ValueError: There is no display, or tkinter is not installed.
    """

    def __init__(self, title: str = "tfanon") -> None:
        try:
            import tkinter

            self.root: Any = tkinter.Tk()
        except Exception as error:  # tkinter may be missing, and its own error is one of many
            reason = str(error).splitlines()[0]
            raise ValueError(f"--preview needs a display and tkinter: {reason}") from None
        self.root.title(title)
        self.label: Any = tkinter.Label(self.root)
        self.label.pack()
        self.root.protocol("WM_DELETE_WINDOW", self.close)

    def __call__(self, pixels: np.ndarray) -> None:
        """Show a frame, uint8 `[H, W, 3]`; does nothing once the window is closed."""
        if self.root is None:
            return
        from PIL import Image, ImageTk

        image = Image.fromarray(pixels)
        image.thumbnail((MAX_WINDOW_PIXELS, MAX_WINDOW_PIXELS))
        # tkinter keeps no reference: without this one the picture would vanish.
        self.photo = ImageTk.PhotoImage(image)
        self.label.configure(image=self.photo)
        self.root.update()

    def close(self) -> None:
        """End the preview; closing twice does nothing."""
        if self.root is not None:
            self.root.destroy()
            self.root = None
