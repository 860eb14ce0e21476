"""What tells how a file names the weights of one of our networks, and turns its axes."""

import dataclasses
import re

import numpy as np

# Our variable: PyTorch's name for it.
PYTORCH_NAMES = {
    "kernel": "weight",
    "gamma": "weight",
    "beta": "bias",
    "bias": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
COUNTER_PATTERN = r"(.*\.)?num_batches_tracked"  # PyTorch counts batches where a batch norm's momentum is None; ours is not


@dataclasses.dataclass(frozen=True)
class Layout:
    """One way of naming weights.

    networks: names of ours it is for.  mark: a tensor that files of this layout hold, and others for these networks not.
    layer: (our layer's path, network) -> the file's name of that layer; None where we have a layer that the file lacks.
    head: the file's name of the tensor with one row per output; "" where the file's head is not one of ours.
    arguments: what the network is built with besides its outputs.  unused: expressions of tensors without a place here.
    pytorch: names end as PyTorch's and axes are PyTorch's; else both are TensorFlow's.
    """

    networks: tuple
    marker: str
    layer: object
    head: str = ""
    arguments: dict = dataclasses.field(default_factory=dict)
    ignored: tuple = ()
    is_pytorch: bool = True

    def tensor(self, path, network):
        """The file's name of our variable `path` ("layer/kernel"); None where it keeps its first weights."""
        layer, _, variable = path.rpartition("/")
        if (
            variable not in PYTORCH_NAMES
        ):  # a lone tensor, such as a class token: its path is a layer's
            return self.layer(path, network)
        name = self.layer(layer, network)
        return name and (
            f"{name}.{PYTORCH_NAMES[variable]}" if self.is_pytorch else f"{name}/{variable}"
        )

    def transpose_to_keras(self, path, value):
        """The file's tensor for our variable `path` with our axes; PyTorch's kernels are [out, in, ...]."""
        if not (self.is_pytorch and path.endswith("/kernel")):
            return value
        return np.transpose(value, (*range(2, value.ndim), 1, 0))

    def is_ignored(self, name):
        """Whether the file's tensor `name` is known to have no place in our networks."""
        return any(re.fullmatch(pattern, name) for pattern in (*self.ignored, COUNTER_PATTERN))


def map_by_rules(*rules):
    """Layout.layer of (expression of our whole path, the file's name) pairs, the first that fits.

    Raises ValueError for a path that none fits: then the network has changed and the layout has not.
    """

    def layer(path, network):
        for pattern, name in rules:
            if found := re.fullmatch(pattern, path):
                return name and found.expand(name)
        raise ValueError(f"The layout has no rule for {network}'s {path}.")

    return layer
