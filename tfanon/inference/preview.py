"""A window that shows what has been anonymized, and never anything else."""

MAX_WINDOW_PIXELS = 960  # pixels


class PreviewWindow:
    """Opens at the first frame; closing the window ends the preview and not the work.

    Raises ValueError where there is no display.
    """

    def __init__(self, title="tfanon"):
        try:
            import tkinter

            self.root = tkinter.Tk()
        except (
            Exception
        ) as error:  # tkinter is not part of every Python, and its own error is one of many
            raise ValueError(
                f"--preview needs a display and tkinter: {str(error).splitlines()[0]}"
            ) from None
        self.root.title(title)
        self.label = tkinter.Label(self.root)
        self.label.pack()
        self.root.protocol("WM_DELETE_WINDOW", self.close)

    def __call__(self, pixels):
        """Show uint8 [H, W, 3]."""
        if self.root is None:
            return
        from PIL import Image, ImageTk

        image = Image.fromarray(pixels)
        image.thumbnail((MAX_WINDOW_PIXELS, MAX_WINDOW_PIXELS))
        self.photo = ImageTk.PhotoImage(image)
        self.label.configure(image=self.photo)
        self.root.update()

    def close(self):
        """End the preview; closing twice does nothing."""
        if self.root is not None:
            self.root.destroy()
            self.root = None
