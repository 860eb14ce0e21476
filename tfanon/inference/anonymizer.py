"""Anonymizer: frames in, anonymized frames out, and nothing at all where something is wrong."""

import dataclasses

import numpy as np
from absl import logging

from tfanon.inference import network, output_check, tested_size, tiling


class Anonymizer:
    """A network, the size at which it sees frames, and the guard behind it.

        anonymize = tfanon.Anonymizer.load("runs/quickstart")
        anonymized = anonymize(frames)
        for frame in anonymize.stream("in.mp4"): ...

    network: a network.Network.  size: (H, W) that frames are squeezed to; None for the network's own.
    layout: "squeeze", "tile" (tiles of `size` at full resolution, `overlap` pixels shared) or "whole" (at full size).
    allow_untested_size: work at a size far from the one at which the network's privacy was measured;
        in the layouts tile and whole that is the size of the frames.
    warnings: lines on what the network's figures do not say at this size; they are logged too.
    Raises ValueError where these do not fit the network.
    """

    def __init__(self, network, size=None, layout="squeeze", overlap=16, allow_untested_size=False):
        self.network, self.layout, self.overlap = (
            _resolve_network_size(network, size, layout),
            layout,
            overlap,
        )
        self.allow_untested_size = allow_untested_size
        if layout == "tile" and not 0 <= overlap < min(self.network.size) // 2:
            raise ValueError(
                f"The overlap of tiles of {self.network.size} is 0 to {min(self.network.size) // 2 - 1} "
                f"pixels, not {overlap}."
            )
        self._refuse_far_network_size()
        self.warnings = self._list_warnings()
        for line in self.warnings:
            logging.warning(line)

    @classmethod
    def load(
        cls,
        model="",
        mode="",
        size=None,
        layout="squeeze",
        overlap=16,
        threads=0,
        allow_untested_size=False,
    ):
        """From a run's folder, a SavedModel's or a .tflite file, or with mode="blur", pixelate, blacken or downsample.

        The rest as for the class; threads: of TFLite.  Raises ValueError where nothing can be loaded.
        """
        return cls(
            network.load_network(model, mode, threads), size, layout, overlap, allow_untested_size
        )

    def view(self, height, width):
        """(H, W) of the arrays that `run` wants for upright frames of this size.

        Raises ValueError where they are far larger than what the network's privacy was measured on.
        """
        if self.layout == "squeeze":
            return self.network.size
        self._refuse_far_frames((height, width))
        return height, width

    def run(self, frames, first=0):
        """uint8 [n, h, w, 3] of the view's size -> the same, anonymized.

        first: number of the first frame, for messages.  Raises network.Unsafe: see guard.check and Network.
        """
        if self.layout == "squeeze":
            answer = self.network(frames)
        elif self.layout == "tile":
            answer = tiling.run_on_tiles(self.network, frames, self.overlap)
        else:
            answer = tiling.run_on_whole_frames(self.network, frames)
        output_check.check_frames_changed(frames, answer, first)
        return answer

    def __call__(self, frames):
        """RGB frames of any size, anonymized: uint8 [n, H, W, 3], or one [H, W, 3] -> the same shape.

        Raises ValueError for another shape or type, network.Unsafe where a result must not be shown.
        """
        frames = np.asarray(frames)
        if frames.dtype != np.uint8 or frames.ndim not in (3, 4) or frames.shape[-1] != 3:
            raise ValueError(
                f"Frames are uint8 [n, H, W, 3] or [H, W, 3], not {frames.dtype} {list(frames.shape)}."
            )
        if frames.ndim == 3:
            return self(frames[None])[0]
        return np.concatenate(
            [
                self._anonymize_any_size(frames[first : first + self.network.batch], first)
                for first in range(0, len(frames), self.network.batch)
            ]
            or [frames]
        )

    def stream(self, source, ca_file=""):
        """Anonymized frames of a source, one by one: uint8 [H, W, 3], upright.

        source: path of a video, a camera's number, an rtsp:// or http:// address, or an iterable of frames.
        authority: PEM file that the certificate of an rtsps:// or https:// server is checked against; empty: the
            system's.
        Of a live source every whole frame is handed out: none is dropped for being late, so a slow caller falls behind,
        and a lost stream is not asked for again.
        Raises as __call__ does, and media.limits.MediaError where the source breaks.
        """
        from tfanon.inference import frame_streams

        yield from frame_streams.stream_anonymized_frames(self, source, ca_file)

    def _refuse_far_network_size(self) -> None:
        """Raise ValueError for a network size far from the tested one, unless that is allowed."""
        size, tested = self.network.size, self.network.tested_size
        if tested is None or self.layout == "whole":
            return
        if self.network.scale_invariant or self.allow_untested_size:
            return
        if tested_size.is_far(size, tested):
            known = tested_size.format_size(tested)
            tested_size.refuse_untested_size(
                self.network.name,
                f"at {tested_size.format_size(size)}",
                tested,
                f"Give --network_size={known}, or a model of another size",
            )

    def _refuse_far_frames(self, size: tuple[int, int]) -> None:
        """Raise ValueError for frames seen at a size far larger than the tested one, unless allowed."""
        tested = self.network.tested_size
        if tested is None or self.allow_untested_size or self._is_scale_invariant():
            return
        if tested_size.is_far_larger(size, tested):
            where = f"on frames of {tested_size.format_size(size)} with --layout={self.layout}"
            tested_size.refuse_untested_size(
                self.network.name, where, tested, "Give --layout=squeeze"
            )

    def _is_scale_invariant(self) -> bool:
        """Whether the network hides as much in frames of any size; a tile is a part of one."""
        return self.network.scale_invariant and self.layout != "tile"

    def _list_warnings(self) -> tuple[str, ...]:
        """What is to be said of the sizes before work begins."""
        size, tested = self.network.size, self.network.tested_size
        if tested is None or self._is_scale_invariant():
            return ()
        if self.layout != "squeeze":
            where = f"at the full size of each frame (--layout={self.layout})"
        elif size != tested:
            where = f"at {tested_size.format_size(size)}"
        else:
            return ()
        return (tested_size.describe_untested_size(self.network.name, where, tested),)

    def _anonymize_any_size(self, frames, first):
        from tfanon.media import scaling

        height, width = frames.shape[1:3]
        view = self.view(height, width)
        return scaling.resize_frames(
            self.run(scaling.resize_frames(frames, *view), first), height, width
        )


def _resolve_network_size(network, size, layout):
    """The network with the size decided at which it sees frames."""
    if layout not in ("squeeze", "tile", "whole"):
        raise ValueError(f"The layout is squeeze, tile or whole, not '{layout}'.")
    if network.fixed_size and (layout == "whole" or size and tuple(size) != network.size):
        raise ValueError(
            f"{network.name} takes frames of {network.size[0]}x{network.size[1]} only: "
            "layouts squeeze and tile, and no other network size, suit it."
        )
    size = tuple(size) if size else network.size
    if layout != "whole" and size is None:
        raise ValueError(
            f"{network.name} does not say at which size it works: give one, such as 224x224 (H x W)."
        )
    if size and any(side < 1 or side % network.multiple for side in size):
        raise ValueError(
            f"{network.name} works at multiples of {network.multiple}, not at {size[0]}x{size[1]}."
        )
    return dataclasses.replace(network, size=size)
