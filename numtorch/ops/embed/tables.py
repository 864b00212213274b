"""Rows of tables: embedding and one_hot."""

from ...core import dtype as dtypes
from ...core import errors, generate
from ...core.batching import leading
from ...core.op import primitive
from ...core.tangents import linear
from ...core.tape import grad_mode
from ...core.tensor import Tensor
from . import batching

ROOM = "numtorch.ops.embed"


def check_indices(indices, name: str, argument: str = "indices") -> None:
    """Raise torch's error for indices that are not int64 or int32."""
    if indices.dtype not in (dtypes.int64, dtypes.int32):
        raise RuntimeError(
            f"Expected tensor for argument #1 '{argument}' to have one of the following scalar "
            f"types: Long, Int; but got torch.{indices.dtype.type_name} instead (while checking "
            f"arguments for {name})"
        )


# -- primitives ----------------------------------------------------------------------------------
@primitive(
    jvp=linear,
    vmap=batching.look_up,
    vjp={
        "weight": lambda g, indices, _weight, padding_idx, by_freq: embedding_backward_op(
            g, indices, _weight.shape[0], padding_idx, by_freq
        ),
        "indices": None,
    },
    node_name="EmbeddingBackward0",
    module=ROOM,
)
def embedding_op(weight, indices, *, padding_idx, by_freq, scaled):
    """Rows of `weight`. (rows, D), (...) -> (..., D)

    `scaled` (the derivative of the derivative) multiplies each row by what its gradient is
    multiplied by: 0 for `padding_idx`, 1 / how often it is looked up if `by_freq`.
    """
    if weight.ndim != 2:
        raise RuntimeError("'weight' must be 2-D")
    check_indices(indices, "embedding")
    return weight.like(shape=(*indices.shape, weight.shape[1]))


@primitive(
    jvp=linear,
    vmap=batching.add_up,
    vjp={
        "grad": lambda g, indices, padding_idx, by_freq: embedding_op(
            g, indices, padding_idx, by_freq, True
        ),
        "indices": None,
    },
    node_name="EmbeddingDenseBackward0",
    module=ROOM,
)
def embedding_backward_op(grad, indices, *, rows, padding_idx, by_freq):
    """Gradients added up by row; none for `padding_idx`. (..., D), (...) -> (rows, D)"""
    return grad.like(shape=(rows, grad.shape[-1]))


@primitive(vjp={}, aliasing=True, module=ROOM)
def embedding_renorm_op(weight, indices, *, max_norm, norm_type):
    """`weight` with the rows that are looked up scaled down to a norm of `max_norm`.

    (rows, D), (...) -> (rows, D)
    """
    check_indices(indices, "embedding_renorm_")
    return weight


@primitive(vmap=leading, vjp={}, module=ROOM)
def one_hot_op(indices, *, num_classes):
    """1 at each index, else 0. (...) -> (..., num_classes)"""
    return indices.like(shape=(*indices.shape, num_classes), dtype=dtypes.int64)


# -- public functions ----------------------------------------------------------------------------
def embedding(
    input,
    weight,
    padding_idx=None,
    max_norm=None,
    norm_type=2.0,
    scale_grad_by_freq=False,
    sparse=False,
):
    """Look up rows of a table. (...) of int, (rows, D) -> (..., D)

    The row `padding_idx` gets no gradient. With `max_norm`, rows that are looked up are first
    scaled down, in place, to that p-norm. Raises IndexError for an index outside of the table.
    """
    for argument, value in (("indices", input), ("weight", weight)):
        if not isinstance(value, Tensor):
            raise errors.not_a_tensor("embedding", argument, value)
    if sparse:
        raise RuntimeError(
            "embedding: sparse gradients are not supported, as there are no sparse tensors; use "
            "sparse=False"
        )
    if padding_idx is None:
        padding_idx = -1
    else:
        rows = weight._spec.shape[0]
        if not -rows <= padding_idx < rows:
            raise AssertionError("Padding_idx must be within num_embeddings")
        padding_idx %= rows
    if max_norm is not None:
        renorm(weight, input, max_norm, norm_type)
    return embedding_op(weight, input, padding_idx, bool(scale_grad_by_freq), False)


def renorm(weight, input, max_norm, norm_type) -> None:
    """Scale rows down in place, unseen by autograd."""
    token = grad_mode.set(False)
    try:
        embedding_renorm_(weight, input, max_norm, norm_type)
    finally:
        grad_mode.reset(token)


def embedding_renorm_(input, indices, max_norm, norm_type):
    """Scale rows that `indices` name down to a p-norm of `max_norm`, in place.

    (rows, D), (...) -> (rows, D)
    """
    for argument, value in (("input", input), ("indices", indices)):
        if not isinstance(value, Tensor):
            raise errors.not_a_tensor("embedding_renorm_", argument, value)
    return generate.in_place(
        embedding_renorm_op.op, (input, indices), (float(max_norm), float(norm_type))
    )


def one_hot(tensor, num_classes=-1):
    """1 at each index, else 0. (...) of int64 -> (..., num_classes) of int64

    The number of classes is by default one more than the largest index.
    """
    if not isinstance(tensor, Tensor):
        raise errors.not_a_tensor("one_hot", "self", tensor)
    if tensor._spec.dtype is not dtypes.int64:
        raise RuntimeError("one_hot is only applicable to index tensor of type LongTensor.")
    if not tensor._spec.numel:
        if num_classes <= 0:
            raise RuntimeError("Can not infer total number of classes from empty tensor.")
        return one_hot_op(tensor, num_classes)
    if num_classes == -1:
        num_classes = int(tensor.max()) + 1
    elif num_classes < 1:
        raise RuntimeError("Class values must be smaller than num_classes.")
    return one_hot_op(tensor, max(num_classes, 1))
