"""embedding_bag: sums, means and maxima of rows of a table, without the rows in memory.

A bag is a row of a matrix of indices, or what lies between two offsets in a vector of them. The
gradients are ops: sums over bags, their transpose and the products of rows with the gradients of
their bags are each other's derivatives.
"""

from ...core import dtype as dtypes
from ...core import errors
from ...core.op import primitive
from ...core.tensor import Tensor
from ..index.lines import gather_backward_op
from .tables import ROOM, check_indices, renorm

MODES = ("sum", "mean", "max")


# -- primitives ------------------------------------------------------------------------------------
def _bags(indices, offsets, last) -> int:
    """How many bags there are."""
    return indices.shape[0] if offsets is None else offsets.numel - last


@primitive(
    vjp={
        "weight": lambda g, indices, offsets, samples, _weight, last, mean, padding_idx, by_freq: (
            embedding_bag_backward_op(
                g, indices, offsets, samples, _weight.shape[0], last, mean, padding_idx, by_freq
            )
        ),
        "indices": None,
        "offsets": None,
        "samples": lambda g, weight, indices, offsets, last, padding_idx, by_freq, scaled: (
            embedding_bag_dots_op(
                g, weight, indices, offsets, last, padding_idx, by_freq and scaled
            )
        ),
    },
    node_name="EmbeddingBagBackward0",
    module=ROOM,
)
def embedding_bag_op(
    weight, indices, offsets=None, samples=None, *, last, mean, padding_idx, by_freq, scaled
):
    """The sums or means of bags, of which `padding_idx` is no part. (rows, D), (B, L) -> (B, D), or
    (rows, D), (N,), (B,) -> (B, D)

    `samples` are factors, one for each index; `last` says that the last offset ends the last bag;
    `scaled` (the derivative of the derivative) divides by how often a row is looked up if
    `by_freq`.
    """
    return weight.like(shape=(_bags(indices, offsets, last), weight.shape[1]))


@primitive(
    vjp={
        "grad": lambda g, indices, offsets, samples, last, mean, padding_idx, by_freq: (
            embedding_bag_op(g, indices, offsets, samples, last, mean, padding_idx, by_freq, True)
        ),
        "indices": None,
        "offsets": None,
        "samples": lambda g, grad, indices, offsets, last, padding_idx, by_freq: (
            embedding_bag_dots_op(grad, g, indices, offsets, last, padding_idx, by_freq)
        ),
    },
    module=ROOM,
)
def embedding_bag_backward_op(
    grad, indices, offsets=None, samples=None, *, rows, last, mean, padding_idx, by_freq
):
    """The gradients of bags added to the rows in them. (B, D), (B, L) -> (rows, D)"""
    return grad.like(shape=(rows, grad.shape[1]))


@primitive(
    vjp={
        "grad": lambda g, weight, indices, offsets, last, padding_idx, by_freq: embedding_bag_op(
            weight, indices, offsets, g, last, False, padding_idx, by_freq, True
        ),
        "weight": lambda g, grad, indices, offsets, _weight, last, padding_idx, by_freq: (
            embedding_bag_backward_op(
                grad, indices, offsets, g, _weight.shape[0], last, False, padding_idx, by_freq
            )
        ),
        "indices": None,
        "offsets": None,
    },
    module=ROOM,
)
def embedding_bag_dots_op(grad, weight, indices, offsets=None, *, last, padding_idx, by_freq):
    """The product of each row in a bag with the bag's gradient: the gradient of its factor.

    (B, D), (rows, D), (B, L) -> (B, L)
    """
    return grad.like(shape=indices.shape)


def _largest_vjp(g, out1, _weight):
    """Each gradient goes to the row of its maximum, that of an empty bag to none."""
    kept = g.masked_fill(out1 < 0, 0)
    return gather_backward_op(kept, out1.clamp(min=0), tuple(_weight.shape), 0)


@primitive(
    vjp={"weight": _largest_vjp, "indices": None, "offsets": None},
    outputs=2,
    node_name="EmbeddingBagBackward0",
    module=ROOM,
)
def embedding_bag_max_op(weight, indices, offsets=None, *, last, padding_idx):
    """The maxima of bags, 0 of empty ones, and the rows that they are from, -1 of empty ones.

    (rows, D), (B, L) -> (B, D), (B, D)
    """
    out = weight.like(shape=(_bags(indices, offsets, last), weight.shape[1]))
    return out, out.like(dtype=dtypes.int64)


# -- the public function ---------------------------------------------------------------------------
def _check(input, weight, offsets, samples, mode, by_freq, sparse, last) -> None:
    """Raise torch's errors."""
    given = [("input", input), ("weight", weight), ("offsets", offsets)]
    for argument, value in (*given, ("per_sample_weights", samples)):
        needed = argument in ("input", "weight")
        if not isinstance(value, Tensor) and (needed or value is not None):
            raise errors.not_a_tensor("embedding_bag", argument, value)
    if samples is not None and samples._spec.shape != input._spec.shape:
        raise ValueError(
            f"embedding_bag: If per_sample_weights ({samples._spec.shape}) is not None, then it "
            f"must have the same shape as the input ({input._spec.shape})"
        )
    if weight._spec.ndim != 2:
        raise ValueError(
            f"weight has to be a 2D Tensor, but got Tensor of dimension {weight._spec.ndim}"
        )
    if input._spec.ndim == 2:
        if offsets is not None:
            raise ValueError(
                "if input is 2D, then offsets has to be None, as input is treated is a mini-batch "
                f"of fixed length sequences. However, found offsets of type {type(offsets)}"
            )
    elif input._spec.ndim != 1:
        raise ValueError(
            f"input has to be 1D or 2D Tensor, but got Tensor of dimension {input._spec.ndim}"
        )
    elif offsets is None:
        raise ValueError("offsets has to be a 1D Tensor but got None")
    elif offsets._spec.ndim != 1:
        raise ValueError("offsets has to be a 1D Tensor")
    elif last and not offsets._spec.numel:
        raise RuntimeError("include_last_offset: number of offset should be at least 1")
    if mode not in MODES:
        raise ValueError("mode has to be one of sum, mean or max")
    if mode == "max" and by_freq:
        raise ValueError("max mode does not support scaling the gradient by the frequency")
    if sparse:
        raise RuntimeError(
            "embedding_bag: sparse gradients are not supported, as there are no sparse tensors; "
            "use sparse=False"
        )
    if samples is not None and mode != "sum":
        raise NotImplementedError(
            "embedding_bag: per_sample_weights was not None. per_sample_weights is only supported "
            f"for mode='sum' (got mode='{mode}')."
        )
    if samples is not None and samples._spec.dtype is not weight._spec.dtype:
        raise RuntimeError(
            "Expected tensor for argument #1 'weight' to have the same type as tensor for argument "
            f"#1 'per_sample_weights'; but got {weight._spec.dtype} and {samples._spec.dtype} "
            "(while checking arguments for embedding_bag)"
        )
    if not weight._spec.dtype.is_floating_point:
        raise RuntimeError(
            f"embedding_bag: expected weight of floating point, but got {weight._spec.dtype}"
        )


def embedding_bag(
    input,
    weight,
    offsets=None,
    max_norm=None,
    norm_type=2,
    scale_grad_by_freq=False,
    mode="mean",
    sparse=False,
    per_sample_weights=None,
    include_last_offset=False,
    padding_idx=None,
):
    """The sums, means or maxima of bags of rows of a table. (B, L) of int, (rows, D) -> (B, D), or
    (N,) of int, (rows, D), (B,) -> (B, D)

    `offsets` are where the bags of a vector begin, and also where the last one ends if
    `include_last_offset`. `per_sample_weights` are factors for mode="sum"; `padding_idx` is no part
    of any bag; empty bags give 0. With `max_norm`, rows that are looked up are first scaled down,
    in place, to that p-norm.
    """
    last = int(bool(include_last_offset) and offsets is not None)
    _check(input, weight, offsets, per_sample_weights, mode, scale_grad_by_freq, sparse, last)
    check_indices(input._spec, "embedding_bag")
    if offsets is not None:
        check_indices(offsets._spec, "embedding_bag", "offsets")
    rows = weight._spec.shape[0]
    if padding_idx is None:
        padding_idx = -1
    elif not -rows <= padding_idx < rows:
        raise RuntimeError(
            f"padding_idx must be within the number of embeddings, -{rows} through {rows - 1}, but "
            f"got {padding_idx}"
        )
    else:
        padding_idx %= rows
    if max_norm is not None:
        renorm(weight, input, max_norm, norm_type)
    if mode == "max":
        return embedding_bag_max_op(weight, input, offsets, last, padding_idx)[0]
    settings = last, mode == "mean", padding_idx, bool(scale_grad_by_freq), False
    return embedding_bag_op(weight, input, offsets, per_sample_weights, *settings)
