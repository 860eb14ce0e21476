"""The multiply-adds of a network, the unit in which its time can be judged."""

import math

import tensorflow as tf


def count_multiply_adds(model, shape):
    """Multiply-adds of one forward pass: convolutions and matrix products; the rest is not counted.

    model: anything that maps a tensor.  shape: that tensor's, all sides known, the batch's size first.
    Counted in the traced graph, so whatever way a layer computes is what is counted.
    """
    traced = tf.function(lambda x: model(x, training=False)).get_concrete_function(
        tf.TensorSpec(shape, tf.float32)
    )
    graphs = [traced.graph, *(function.graph for function in traced.graph._functions.values())]
    return sum(
        _operation_cost(operation) for graph in graphs for operation in graph.get_operations()
    )


def _operation_cost(operation):
    """One output element costs one multiply-add per weight that it meets."""
    if operation.type in ("Conv2D", "Conv3D"):
        return _element_count(operation.outputs[0]) * math.prod(operation.inputs[1].shape[:-1])
    if operation.type == "DepthwiseConv2dNative":
        return _element_count(operation.outputs[0]) * math.prod(operation.inputs[1].shape[:2])
    if (
        operation.type == "Conv2DBackpropInput"
    ):  # a transposed convolution: every input element meets every weight
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


def _einsum_cost(operation):
    """One multiply-add per combination of all letters of the equation."""
    terms = operation.get_attr("equation").decode().split("->")[0].split(",")
    sizes = {}
    for letters, tensor in zip(terms, operation.inputs):
        _element_count(tensor)
        sizes.update(zip(letters, tensor.shape))
    return math.prod(sizes.values())


def _element_count(tensor):
    """Raises ValueError where a side is unknown: a count that left something out would mislead."""
    if not tensor.shape.is_fully_defined():
        raise ValueError(
            f"The size of {tensor.name} is not known before it runs, so its cost cannot be counted."
        )
    return math.prod(tensor.shape)
