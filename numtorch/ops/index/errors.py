"""The errors of indices that lie outside of a dimension, as each of torch's functions words
them.
"""


def standard(value, dim, size):
    """Indexing with brackets, index_put, index_fill."""
    return IndexError(f"index {value} is out of bounds for dimension {dim} with size {size}")


def plain(value, dim, size):
    """gather, scatter, index_add: a RuntimeError."""
    return RuntimeError(f"index {value} is out of bounds for dimension {dim} with size {size}")


def select(value, dim, size):
    """index_select."""
    return IndexError(
        f"index out of range in self (index_select: index {value}, dimension {dim} with size "
        f"{size})"
    )


def copy(value, dim, size):
    """index_copy."""
    return IndexError(
        f"index_copy_(): index {value} is out of bounds for dimension {dim} with size {size}"
    )


def flat(value, dim, size):
    """take and put."""
    return IndexError(
        f"out of range: tried to access index {value} on a tensor of {size} elements."
    )


WRAPPING = {
    "index": standard,
    "index_put": standard,
    "index_fill": standard,
    "take": flat,
    "put": flat,
}
STRICT = {
    "gather": plain,
    "scatter": plain,
    "index_select": select,
    "index_add": plain,
    "index_copy": copy,
}


def out_of_bounds(kind: str, values, dim: int, size: int) -> Exception:
    """The error for the first index of `values` (a flat ndarray) that is outside."""
    low = -size if kind in WRAPPING else 0
    wrong = values[(values < low) | (values >= size)]
    return (WRAPPING.get(kind) or STRICT[kind])(int(wrong[0]), dim, size)
