"""`vmap`: a function of one sample, applied to all samples of a batch at once."""

import functools

from ..core import tree
from ..core.interp import interpreting
from ..core.random import default_generator
from ..core.tensor import Tensor
from ..ops.join import cat
from .batched import Level, unwrap


def vmap(func, in_dims=0, out_dims=0, randomness="error", *, chunk_size=None):
    """A function that applies `func` to each sample of a batch, all at once.

    `in_dims`: the dimension of each input that numbers the samples (nested as the inputs are), None
    for inputs that all samples share. `out_dims`: where results get it. `randomness`: "error"
    refuses random operations, "different" draws for each sample, "same" gives all samples the same
    numbers. `chunk_size`: so many samples at a time. Raises ValueError where dimensions do not fit
    the inputs, RuntimeError where `func` looks at single values.
    """
    if randomness not in ("error", "different", "same"):
        raise RuntimeError(
            f"Only allowed values for randomness are 'error', 'different', or 'same'. Got "
            f"{randomness}"
        )
    if not (chunk_size is None or chunk_size > 0):
        raise ValueError(f"vmap: chunk_size should be None or greater than 0. (got {chunk_size})")

    @functools.wraps(func)
    def wrapped(*args, **kwargs):
        _check_out_dims(out_dims, func)
        size, dims, flat, structure = _inputs(in_dims, args, func)
        run = functools.partial(_run, func, structure, dims, out_dims, randomness, kwargs)
        if chunk_size is None:
            return run(size, flat)
        return _chunked(run, size, dims, flat, out_dims, randomness, chunk_size)

    return wrapped


def _run(func, structure, dims, out_dims, randomness, kwargs, size, flat):
    level = Level(size, randomness)
    try:
        args = tree.unflatten(
            [t if d is None else batched(t, d, level) for t, d in zip(flat, dims, strict=True)],
            structure,
        )
        with interpreting(level):
            results = func(*args, **kwargs)
        del args
        return _outputs(results, out_dims, level, func)
    finally:
        results = None
        level.close()


def batched(t: Tensor, dim: int, level: Level) -> Tensor:
    """A sample of `t` as the function sees it."""
    return level.wrap(t.movedim(dim, 0) if dim else t)


def _chunked(run, size, dims, flat, out_dims, randomness, chunk_size):
    state = default_generator.get_state() if randomness == "same" else None
    parts = []
    for start in range(0, size, chunk_size):
        n = min(chunk_size, size - start)
        chunk = [t if d is None else t.narrow(d, start, n) for t, d in zip(flat, dims, strict=True)]
        if state is not None:
            default_generator.set_state(state)
        parts.append(run(n, chunk))
    columns, structure = [], None
    for part in parts:
        leaves, structure = tree.flatten(part)
        columns.append(leaves)
    places = tree.broadcast(out_dims, parts[0])
    joined = [
        pieces[0] if d is None else cat(pieces, d)
        for pieces, d in zip(zip(*columns, strict=True), places, strict=True)
    ]
    return tree.unflatten(joined, structure)


# -- inputs and outputs ----------------------------------------------------------------------------
def name_of(func) -> str:
    """What messages call a function."""
    if hasattr(func, "__name__"):
        return func.__name__
    if isinstance(func, functools.partial):
        return f"functools.partial({name_of(func.func)}, ...)"
    return repr(func)


def _inputs(in_dims, args, func):
    """The batch size, and the flattened inputs with their dimensions; ValueError as torch's."""
    call = f"vmap({name_of(func)}, in_dims={in_dims}, ...)(<inputs>): "
    if not isinstance(in_dims, (int, tuple)):
        raise ValueError(
            f"{call}expected `in_dims` to be int or a (potentially nested) tuple matching the "
            f"structure of inputs, got: {type(in_dims)}."
        )
    if not args:
        raise ValueError(
            f"vmap({name_of(func)})(<inputs>): got no inputs. Maybe you forgot to add inputs, or "
            "you are trying to vmap over a function with no inputs. The latter is unsupported."
        )
    flat, structure = tree.flatten(args)
    dims = tree.broadcast(in_dims, args)
    if dims is None:
        raise ValueError(
            f"{call}in_dims is not compatible with the structure of `inputs`. in_dims has "
            f"structure {in_dims} but there are {len(flat)} values in {len(args)} inputs."
        )
    for i, (value, d) in enumerate(zip(flat, dims, strict=True)):
        if d is None:
            continue
        if not isinstance(d, int):
            raise ValueError(
                f"{call}Got in_dim={d} for an input but in_dim must be either an integer "
                "dimension or None."
            )
        if not isinstance(value, Tensor):
            raise ValueError(
                f"{call}Got in_dim={d} for an input but the input is of type {type(value)}. We "
                "cannot vmap over non-Tensor arguments, please use None as the respective in_dim"
            )
        n = value.dim()
        if not -n <= d < n:
            raise ValueError(
                f"{call}Got in_dim={d} for some input, but that input is a Tensor of "
                f"dimensionality {n} so expected in_dim to satisfy -{n} <= in_dim < {n}."
            )
        dims[i] = d % n
    sizes = [t.shape[d] for t, d in zip(flat, dims, strict=True) if d is not None]
    if not sizes:
        raise ValueError(
            "vmap: at least one input must have a dimension to map over: all in_dims are None"
        )
    if any(s != sizes[0] for s in sizes):
        raise ValueError(
            "vmap: Expected all tensors to have the same size in the mapped dimension, got sizes "
            f"{sizes} for the mapped dimension"
        )
    return sizes[0], dims, flat, structure


def _check_out_dims(out_dims, func) -> None:
    for d in tree.flatten(out_dims)[0]:
        if d is not None and not isinstance(d, int):
            raise ValueError(
                f"vmap({name_of(func)}, ..., out_dims={out_dims}): `out_dims` must be an int, None "
                "or a python collection of ints representing where in the outputs the vmapped "
                "dimension should appear."
            )


def _outputs(results, out_dims, level: Level, func):
    places: list | None
    leaves, structure = tree.flatten(results)
    if isinstance(results, Tensor) and isinstance(out_dims, tuple) and len(out_dims) == 1:
        places = list(out_dims)
    else:
        places = tree.broadcast(out_dims, results)
    name = name_of(func)
    if places is None:
        raise ValueError(
            f"vmap({name}, ..., out_dims={out_dims})(<inputs>): out_dims is not compatible with "
            f"the structure of `outputs`. out_dims has structure {out_dims} but there are "
            f"{len(leaves)} outputs."
        )
    found = []
    for value, d in zip(leaves, places, strict=True):
        if d is None:
            if level.holds(value):
                raise ValueError(
                    f"vmap({name}, ...): `{name}` can not return a BatchedTensor when out_dim is "
                    "None"
                )
        elif not isinstance(value, Tensor):
            raise ValueError(
                f"vmap({name}, ...): `{name}` must only return Tensors, got type {type(value)}. "
                "Did you mean to set out_dims= to None for output?"
            )
        else:
            value = unwrap(value, level, d)
        found.append(value)
    return tree.unflatten(found, structure)
