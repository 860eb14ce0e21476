"""How a file of published weights names the variables of our networks, and orders their axes."""

import dataclasses
import re
from collections.abc import Callable

import numpy as np

Rule = tuple[str, str | None]  # pattern of our path, name in the file; see map_by_rules
LayerNamer = Callable[[str, str], str | None]  # our layer's path, network -> name in the file

# PyTorch's names of Keras's variables.
PYTORCH_NAMES = {
    "kernel": "weight",
    "gamma": "weight",
    "beta": "bias",
    "bias": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
# PyTorch counts batches for batch normalisation without momentum; ours always has one.
COUNTER_PATTERN = r"(.*\.)?num_batches_tracked"


@dataclasses.dataclass(frozen=True)
class Layout:
    """One way of naming weights.

    Attributes:
        networks: Our networks that it applies to.
        marker: A tensor that files of this layout have, and that other files for these networks
            do not have.
        get_layer_name: Function from our layer's path and the network to the layer's name in the
            file; None for layers that the file does not have.
        head: Name in the file of the tensor with one row per output; "" if the file's head is not
            one of ours.
        arguments: What the network is built with, besides its outputs.
        ignored: Patterns of tensors that our networks do not use.
        is_pytorch: Names and axes are PyTorch's; otherwise both are TensorFlow's.
    """

    networks: tuple[str, ...]
    marker: str
    get_layer_name: LayerNamer
    head: str = ""
    arguments: dict[str, str] = dataclasses.field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    is_pytorch: bool = True

    def get_tensor_name(self, path: str, network: str) -> str | None:
        """Return the name in the file of one of our variables.

        Args:
            path: Path of the variable, "layer/kernel".
            network: Name of our network.

        Returns:
            The name; None if the file does not have it and it keeps its initial values.
        """
        layer, _, variable = path.rpartition("/")
        if variable not in PYTORCH_NAMES:
            # A tensor of its own, such as a class token, is named as a layer is.
            return self.get_layer_name(path, network)
        name = self.get_layer_name(layer, network)
        # None: the file does not have this layer.
        if not name:
            return name
        if self.is_pytorch:
            return f"{name}.{PYTORCH_NAMES[variable]}"
        return f"{name}/{variable}"

    def transpose_to_keras(self, path: str, value: np.ndarray) -> np.ndarray:
        """Order the axes of a tensor of the file as Keras does.

        Args:
            path: Path of our variable.
            value: The file's tensor; PyTorch's kernels are `[out, in, ...]`.

        Returns:
            Kernels as `[..., in, out]`, other tensors unchanged.
        """
        if not (self.is_pytorch and path.endswith("/kernel")):
            return value
        # [out, in, ...] becomes [..., in, out] for dense layers and for convolutions of any rank.
        return np.transpose(value, (*range(2, value.ndim), 1, 0))

    def is_ignored(self, name: str) -> bool:
        """Return whether a tensor of the file is one that our networks do not use.

        Args:
            name: Name in the file.
        """
        patterns = (*self.ignored, COUNTER_PATTERN)
        return any(re.fullmatch(pattern, name) for pattern in patterns)


def map_by_rules(*rules: Rule) -> LayerNamer:
    r"""Make `Layout.get_layer_name` from rules.

    Args:
        rules: Pairs of a pattern of our whole path and the name in the file, which may refer to
            groups of the pattern as `\1`; None for layers that the file does not have. The first
            rule that matches applies.

    Returns:
        The function. It raises ValueError for a path that no rule matches: then the network has
        changed and the layout has not.
    """

    def get_layer_name(path: str, network: str) -> str | None:
        for pattern, name in rules:
            # The whole path: "norm" must not match "norm1".
            match = re.fullmatch(pattern, path)
            if match:
                # expand() would fail for None.
                return name and match.expand(name)
        raise ValueError(f"The layout has no rule for {path} of {network}.")

    return get_layer_name
