"""The everyday views: arguments as torch takes them (primitives.py: the ops)."""

from ...core import shape as shapes
from ...core.dtype import dtype
from ...core.generate import number
from ...core.inplace import change_view, known_as, rename
from ...core.interp import runtime
from ...core.tensor import Tensor, View, new, offset_of
from ..copy import contiguous
from .primitives import (
    alias_op,
    detach_op,
    diagonal_op,
    expand_op,
    permute_op,
    select_op,
    slice_op,
    squeeze_op,
    t_op,
    transpose_op,
    unfold_op,
    unsqueeze_op,
    view_op,
)

__all__ = [
    "adjoint",
    "broadcast_tensors",
    "broadcast_to",
    "detach",
    "diagonal",
    "expand",
    "expand_as",
    "flatten",
    "matrix_transpose",
    "moveaxis",
    "movedim",
    "narrow",
    "permute",
    "ravel",
    "reshape",
    "reshape_as",
    "select",
    "slice_view",
    "squeeze",
    "swapaxes",
    "swapdims",
    "swapdims_",
    "squeeze_",
    "swapaxes_",
    "t",
    "t_",
    "transpose",
    "transpose_",
    "unflatten",
    "unfold",
    "unsqueeze",
    "unsqueeze_",
    "view",
    "view_as",
]


def view(input, *shape):
    """The same memory in another shape, or read as another dtype. (...) -> shape

    One size may be -1. Raises RuntimeError where the strides do not allow it, or the number of
    elements differs.
    """
    if _plain(shape):
        return view_op(input, shape)
    if len(shape) == 1 and isinstance(shape[0], dtype):
        return input._view_dtype(shape[0])
    return view_op(input, shapes.infer_size(shapes.as_sizes(shape, "view"), input._spec.numel))


def _plain(shape) -> bool:
    """Whether sizes need no look at the input: `view_op`'s plan checks their product."""
    for n in shape:
        if n.__class__ is not int or n < 0:
            return False
    return bool(shape)


def view_as(input, other):
    """`input.view(other.size())`."""
    return view(input, tuple(other.shape))


def reshape(input, *shape):
    """The same elements in another shape: a view where strides allow, else a copy. (...) ->
    shape
    """
    spec = input._spec
    if spec.contiguous and _plain(shape):
        return view_op(input, shape)
    size = shapes.infer_size(shapes.as_sizes(shape, "reshape", "shape"), spec.numel)
    if spec.contiguous:
        return view_op(input, size)
    if shapes.view_strides(spec.shape, spec.strides, size) is not None:
        result = view_op(input, size)
        if result._node is not None:
            rename(result, view_op, "ReshapeAliasBackward0")
        return result
    result = view_op(contiguous(input), size)
    if result._view.base is not input:  # a copy has been made, which is nobody else's
        result._view.base, result._view.creation = None, ""
        if result._node is not None:
            rename(result, view_op, "UnsafeViewBackward0")
    return result


def reshape_as(input, other):
    """`input.reshape(other.size())`."""
    return reshape(input, tuple(other.shape))


def ravel(input):
    """All elements in one dimension."""
    return reshape(input, -1)


def flatten(input, start_dim=0, end_dim=-1):
    """Dimensions start_dim to end_dim merged into one."""
    size = tuple(input._spec.shape)
    if not size:
        return reshape(input, 1)
    if start_dim == 0 and end_dim == -1 and len(size) > 1:
        return reshape(input, input._spec.numel)
    first, last = (
        shapes.wrap_dim(start_dim, len(size), "flatten"),
        shapes.wrap_dim(end_dim, len(size), "flatten"),
    )
    if first > last:
        raise RuntimeError("flatten() has invalid args: start_dim cannot come after end_dim")
    if first == last:
        return input
    merged = 1
    for n in size[first : last + 1]:
        merged *= n
    return reshape(input, *size[:first], merged, *size[last + 1 :])


def unflatten(input, dim, sizes):
    """One dimension split into several; one size may be -1."""
    shape = tuple(input._spec.shape)
    dim = shapes.wrap_dim(dim, len(shape), "unflatten")
    sizes = tuple(sizes)
    if not sizes:
        raise RuntimeError("unflatten: sizes must be non-empty")
    try:
        inner = shapes.infer_size(sizes, shape[dim])
    except RuntimeError:
        raise RuntimeError(
            f"unflatten: Provided sizes {list(sizes)} don't multiply up to the size of dim {dim} "
            f"({shape[dim]}) in the input tensor"
        ) from None
    return view(input, *shape[:dim], *inner, *shape[dim + 1 :])


def permute(input, *dims):
    """Dimensions in the given order."""
    if not _plain(dims):
        ndim, dims = len(input._spec.shape), shapes.as_sizes(dims, "permute", "dims")
        dims = tuple(d + ndim if -ndim <= d < 0 else d for d in dims)
    return permute_op(input, dims)


def transpose(input, dim0, dim1):
    """Two dimensions exchanged."""
    ndim = len(input._spec.shape)
    if dim0.__class__ is int and dim1.__class__ is int and 0 <= dim0 < ndim and 0 <= dim1 < ndim:
        return transpose_op(input, dim0, dim1)
    return transpose_op(
        input, shapes.wrap_dim(dim0, ndim, "transpose"), shapes.wrap_dim(dim1, ndim, "transpose")
    )


def swapaxes(input, axis0, axis1):
    """An alias of transpose."""
    return transpose(input, axis0, axis1)


def swapdims(input, dim0, dim1):
    """An alias of transpose."""
    return transpose(input, dim0, dim1)


def t(input):
    """A matrix transposed; tensors with fewer dimensions as they are."""
    ndim = input._spec.ndim
    if ndim > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {ndim}D")
    return t_op(input) if ndim == 2 else known_as(alias_op(input), "TBackward0")


def matrix_transpose(input):
    """The last two dimensions exchanged."""
    if input._spec.ndim < 2:
        raise RuntimeError(
            f"tensor.mT is only supported on matrices or batches of matrices. Got "
            f"{input._spec.ndim}-D tensor."
        )
    return transpose(input, -2, -1)


def adjoint(input):
    """The last two dimensions exchanged (and conjugated, for complex tensors)."""
    if input._spec.ndim < 2:
        raise RuntimeError(
            f"tensor.adjoint() is only supported on matrices or batches of matrices. Got "
            f"{input.ndim}-D"
        )
    return transpose(input, -2, -1)


def movedim(input, source, destination):
    """Dimensions moved to new positions, the others kept in order."""
    one = isinstance(source, int)
    sources, targets = ((source,), (destination,)) if one else (tuple(source), tuple(destination))
    if len(sources) != len(targets):
        raise RuntimeError(
            f"movedim: Invalid source or destination dims: source ({list(sources)} dims) should "
            f"contain the same number of dims as destination ({list(targets)} dims)"
        )
    ndim = input._spec.ndim
    sources = tuple(shapes.wrap_dim(d, ndim, "movedim") for d in sources)
    targets = tuple(shapes.wrap_dim(d, ndim, "movedim") for d in targets)
    if len(set(sources)) != len(sources) or len(set(targets)) != len(targets):
        raise RuntimeError(
            f"movedim: repeated dim in `source` or `destination` ({list(sources)}, {list(targets)})"
        )
    order = [d for d in range(ndim) if d not in sources]
    for target, source_dim in sorted(zip(targets, sources, strict=True)):
        order.insert(target, source_dim)
    return permute_op(input, tuple(order))


def moveaxis(input, source, destination):
    """An alias of movedim."""
    return movedim(input, source, destination)


def squeeze(input, dim=None):
    """Without dimensions of size 1: all of them, or those given."""
    result = squeeze_op(input, _squeezed(input, dim))
    if dim is not None and result._node is not None:
        rename(result, squeeze_op, f"SqueezeBackward{1 if isinstance(dim, int) else 2}")
    return result


def _squeezed(input, dim) -> tuple:
    """The dimensions that `squeeze` takes out if their size is 1."""
    ndim = input._spec.ndim
    if dim is None:
        return tuple(range(ndim))
    return shapes.wrap_dims((dim,) if isinstance(dim, int) else tuple(dim), ndim, "squeeze")


def unsqueeze(input, dim):
    """A new dimension of size 1 at position `dim`."""
    return unsqueeze_op(input, shapes.wrap_dim(dim, input._spec.ndim + 1, "unsqueeze"))


def expand(input, *sizes, implicit=False):
    """Dimensions of size 1 repeated without copying; -1 keeps a size, new dimensions come first."""
    if _plain(sizes):
        return expand_op(input, sizes)
    size = list(shapes.as_sizes(sizes, "expand"))
    shape = input._spec.shape
    missing = len(size) - len(shape)
    for i, n in enumerate(size):
        if n == -1 and missing >= 0:
            if i < missing:
                raise RuntimeError(
                    f"The expanded size of the tensor (-1) isn't allowed in a leading, "
                    f"non-existing dimension {i}"
                )
            size[i] = shape[i - missing]
        elif n < 0:
            raise RuntimeError(f"expand: invalid size {n} at dimension {i}")
    return expand_op(input, tuple(size))


def expand_as(input, other):
    """`input.expand(other.size())`."""
    return expand(input, *other.shape)


def broadcast_to(input, size):
    """`input` expanded to a shape."""
    return expand(input, *size)


def broadcast_tensors(*tensors):
    """Tensors expanded to their common shape."""
    if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)):
        tensors = tuple(tensors[0])
    size = shapes.broadcast_shapes(*[t.shape for t in tensors])
    return tuple(expand(t, *size) for t in tensors)


def select(input, dim, index):
    """One index of a dimension, which disappears. IndexError outside of it."""
    ndim = input._spec.ndim
    if ndim == 0:
        raise IndexError("select() cannot be applied to a 0-dim tensor.")
    dim = shapes.wrap_dim(dim, ndim, "select")
    n = input._spec.shape[dim]
    index = shapes.as_index(index, "index", "select")
    if not -n <= index < n:
        raise IndexError(
            f"select(): index {index} out of range for tensor of size {list(input._spec.shape)} "
            f"at dimension {dim}"
        )
    return select_op(input, dim, index + n if index < 0 else index)


def slice_view(input, dim=0, start=None, end=None, step=1):
    """A range of a dimension, as Python slices do it; the step is positive."""
    dim = shapes.wrap_dim(dim, input._spec.ndim, "slice")
    n = input._spec.shape[dim]
    if step <= 0:
        raise RuntimeError("slice step must be positive")
    first, last, _ = slice(start, end, step).indices(n)
    length = max(0, -(-(last - first) // step))
    return slice_op(input, dim, first, length, step)


def narrow(input, dim, start, length):
    """`length` indices of a dimension, from `start` on."""
    if input._spec.ndim == 0:
        raise RuntimeError("narrow() cannot be applied to a 0-dim tensor.")
    dim = shapes.wrap_dim(dim, input._spec.ndim, "narrow")
    n = input._spec.shape[dim]
    if length < 0:
        raise RuntimeError("narrow(): length must be non-negative.")
    if isinstance(start, Tensor):
        start = number(start.item())
    if not -n <= start <= n:
        raise IndexError(
            f"start out of range (expected to be in range of [{-n}, {n}], but got {start})"
        )
    start = start + n if start < 0 else start
    if start + length > n:
        raise RuntimeError(f"start ({start}) + length ({length}) exceeds dimension size ({n}).")
    return slice_op(input, dim, start, length, 1)


def diagonal(input, offset=0, dim1=0, dim2=1):
    """A diagonal of two dimensions as a new last dimension; a positive offset is above the main
    one.
    """
    ndim = input._spec.ndim
    first, second = shapes.wrap_dim(dim1, ndim, "diagonal"), shapes.wrap_dim(dim2, ndim, "diagonal")
    if first == second:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    return diagonal_op(input, offset, first, second)


def unfold(input, dimension, size, step):
    """All windows of `size` along a dimension, `step` apart, as a new last dimension."""
    dim = shapes.wrap_dim(dimension, input._spec.ndim, "unfold")
    n = input._spec.shape[dim] if input._spec.ndim else 1
    if size > n:
        raise RuntimeError(f"maximum size for tensor at dimension {dim} is {n} but size is {size}")
    if size < 0:
        raise RuntimeError(f"size is {size} but must be >= 0")
    if step <= 0:
        raise RuntimeError(f"step is {step} but must be > 0")
    return unfold_op(input, dim, size, step)


def t_(input):
    """`t` in place: the tensor gets another geometry, its memory stays."""
    if input._spec.ndim > 2:
        raise RuntimeError(f"t_() expects a tensor with <= 2 dimensions, but self is {input.ndim}D")
    return change_view(transpose_op.op, input, (0, max(input._spec.ndim - 1, 0)), "TBackward1")


def transpose_(input, dim0, dim1):
    """`transpose` in place."""
    ndim = input._spec.ndim
    dims = shapes.wrap_dim(dim0, ndim, "transpose_"), shapes.wrap_dim(dim1, ndim, "transpose_")
    return change_view(transpose_op.op, input, dims, "TransposeBackward1")


def swapaxes_(input, axis0, axis1):
    """An alias of transpose_."""
    return transpose_(input, axis0, axis1)


def swapdims_(input, dim0, dim1):
    """An alias of transpose_."""
    return transpose_(input, dim0, dim1)


def squeeze_(input, dim=None):
    """`squeeze` in place."""
    name = f"SqueezeBackward{3 if dim is None else 4 if isinstance(dim, int) else 5}"
    return change_view(squeeze_op.op, input, (_squeezed(input, dim),), name)


def unsqueeze_(input, dim):
    """`unsqueeze` in place."""
    dim = shapes.wrap_dim(dim, input._spec.ndim + 1, "unsqueeze_")
    return change_view(unsqueeze_op.op, input, (dim,), "UnsqueezeBackward1")


def alias(input):
    """The same tensor as a view of itself."""
    return alias_op(input)


def detach(input):
    """The same memory as a tensor that autograd does not know."""
    if runtime["interp"] is not None:
        result = detach_op(input)
        result._view.base, result._view.creation, result._node = None, "", None
        return result
    result, storage = new(Tensor), input._storage
    result._spec, result._array, result._memory = input._spec, input._array, storage
    result._node = None
    result._view = View(offset_of(input), None)
    return result
