"""The cost of a network in multiply-adds, the unit in which networks are compared."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf


def count_multiply_adds(model: Callable[..., tf.Tensor], shape: Sequence[int]) -> int:
    """Count the multiply-adds of one forward pass in the traced graph.

    Convolutions and matrix products count, whatever layer they belong to; the rest does not.

    Args:
        model: Callable of (tensor, training=False).
        shape: Shape of the tensor, all sizes known, the batch first.

    Returns:
        Multiply-adds.

    Raises:
        ValueError: The size of a tensor in the graph is unknown.
    """
    forward = tf.function(lambda x: model(x, training=False))
    concrete = forward.get_concrete_function(tf.TensorSpec(shape, tf.float32))
    inner_functions = concrete.graph._functions.values()
    graphs = [concrete.graph, *(function.graph for function in inner_functions)]
    total = 0
    for graph in graphs:
        total += sum(_operation_cost(operation) for operation in graph.get_operations())
    return total


def _operation_cost(operation: Any) -> int:
    """Multiply-adds of one operation: every output element costs one per weight that it meets."""
    if operation.type in ("Conv2D", "Conv3D"):
        return _element_count(operation.outputs[0]) * math.prod(operation.inputs[1].shape[:-1])
    if operation.type == "DepthwiseConv2dNative":
        return _element_count(operation.outputs[0]) * math.prod(operation.inputs[1].shape[:2])
    if operation.type == "Conv2DBackpropInput":
        # A transposed convolution: every input element meets every weight.
        return _element_count(operation.inputs[2]) * math.prod(operation.inputs[1].shape[:-1])
    if operation.type == "MatMul":
        inner = 0 if operation.get_attr("transpose_a") else 1
        return _element_count(operation.outputs[0]) * operation.inputs[0].shape[inner]
    if operation.type == "BatchMatMulV2":
        inner = -2 if operation.get_attr("adj_x") else -1
        return _element_count(operation.outputs[0]) * operation.inputs[0].shape[inner]
    if operation.type == "Einsum":
        return _einsum_cost(operation)
    return 0


def _einsum_cost(operation: Any) -> int:
    """One multiply-add per combination of all letters of the equation."""
    inputs = operation.get_attr("equation").decode().split("->")[0]
    sizes: dict[str, int] = {}
    for letters, tensor in zip(inputs.split(","), operation.inputs, strict=False):
        _element_count(tensor)
        sizes.update(zip(letters, tensor.shape, strict=False))
    return math.prod(sizes.values())


def _element_count(tensor: tf.Tensor) -> int:
    """Number of elements; ValueError if a size is unknown, since a partial count would mislead."""
    if not tensor.shape.is_fully_defined():
        raise ValueError(
            f"The size of {tensor.name} is not known before it runs, so its cost cannot be counted."
        )
    return math.prod(tensor.shape)
