"""The everyday views as ops: each rule gives the view's Spec and where its first element is."""

from ...core import shape as shapes
from ...core.batching import along, leading
from ...core.op import primitive, view_primitive
from ...core.tangents import linear
from . import batching
from .strided import as_strided_backward_op

ROOM = "numtorch.ops.view"


@view_primitive(
    jvp=lambda op, tangents, tensors, attrs, result, k: tangents[0].reshape(result.shape),
    vmap=batching.resized,
    vjp={"input": lambda g, _input: g.reshape(_input.shape)},
    node_name="ViewBackward0",
    module=ROOM,
)
def view_op(input, *, size):
    """The same memory in another shape."""
    size = shapes.infer_size(size, input.numel)
    strides = shapes.view_strides(input.shape, input.strides, size)
    if strides is None:
        raise RuntimeError(
            "view size is not compatible with input tensor's size and stride (at least one "
            "dimension spans across two contiguous subspaces). Use .reshape(...) instead. (shape "
            f"{list(input.shape)}, strides {list(input.strides)}, wanted {list(size)})"
        )
    return input.strided(size, strides), 0


@view_primitive(
    vmap=batching.permuted,
    vjp={"input": lambda g, dims: g.permute(_inverse(dims))},
    node_name="PermuteBackward0",
    module=ROOM,
)
def permute_op(input, *, dims):
    """Dimensions in another order."""
    if len(dims) != input.ndim:
        raise RuntimeError(
            "permute(sparse_coo): number of dimensions in the tensor input does not match the "
            f"length of the desired ordering of dimensions i.e. input.dim() = {input.ndim} is not "
            f"equal to len(dims) = {len(dims)}"
        )
    if sorted(dims) != list(range(input.ndim)):
        for d in dims:
            shapes.wrap_dim(d, input.ndim, "permute")
        raise RuntimeError(f"permute(): duplicate dims are not allowed, got {list(dims)}")
    return input.strided([input.shape[d] for d in dims], [input.strides[d] for d in dims]), 0


def _inverse(dims):
    inverse = [0] * len(dims)
    for position, d in enumerate(dims):
        inverse[d] = position
    return tuple(inverse)


@view_primitive(
    vmap=batching.exchanged,
    vjp={"input": lambda g, dim0, dim1: transpose_op(g, dim0, dim1)},
    node_name="TransposeBackward0",
    module=ROOM,
)
def transpose_op(input, *, dim0, dim1):
    """Two dimensions exchanged."""
    size, strides = list(input.shape), list(input.strides)
    if size:
        size[dim0], size[dim1] = size[dim1], size[dim0]
        strides[dim0], strides[dim1] = strides[dim1], strides[dim0]
    return input.strided(size, strides), 0


@view_primitive(
    vmap=batching.exchanged,
    vjp={"input": lambda g: transpose_op(g, 0, 1)},
    node_name="TBackward0",
    module=ROOM,
)
def t_op(input):
    """A matrix transposed."""
    return transpose_op.op.rule(input, dim0=0, dim1=1)


@view_primitive(
    vmap=batching.resized,
    vjp={"input": lambda g, _input: g.sum_to_size(_input.shape)},
    node_name="ExpandBackward0",
    module=ROOM,
)
def expand_op(input, *, size):
    """Dimensions of size 1 repeated without copying."""
    missing = len(size) - input.ndim
    if missing < 0:
        raise RuntimeError(
            f"expand({input.dtype}{list(input.shape)}, size={list(size)}): the number of sizes "
            f"provided ({len(size)}) must be greater or equal to the number of dimensions in the "
            f"tensor ({input.ndim})"
        )
    for i, (n, have) in enumerate(zip(size[missing:], input.shape, strict=True)):
        if have not in (1, n):
            raise RuntimeError(
                f"The expanded size of the tensor ({n}) must match the existing size ({have}) at "
                f"non-singleton dimension {missing + i}.  Target sizes: {list(size)}.  Tensor "
                f"sizes: {list(input.shape)}"
            )
    return input.strided(size, shapes.expanded_strides(input.shape, input.strides, size)), 0


@view_primitive(
    vmap=along("dim"),
    vjp={
        "input": lambda g, _input, dim, index: slice_backward_op(
            g.unsqueeze(dim), tuple(_input.shape), dim, index, 1
        )
    },
    node_name="SelectBackward0",
    module=ROOM,
)
def select_op(input, *, dim, index):
    """One index of one dimension, which disappears."""
    size, strides = list(input.shape), list(input.strides)
    del size[dim], strides[dim]
    return input.strided(size, strides), index * input.strides[dim]


@view_primitive(
    vmap=along("dim"),
    vjp={
        "input": lambda g, _input, dim, start, step: slice_backward_op(
            g, tuple(_input.shape), dim, start, step
        )
    },
    node_name="SliceBackward0",
    module=ROOM,
)
def slice_op(input, *, dim, start, length, step):
    """A range of one dimension."""
    size, strides = list(input.shape), list(input.strides)
    size[dim] = length
    strides[dim] *= step
    return input.strided(size, strides), start * input.strides[dim]


@primitive(
    jvp=linear,
    vmap=batching.placed,
    vjp={
        "grad": lambda g, _grad, dim, start, step: slice_op(g, dim, start, _grad.shape[dim], step)
    },
    module=ROOM,
)
def slice_backward_op(grad, *, size, dim, start, step):
    """A gradient at its place in zeros of the input's shape."""
    return grad.like(shape=size)


@view_primitive(
    vmap=batching.squeezed,
    vjp={"input": lambda g, _input: g.reshape(_input.shape)},
    node_name="SqueezeBackward0",
    module=ROOM,
)
def squeeze_op(input, *, dims):
    """Without those of the given dimensions that have size 1."""
    kept = [d for d in range(input.ndim) if d not in dims or input.shape[d] != 1]
    return input.strided([input.shape[d] for d in kept], [input.strides[d] for d in kept]), 0


@view_primitive(
    vmap=batching.inserted,
    vjp={"input": lambda g, dim: squeeze_op(g, (dim,))},
    node_name="UnsqueezeBackward0",
    module=ROOM,
)
def unsqueeze_op(input, *, dim):
    """With a new dimension of size 1."""
    size, strides = list(input.shape), list(input.strides)
    step = size[dim] * strides[dim] if dim < len(size) else 1
    size.insert(dim, 1)
    strides.insert(dim, step)
    return input.strided(size, strides), 0


@view_primitive(
    vmap=along("dim1", "dim2"),
    vjp={
        "input": lambda g, _input, offset, dim1, dim2: diagonal_backward(
            g, tuple(_input.shape), offset, dim1, dim2
        )
    },
    node_name="DiagonalBackward0",
    module=ROOM,
)
def diagonal_op(input, *, offset, dim1, dim2):
    """A diagonal of two dimensions, as a new last dimension."""
    rows, columns = input.shape[dim1], input.shape[dim2]
    length = max(0, min(rows + min(offset, 0), columns - max(offset, 0)))
    s1, s2 = input.strides[dim1], input.strides[dim2]
    size = [n for d, n in enumerate(input.shape) if d not in (dim1, dim2)]
    strides = [s for d, s in enumerate(input.strides) if d not in (dim1, dim2)]
    first = max(offset, 0) * s2 - min(offset, 0) * s1 if length else 0
    return input.strided([*size, length], [*strides, s1 + s2]), first


def diagonal_backward(g, size, offset, dim1, dim2):
    """A gradient on the diagonal of zeros: `as_strided` of contiguous memory, backwards."""
    flat = g.new_zeros(size)
    spec, first = diagonal_op.op.rule(flat._spec, offset=offset, dim1=dim1, dim2=dim2)
    return as_strided_backward_op(g, flat._spec.numel, tuple(spec.shape), spec.strides, first).view(
        size
    )


@view_primitive(
    vmap=batching.windows,
    vjp={
        "input": lambda g, _input, dim, size, step: unfold_backward(
            g, tuple(_input.shape), dim, size, step
        )
    },
    node_name="UnfoldBackward0",
    module=ROOM,
)
def unfold_op(input, *, dim, size, step):
    """Windows of one dimension, as a new last dimension."""
    if input.ndim == 0:
        return input.strided((size,), (1,)), 0
    shape, strides = list(input.shape), list(input.strides)
    shape[dim] = (shape[dim] - size) // step + 1
    inner = strides[dim]
    strides[dim] *= step
    return input.strided([*shape, size], [*strides, inner]), 0


def unfold_backward(g, shape, dim, size, step):
    """Windows added up again: `as_strided` of contiguous memory, backwards."""
    flat = g.new_zeros(shape)
    spec, _ = unfold_op.op.rule(flat._spec, dim=dim, size=size, step=step)
    return as_strided_backward_op(g, flat._spec.numel, tuple(spec.shape), spec.strides, 0).view(
        shape
    )


@view_primitive(vmap=leading, vjp={"input": lambda g: g}, node_name="AliasBackward0", module=ROOM)
def alias_op(input):
    """The same tensor as a view of itself."""
    return input, 0


@view_primitive(vmap=leading, vjp={}, module=ROOM)
def detach_op(input):
    """The same memory, cut off from autograd."""
    return input, 0
