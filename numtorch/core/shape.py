"""Shapes and strides: plain integer arithmetic, and the errors that belong to it."""

import math
import operator


class Size(tuple):
    """A tensor's shape: a tuple that prints as torch's."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"torch.Size([{', '.join(map(str, self))}])"

    def numel(self) -> int:
        """The number of elements."""
        return math.prod(self)

    def __getitem__(self, index):
        found = tuple.__getitem__(self, index)
        return Size(found) if isinstance(index, slice) else found

    def __add__(self, other):
        return Size(tuple.__add__(self, tuple(other)))

    def __mul__(self, times):
        return Size(tuple.__mul__(self, times))

    __rmul__ = __mul__


def contiguous_strides(shape) -> tuple[int, ...]:
    """Row-major strides in elements; dimensions of size 0 count as 1, as in torch."""
    strides = [1] * len(shape)
    for i in range(len(shape) - 2, -1, -1):
        strides[i] = strides[i + 1] * max(shape[i + 1], 1)
    return tuple(strides)


def is_contiguous(shape, strides) -> bool:
    """Whether elements lie in row-major order without gaps."""
    expected = 1
    for n, s in zip(reversed(shape), reversed(strides), strict=True):
        if n == 0:
            return True
        if n != 1 and s != expected:
            return False
        expected *= n
    return True


def is_dense(shape, strides) -> bool:
    """Whether elements fill their memory without gaps or overlap, in any order of dimensions."""
    order = sorted(range(len(shape)), key=lambda i: (strides[i], shape[i]))
    return is_contiguous([shape[i] for i in reversed(order)], [strides[i] for i in reversed(order)])


def overlaps_itself(shape, strides) -> bool:
    """Whether two indices can reach the same element (exact for expanded tensors, conservative
    else).
    """
    if 0 in shape:
        return False
    reach = 0
    for n, s in sorted(
        ((n, s) for n, s in zip(shape, strides, strict=True) if n > 1), key=lambda p: p[1]
    ):
        if s <= reach:
            return True
        reach += (n - 1) * s
    return False


def dense_strides(shape, *given) -> tuple[int, ...]:
    """Strides without gaps that keep the order of dimensions that operands of a shape have, as
    torch finds it: the first that tells two dimensions apart decides, expanded ones tell nothing.
    """
    order = list(reversed(range(len(shape))))  # the innermost dimension first

    def compare(a, b) -> int:
        for strides in given:
            if strides[a] == 0 or strides[b] == 0:
                continue
            if strides[a] != strides[b]:
                return 1 if strides[a] > strides[b] else -1
            if shape[a] > shape[b]:
                return 1
        return 0

    for i in range(1, len(order)):
        at = i
        for j in reversed(range(i)):
            found = compare(order[j], order[at])
            if found > 0:
                order[j], order[at] = order[at], order[j]
                at = j
            elif found < 0:
                break
    dense, step = [0] * len(shape), 1
    for d in order:
        dense[d] = step
        step *= max(shape[d], 1)
    return tuple(dense)


def extent(shape, strides) -> int:
    """How many elements of memory a geometry spans from its first element."""
    if 0 in shape:
        return 0
    return 1 + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))


def wrap_dim(dim: int, ndim: int, name: str = "") -> int:
    """A dimension as a non-negative index; IndexError as torch's (0-d tensors accept -1 and 0)."""
    if dim.__class__ is not int:
        dim = as_index(dim, "dim", name)
    bound = max(ndim, 1)
    if not -bound <= dim < bound:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-bound}, {bound - 1}], but got "
            f"{dim})" + (f" in {name}" if name else "")
        )
    return dim + bound if dim < 0 else dim


def wrap_dims(dims, ndim: int, name: str = "") -> tuple[int, ...]:
    """Several dimensions; RuntimeError when one appears twice."""
    wrapped = tuple(wrap_dim(d, ndim, name) for d in dims)
    for d in wrapped:
        if wrapped.count(d) > 1:
            raise RuntimeError(
                f"dim {d} appears multiple times in the list of dims"
                + (f" of {name}" if name else "")
            )
    return wrapped


def as_index(value, argument: str, name: str) -> int:
    """An integer argument; TypeError for anything that is not one (bool included)."""
    try:
        if isinstance(value, bool):
            raise TypeError
        return operator.index(value)
    except TypeError:
        raise TypeError(
            f"{name}(): argument '{argument}' must be int, not {type(value).__name__}"
        ) from None


def as_sizes(sizes, name: str, argument: str = "size") -> tuple[int, ...]:
    """Sizes given as `f(2, 3)` or `f((2, 3))` (here: the tuple of positional arguments) as a tuple
    of ints.
    """
    if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)):
        sizes = sizes[0]
    for n in sizes:
        if n.__class__ is not int:
            return tuple(as_index(n, argument, name) for n in sizes)
    return tuple(sizes)


def broadcast_shapes(*shapes) -> Size:
    """The shape that tensors of these shapes broadcast to; RuntimeError as torch's."""
    shapes = tuple((s,) if isinstance(s, int) else s for s in shapes)
    ndim = max((len(s) for s in shapes), default=0)
    result = [1] * ndim
    for shape in shapes:
        offset = ndim - len(shape)
        for i, n in enumerate(shape):
            have = result[offset + i]
            if n == have or n == 1:
                continue
            if have != 1:
                raise RuntimeError(
                    f"The size of tensor a ({have}) must match the size of tensor b ({n}) at "
                    f"non-singleton "
                    f"dimension {offset + i}: shapes {', '.join(str(list(s)) for s in shapes)} do "
                    f"not broadcast"
                )
            result[offset + i] = n
    return Size(result)


def expanded_strides(shape, strides, target) -> tuple[int, ...]:
    """Strides that read a tensor as if it had the `target` shape that it broadcasts to."""
    missing = len(target) - len(shape)
    kept = (
        0 if n == 1 and t != 1 else s
        for n, s, t in zip(shape, strides, target[missing:], strict=True)
    )
    return (0,) * missing + tuple(kept)


def infer_size(sizes, numel: int) -> tuple[int, ...]:
    """Replace one -1 in `sizes`; RuntimeError as torch's when the number of elements does not
    fit.
    """
    if len(sizes) == 1 and (sizes[0] == numel or sizes[0] == -1):
        return (numel,)
    unknown = [i for i, n in enumerate(sizes) if n == -1]
    if len(unknown) > 1:
        raise RuntimeError("only one dimension can be inferred")
    for n in sizes:
        if n < -1:
            raise RuntimeError(f"invalid shape dimension {n}")
    known = math.prod(n for n in sizes if n != -1)
    if unknown:
        if known == 0 and numel == 0:
            raise RuntimeError(
                f"cannot reshape tensor of 0 elements into shape {list(sizes)} because the "
                f"unspecified dimension "
                "size -1 can be any value and is ambiguous"
            )
        if known and numel % known == 0:
            return tuple(numel // known if n == -1 else n for n in sizes)
    elif known == numel:
        return tuple(sizes)
    raise RuntimeError(f"shape '{list(sizes)}' is invalid for input of size {numel}")


def view_strides(shape, strides, new_shape) -> tuple[int, ...] | None:
    """Strides that give the same memory a new shape, or None where only a copy can."""
    if math.prod(shape) == 0:
        return contiguous_strides(new_shape)
    new = [0] * len(new_shape)
    j = len(new_shape) - 1
    chunk = 1  # elements in the run of old dimensions that lie evenly behind each other
    base = strides[-1] if shape else 1
    for i in range(len(shape) - 1, -1, -1):
        chunk *= shape[i]
        at_end = i == 0 or (shape[i - 1] != 1 and strides[i - 1] != chunk * base)
        if not at_end:
            continue
        run = 1
        while j >= 0 and (run < chunk or new_shape[j] == 1):
            new[j] = run * base
            run *= new_shape[j]
            j -= 1
        if run != chunk:
            return None
        if i > 0:
            base, chunk = strides[i - 1], 1
    while j >= 0:  # a 0-d tensor seen with dimensions of size 1
        if new_shape[j] != 1:
            return None
        new[j] = 1
        j -= 1
    return tuple(new)


def collapse(shape, *strides) -> tuple[list[int], list[list[int]]]:
    """Merge dimensions that lie evenly in every operand, and drop those of size 1.

    Returns the remaining sizes and, for each operand, its strides. Loops over the result visit the
    same elements.
    """
    sizes: list[int] = []
    kept: list[list[int]] = [[] for _ in strides]
    for i, n in enumerate(shape):
        if n == 1:
            continue
        if sizes and all(k[-1] == n * s[i] for k, s in zip(kept, strides, strict=True)):
            sizes[-1] *= n
            for k, s in zip(kept, strides, strict=True):
                k[-1] = s[i]
        else:
            sizes.append(n)
            for k, s in zip(kept, strides, strict=True):
                k.append(s[i])
    return sizes, kept
