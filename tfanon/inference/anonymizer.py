"""Anonymizer: frames in, anonymized frames out, and an error instead of an unsafe frame."""

import dataclasses
import os
from collections.abc import Iterable, Iterator

import numpy as np
from absl import logging

from tfanon.inference import loaders, output_check, tested_size, tiling
from tfanon.inference.network import Network
from tfanon.inference.tested_size import Size

LAYOUTS = ("squeeze", "tile", "whole")


class Anonymizer:
    """A network, the size at which it sees frames, and the check of its output.

    Example:
        ```python
        anonymize = tfanon.Anonymizer.load("runs/quickstart")
        anonymized = anonymize(frames)
        for frame in anonymize.stream("in.mp4"):
            ...
        ```

    Args:
        network: The network.
        size: (H, W) to which frames are resized for the network; None for the network's own size.
        layout: "squeeze" to `size` and back, "tile" (tiles of `size` at full resolution) or "whole"
            (frames at full size).
        overlap: Pixels that neighbouring tiles share.
        allow_untested_size: Work at a size far from the one at which the network's privacy was
            measured. In the layouts "tile" and "whole" that is the size of the frames.

    Attributes:
        network: The network, with the size that was chosen.
        warnings: Lines on what the network's privacy figures do not cover at this size; they are
            logged too.

    Raises:
        ValueError: The arguments do not fit the network.
    """

    def __init__(
        self,
        network: Network,
        size: Size | None = None,
        layout: str = "squeeze",
        overlap: int = 16,
        allow_untested_size: bool = False,
    ) -> None:
        self.network = _resolve_network_size(network, size, layout)
        self.layout = layout
        self.overlap = overlap
        self.allow_untested_size = allow_untested_size
        if layout == "tile":
            self._check_overlap()
        self._refuse_far_network_size()
        self.warnings = self._list_warnings()
        for line in self.warnings:
            logging.warning(line)

    @classmethod
    def load(
        cls,
        model: str = "",
        mode: str = "",
        size: Size | None = None,
        layout: str = "squeeze",
        overlap: int = 16,
        threads: int = 0,
        allow_untested_size: bool = False,
    ) -> "Anonymizer":
        """Load an anonymizer.

        Args:
            model: Folder of a run, folder of a SavedModel, or a `.tflite` file.
            mode: "blacken", "blur", "downsample" or "pixelate", instead of a model.
            size: As for the class.
            layout: As for the class.
            overlap: As for the class.
            threads: Threads of the network; 0 leaves the choice to the runtime.
            allow_untested_size: As for the class.

        Raises:
            ValueError: Nothing can be loaded, or the other arguments do not fit the network.
        """
        network = loaders.load_network(model, mode, threads)
        return cls(network, size, layout, overlap, allow_untested_size)

    def get_input_size(self, height: int, width: int) -> Size:
        """Return (H, W) of the arrays that `anonymize_batch` takes, for upright frames of a size.

        Args:
            height: Height of the frames.
            width: Width of the frames.

        Raises:
            ValueError: The frames are far larger than those on which the network's privacy was
                measured.
        """
        if self.layout == "squeeze":
            return self._get_network_size()
        self._refuse_far_frames((height, width))
        return height, width

    def anonymize_batch(self, frames: np.ndarray, first_number: int = 0) -> np.ndarray:
        """Anonymize frames of the input size.

        Args:
            frames: uint8 `[N, H, W, 3]`, of the size that `get_input_size` returns.
            first_number: Number of the first frame, for messages.

        Returns:
            Anonymized frames of the same shape.

        Raises:
            UnsafeOutputError: The output must not be shown: see `output_check` and `Network`.
        """
        if self.layout == "squeeze":
            anonymized = self.network(frames)
        elif self.layout == "tile":
            anonymized = tiling.run_on_tiles(self.network, frames, self.overlap)
        else:
            anonymized = tiling.run_on_whole_frames(self.network, frames)
        output_check.check_frames_changed(frames, anonymized, first_number)
        return anonymized

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """Anonymize RGB frames of any size.

        Args:
            frames: uint8 `[N, H, W, 3]`, or one frame `[H, W, 3]`.

        Returns:
            Anonymized frames of the same shape.

        Raises:
            ValueError: The frames have another shape or type.
            UnsafeOutputError: The output must not be shown.
        """
        frames = np.asarray(frames)
        if frames.dtype != np.uint8 or frames.ndim not in (3, 4) or frames.shape[-1] != 3:
            raise ValueError(
                "Frames are uint8 [N, H, W, 3] or [H, W, 3], not "
                f"{frames.dtype} {list(frames.shape)}."
            )
        if frames.ndim == 3:  # a single frame has no axis N
            return self(frames[None])[0]
        if not len(frames):  # there is nothing to concatenate
            return frames
        batches = []
        for first in range(0, len(frames), self.network.batch):
            batch = frames[first : first + self.network.batch]
            batches.append(self._anonymize_any_size(batch, first))
        return np.concatenate(batches)

    def stream(
        self, source: str | int | os.PathLike | Iterable[np.ndarray], ca_file: str = ""
    ) -> Iterator[np.ndarray]:
        """Anonymize the frames of a source one by one.

        Every whole frame of a live source is yielded: none is dropped for being late, so a slow
        caller falls behind, and a lost stream is not reconnected.

        Args:
            source: Path of a video, number of a camera, rtsp:// or http:// address, or an iterable
                of frames.
            ca_file: PEM file that the certificate of an rtsps:// or https:// server is checked
                against; empty: the system's.

        Yields:
            Anonymized frames, uint8 `[H, W, 3]`, upright, at the size of the source.

        Raises:
            UnsafeOutputError: The output must not be shown.
            MediaError: The source cannot be read.
        """
        # Imported on use: loading a model and anonymizing a batch need no PyAV.
        from tfanon.inference import frame_streams

        yield from frame_streams.stream_anonymized_frames(self, source, ca_file)

    def _get_network_size(self) -> Size:
        """Return the size of the network's frames, which every layout but "whole" has."""
        size = self.network.size
        assert size is not None, "_resolve_network_size has refused it"
        return size

    def _check_overlap(self) -> None:
        """Raise ValueError unless tiles overlap by less than half of their shorter side."""
        size = self._get_network_size()
        limit = min(size) // 2  # the ramps at both ends of a tile must not meet
        if not 0 <= self.overlap < limit:
            raise ValueError(
                f"The overlap of tiles of {tested_size.format_size(size)} pixels is between 0 and "
                f"{limit - 1} pixels, not {self.overlap}."
            )

    def _refuse_far_network_size(self) -> None:
        """Raise ValueError for a network size far from the tested one, unless that is allowed."""
        tested = self.network.tested_size
        # In the layout "whole" the size is that of each frame: see _refuse_far_frames.
        if tested is None or self.layout == "whole":
            return
        if self.network.scale_invariant or self.allow_untested_size:
            return
        size = self._get_network_size()
        if tested_size.is_far(size, tested):
            tested_size.refuse_untested_size(
                self.network.name,
                f"at {tested_size.format_size(size)}",
                tested,
                f"Give --network_size={tested_size.format_size(tested)}, or a model of another "
                "size",
            )

    def _refuse_far_frames(self, size: Size) -> None:
        """Raise ValueError for frames far larger than the tested size, unless that is allowed."""
        tested = self.network.tested_size
        if tested is None or self.allow_untested_size or self._is_scale_invariant():
            return
        if tested_size.is_far_larger(size, tested):
            where = f"on frames of {tested_size.format_size(size)} with --layout={self.layout}"
            tested_size.refuse_untested_size(
                self.network.name, where, tested, "Give --layout=squeeze"
            )

    def _is_scale_invariant(self) -> bool:
        """Return whether frames of any size are hidden as much; a tile is only part of a frame."""
        return self.network.scale_invariant and self.layout != "tile"

    def _list_warnings(self) -> tuple[str, ...]:
        """Return the warnings about the size that are due before work begins."""
        size, tested = self.network.size, self.network.tested_size
        if tested is None or self._is_scale_invariant():
            return ()
        if self.layout != "squeeze":
            where = f"at the full size of each frame (--layout={self.layout})"
        elif size is not None and size != tested:
            where = f"at {tested_size.format_size(size)}"
        else:
            return ()
        return (tested_size.describe_untested_size(self.network.name, where, tested),)

    def _anonymize_any_size(self, frames: np.ndarray, first_number: int) -> np.ndarray:
        """Anonymize one batch of frames of any size."""
        from tfanon.media import scaling  # needs PyAV, as in stream()

        height, width = frames.shape[1:3]
        resized = scaling.resize_frames(frames, *self.get_input_size(height, width))
        anonymized = self.anonymize_batch(resized, first_number)
        return scaling.resize_frames(anonymized, height, width)


def _resolve_network_size(network: Network, size: Size | None, layout: str) -> Network:
    """Return the network with the size at which it sees frames.

    Raises:
        ValueError: Layout or size do not fit the network.
    """
    if layout not in LAYOUTS:
        raise ValueError(f"The layout is squeeze, tile or whole, not '{layout}'.")
    if network.fixed_size and network.size is not None:
        changes_size = size is not None and tuple(size) != network.size
        if layout == "whole" or changes_size:
            raise ValueError(
                f"{network.name} takes frames of {tested_size.format_size(network.size)} only: use "
                "--layout=squeeze or tile, and no other network size."
            )
    chosen = (size[0], size[1]) if size else network.size
    if layout != "whole" and chosen is None:
        raise ValueError(
            f"{network.name} does not record at which size it works: give one, such as "
            "--network_size=224x224 (height x width)."
        )
    if chosen and any(side < 1 or side % network.multiple for side in chosen):
        raise ValueError(
            f"{network.name} works at multiples of {network.multiple}, not at "
            f"{tested_size.format_size(chosen)}."
        )
    return dataclasses.replace(network, size=chosen)
