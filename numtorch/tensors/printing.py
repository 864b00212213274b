"""How a tensor looks when it is printed: torch's text, character for character.

`tensor_repr` works from a NumPy array and plain facts (dtype name, device, gradient), so it needs
no Tensor and can be tested by itself. `set_printoptions`, `get_printoptions` and `printoptions` are
the public settings.
"""

import contextlib
import math
from types import SimpleNamespace

import numpy as np

__all__ = ["get_printoptions", "printoptions", "set_printoptions", "tensor_repr"]


PROFILES: dict[str, dict] = {
    "default": {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80},
    "short": {"precision": 2, "threshold": 1000, "edgeitems": 2, "linewidth": 80},
    "full": {"precision": 4, "threshold": math.inf, "edgeitems": 3, "linewidth": 80},
}
OPTIONS = SimpleNamespace(**PROFILES["default"], sci_mode=None)  # what set_printoptions changes


def set_printoptions(
    precision=None,
    threshold=None,
    edgeitems=None,
    linewidth=None,
    profile=None,
    sci_mode=None,
):
    """Choose how tensors are printed from now on.

    `precision` is the number of digits after the point; tensors of more than `threshold` elements
    show only `edgeitems` at both ends of every dimension; lines break at `linewidth` characters.
    `profile` ("default", "short" or "full") sets these four first. `sci_mode` forces or forbids
    scientific notation; unlike the others it goes back to None (decide by the values) whenever it
    is not given, as in torch.
    """
    given = {
        "precision": precision,
        "threshold": threshold,
        "edgeitems": edgeitems,
        "linewidth": linewidth,
    }
    for name, value in PROFILES.get(profile, {}).items():
        setattr(OPTIONS, name, value)
    for name, value in given.items():
        if value is not None:
            setattr(OPTIONS, name, value)
    OPTIONS.sci_mode = sci_mode


def get_printoptions():
    """The current settings, as a dictionary that `set_printoptions` takes as keywords."""
    return dict(vars(OPTIONS))


@contextlib.contextmanager
def printoptions(**kwargs):
    """Print with other settings inside a `with` block; takes the keywords of `set_printoptions`."""
    before = get_printoptions()
    set_printoptions(**kwargs)
    try:
        yield
    finally:
        set_printoptions(**before)


def tensor_repr(
    array,
    *,
    dtype="torch.float32",
    default_dtype="torch.float32",
    device=None,
    requires_grad=False,
    grad_fn=None,
    tangent=None,
    name="tensor",
):
    """The text of a tensor that has the elements of `array`.

    `dtype` and `default_dtype` are dtype names (a bfloat16 tensor comes as a float32 array);
    `device` is a device name, or None when the tensor is on the default device; `grad_fn` is the
    name of the function that made the tensor, or None; `tangent` is the text of its forward-mode
    derivative, or None; `name` is "tensor", or the class name of a subclass of Tensor.
    """
    suffixes = []
    if device is not None:
        suffixes.append(f"device='{device}'")
    empty = array.size == 0
    if (array.ndim != 1) if empty else not OPTIONS.edgeitems:
        suffixes.append(f"size={tuple(array.shape)}")
    if dtype not in evident_dtypes(default_dtype, empty):
        suffixes.append(f"dtype={dtype}")
    if grad_fn is not None:
        suffixes.append(f"grad_fn=<{grad_fn}>")
    elif requires_grad:
        suffixes.append("requires_grad=True")
    if tangent is not None:
        suffixes.append(f"tangent={tangent}")

    indent = len(name) + 1
    return append_suffixes(f"{name}({elements(array, indent)}", suffixes, indent)


def evident_dtypes(default_dtype, empty):
    """The dtypes that need not be named: `tensor(...)` of the printed values has them anyway."""
    if empty:
        return {default_dtype}
    complex_dtype = "torch.complex128" if default_dtype == "torch.float64" else "torch.complex64"
    return {default_dtype, complex_dtype, "torch.int64", "torch.bool"}


def append_suffixes(text, suffixes, indent):
    """`text` and its suffixes, on a new line where the last one would get too long."""
    # Counts one character more than there is on a last line that is not the first, as torch does.
    used = len(text) - text.rfind("\n") + 1
    for suffix in suffixes:
        if used + len(suffix) + 2 > OPTIONS.linewidth:
            text += ",\n" + " " * indent + suffix
            used = indent + len(suffix)
        else:
            text += ", " + suffix
            used += len(suffix) + 2
    return text + ")"


def elements(array, indent):
    """The brackets and the numbers in them; continued lines start after `indent` characters."""
    if array.size == 0:
        return "[]"
    summarize = array.size > OPTIONS.threshold
    shown = corners(array) if summarize else array
    if array.dtype.kind == "c":
        real, imag = NumberFormat(shown.real), NumberFormat(shown.imag)
        return brackets(array, indent, summarize, ComplexFormat(real, imag))
    return brackets(array, indent, summarize, NumberFormat(shown))


def corners(array):
    """The elements that a summary shows: `edgeitems` from both ends of every dimension."""
    edge = OPTIONS.edgeitems
    for axis, size in enumerate(array.shape):
        if size > 2 * edge:
            array = array.take([*range(edge), *range(size - edge, size)], axis)
    return array


def brackets(array, indent, summarize, form):
    """The text of `array` by recursion over its first dimension."""
    if array.ndim == 0:
        return form(array.item())
    edge = OPTIONS.edgeitems
    skip = summarize and len(array) > 2 * edge
    parts = [array[:edge], array[len(array) - edge :]] if skip else [array]

    if array.ndim > 1:
        rows = [[brackets(row, indent + 1, summarize, form) for row in part] for part in parts]
        between = "," + "\n" * (array.ndim - 1) + " " * (indent + 1)
        return "[" + between.join(join_parts(rows, "...")) + "]"

    cells = [[form(value) for value in part.tolist()] for part in parts]
    cells = join_parts(cells, " ..." if edge else "...")
    per_line = max(1, math.floor((OPTIONS.linewidth - indent) / (form.width + 2)))
    lines = [", ".join(cells[i : i + per_line]) for i in range(0, len(cells), per_line)]
    return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"


def join_parts(parts, dots):
    """One list of the shown elements, with `dots` where some were left out."""
    return parts[0] if len(parts) == 1 else [*parts[0], dots, *parts[1]]


class NumberFormat:
    """How each number of a tensor is written: chosen from all shown, so that columns line up.

    Whole numbers get a bare point ("2."), others `precision` digits; a range beyond 1e-4 .. 1e8, or
    a ratio beyond 1000, gets scientific notation. Zeros, infinities and NaN have no say in this.
    """

    def __init__(self, shown):
        self.width = 1
        self.write = str
        values = shown.reshape(-1)
        if values.dtype.kind == "f":
            values = values[np.isfinite(values) & (values != 0)].astype(np.float64)
            self.write = float_writer(values)
        self.width = max((len(self.write(value)) for value in values.tolist()), default=1)

    def __call__(self, value):
        return self.write(value).rjust(self.width)


def float_writer(values):
    """The function that writes one float, given all finite nonzero ones."""
    digits = OPTIONS.precision
    if values.size == 0:
        return write_whole
    sizes = np.abs(values)
    low, high = float(sizes.min()), float(sizes.max())  # Python's division overflows silently
    scientific = OPTIONS.sci_mode
    if scientific is None:
        scientific = high / low > 1000.0 or high > 1.0e8 or low < 1.0e-4
    if scientific:
        return f"{{:.{digits}e}}".format
    if np.array_equal(values, np.ceil(values)):
        return write_whole
    return f"{{:.{digits}f}}".format


def write_whole(value):
    """A whole number with a point, the sign of a float tensor; inf and nan have none."""
    return f"{value:.0f}." if math.isfinite(value) else f"{value:.0f}"


class ComplexFormat:
    """Complex numbers: the real and the imaginary parts have a format each."""

    def __init__(self, real, imag):
        self.real, self.imag = real, imag
        self.width = real.width + imag.width + 1

    def __call__(self, value):
        imag = self.imag(value.imag).lstrip()
        sign = "" if imag[0] in "+-" else "+"
        return f"{self.real(value.real)}{sign}{imag}j"
