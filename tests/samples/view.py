"""Samples of views and copies."""

import numpy as np

from .model import case, error, op, t


def view(name, *cases, ref=None, **options):
    """A view: values against NumPy or torch."""
    return op(name, *cases, ref=ref, dtypes=("float64", "int64"), **options)


SAMPLES = [
    view(
        "Tensor.view",
        case(t(2, 6), 3, -1),
        case(t(4), (2, 2)),
        ref=lambda a, *s: a.reshape(*s),
        strided=False,
    ),
    view("reshape", case(t(2, 6), (3, 4)), case(t(2, 3), (-1,)), ref=np.reshape),
    view("flatten", case(t(2, 3, 4)), case(t(2, 3, 4), 1), case(t())),
    view("unflatten", case(t(2, 6), 1, (3, -1)), method=True),
    view("transpose", case(t(2, 3, 4), 0, -1), ref=np.swapaxes),
    view("swapaxes", case(t(2, 3), 0, 1), ref=np.swapaxes),
    view("swapdims", case(t(2, 3), 0, 1)),
    view("t", case(t(2, 3)), case(t(4)), ref=np.transpose),
    view("permute", case(t(2, 3, 4), (2, 0, 1)), ref=np.transpose),
    view("movedim", case(t(2, 3, 4), 0, 2), case(t(2, 3, 4), (0, 1), (2, 0)), ref=np.moveaxis),
    view("moveaxis", case(t(2, 3, 4), 0, 2), ref=np.moveaxis),
    view(
        "squeeze",
        case(t(2, 1, 3, 1)),
        case(t(2, 1, 3), 1),
        case(t(2, 1, 1), (1, 2)),
        ref=np.squeeze,
    ),
    view("unsqueeze", case(t(2, 3), 0), case(t(2, 3), -1), ref=np.expand_dims),
    view("Tensor.expand", case(t(2, 1), 2, 3), case(t(3), 2, -1)),
    view("broadcast_to", case(t(3, 1), (2, 3, 4)), ref=np.broadcast_to),
    view("broadcast_tensors", case(t(3, 1), t(4)), method=False),
    view("detach", case(t(3)), grad=False),
    view("select", case(t(2, 3, 4), 1, 2), case(t(2, 3), 0, -1)),
    view("narrow", case(t(4, 5), 1, 1, 3)),
    view("split", case(t(5, 2), 2), case(t(5, 2), [1, 4])),
    view("split_with_sizes", case(t(5), [2, 3])),
    view("chunk", case(t(5, 2), 2), case(t(3, 4), 2, 1), ref=None),
    view("tensor_split", case(t(7), 3), case(t(7), [1, 4])),
    view("unbind", case(t(3, 2)), case(t(3, 2), 1)),
    view("diagonal", case(t(3, 4)), case(t(3, 4), 1), case(t(2, 4, 3), -1, 1, 2)),
    view("Tensor.unfold", case(t(7), 0, 3, 2), case(t(2, 5), 1, 2, 1)),
    view("as_strided", case(t(12), (2, 3), (4, 2), 1), case(t(6), (2, 2), (1, 1)), strided=False),
    # torch 2.13 gives `input` the gradient of the elements that were replaced, and gradcheck
    # refutes it
    view(
        "as_strided_scatter",
        case(t(6), t(2, 2), (2, 2), (3, 1), 1),
        method=True,
        strided=False,
        grad_parity=False,
    ),
    view("ravel", case(t(2, 3)), ref=np.ravel),
    view("adjoint", case(t(2, 3))),
    view("clone", case(t(2, 3)), ref=np.copy),
    view("Tensor.contiguous", case(t(2, 3)), ref=np.copy),
    op("Tensor.double", case(t(2, 3)), dtypes=("float32", "int64", "bool"), grad=False),
    op("Tensor.float", case(t(2, 3)), grad=False),
    op("Tensor.int", case(t(2, 3, low=-9, high=9)), grad=False),
    op("Tensor.bool", case(t(2, 3)), dtypes=("float32", "int64"), grad=False),
    op(
        "Tensor.copy_",
        case(t(2, 3, grad=False), t(3)),
        case(t(2, 3, grad=False), t(2, 1, dtype="int32")),
        dtypes=("float32", "int64"),
        grad=False,
    ),
    op("Tensor.sum_to_size", case(t(2, 3, 4), 3, 1), case(t(2, 3), 1, 3)),
]
ERRORS = [
    error(
        "Tensor.view",
        case(t(2, 3), 4),
        RuntimeError,
        r"shape '\[4\]' is invalid for input of size 6",
    ),
    error("reshape", case(t(2, 3), (-1, -1)), RuntimeError, "only one dimension can be inferred"),
    error("reshape", case(t(0), (-1, 0)), RuntimeError, "cannot reshape tensor of 0 elements"),
    error(
        "transpose",
        case(t(2, 3), 0, 2),
        IndexError,
        r"Dimension out of range \(expected to be in range of \[-2, 1\]",
    ),
    error(
        "permute",
        case(t(2, 3), (0,)),
        RuntimeError,
        "number of dimensions in the tensor input does not match",
    ),
    error("permute", case(t(2, 3), (0, 0)), RuntimeError, "duplicate dims are not allowed"),
    error(
        "Tensor.expand",
        case(t(2, 3), 4, 3),
        RuntimeError,
        r"expanded size of the tensor \(4\) must match",
    ),
    error("Tensor.expand", case(t(2, 3), 3), RuntimeError, "number of sizes provided"),
    error(
        "select",
        case(t(2, 3), 0, 2),
        IndexError,
        r"select\(\): index 2 out of range for tensor of size \[2, 3\]",
    ),
    error("select", case(t(), 0, 0), IndexError, "cannot be applied to a 0-dim tensor"),
    error(
        "narrow",
        case(t(4), 0, 2, 3),
        RuntimeError,
        r"start \(2\) \+ length \(3\) exceeds dimension size \(4\)",
    ),
    error("split", case(t(4), [1, 2]), RuntimeError, "split_sizes to sum exactly to 4"),
    error("chunk", case(t(4), 0), RuntimeError, "chunk expects `chunks` to be greater than 0"),
    error("t", case(t(2, 2, 2)), RuntimeError, "expects a tensor with <= 2 dimensions"),
    error("flatten", case(t(2, 3), 1, 0), RuntimeError, "start_dim cannot come after end_dim"),
    error(
        "diagonal", case(t(2, 3), 0, 1, 1), RuntimeError, "diagonal dimensions cannot be identical"
    ),
    error(
        "as_strided", case(t(4), (3,), (2,)), RuntimeError, "are out of bounds for storage of size"
    ),
    error(
        "Tensor.unfold",
        case(t(4), 0, 5, 1),
        RuntimeError,
        "maximum size for tensor at dimension 0 is 4",
    ),
    error("squeeze", case(t(2), 1), IndexError, "Dimension out of range"),
    error("unbind", case(t()), RuntimeError, "tensor has no dimensions"),
    error(
        "Tensor.copy_",
        case(t(2), t(3)),
        RuntimeError,
        r"size of tensor a \(2\) must match the size of tensor b \(3\)",
    ),
    error(
        "Tensor.item",
        case(t(2)),
        RuntimeError,
        "a Tensor with 2 elements cannot be converted to Scalar",
    ),
]
