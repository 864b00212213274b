"""The sum-like reductions as scalar expressions; both devices make their kernels from them.

`a` is an element converted to the type `compute`, `b` a value that belongs to the result (a mean, a
maximum), `v` what joins the accumulator `acc`, `scale` a number given at the launch.
"""

from dataclasses import dataclass, replace

from ...backends.codegen import scalar_code
from ...core.dtype import bool_, dtype, float32, float64


@dataclass(frozen=True)
class Reduction:
    """What is accumulated; expressions of `a` are in the type `compute`, those of `acc` in `narrow`
    or `wide`.
    """

    title: str
    compute: str  # the type that elements are converted to
    start: str
    step: str  # of acc and v
    narrow: str  # the type of the accumulator of up to a few thousand elements
    wide: str  # the type of the accumulator of everything
    element: str = "a"
    finish: str = "acc"  # of acc and scale
    pairs: bool = False  # takes b
    run: str = ""  # on the CPU, a function that gives the `a` that counts of elements in a row
    shortest: int = 0  # how many of these are worth its beginning and end
    columns: "Reduction | None" = (
        None  # what to do where results lie next to each other, if not the same
    )
    rows: "Reduction | None" = None  # on the CPU, what to do where they do not, if not the same

    def value(self) -> str:
        """The code of v."""
        return scalar_code(self.element, self.compute)

    def again(self, partial: str) -> "Reduction":
        """What joins the results of chunks, which are of the type `partial`."""
        return replace(
            self,
            title=self.title + "_again",
            compute=partial,
            narrow=partial,
            element="a",
            pairs=False,
            run="",
            columns=self.columns and self.columns.again(partial),
            rows=None,
        )


def _of(title: str, dtype: dtype, start: str, step: str, **options) -> Reduction:
    """A reduction in a dtype; blocks of float32 join in float64."""
    wide = float64 if dtype is float32 else dtype
    return Reduction(title, name_of(dtype), start, step, name_of(dtype), name_of(wide), **options)


def name_of(dtype: dtype) -> str:
    """A dtype's name in generated code."""
    return "bool" if dtype is bool_ else dtype.name


def total(dtype: dtype, finish: str = "acc") -> Reduction:
    """The sum; with `finish="acc / scale"` the mean."""
    run = "sum_run" if dtype.is_floating_point else ""
    title = "sum" if finish == "acc" else "mean"
    return _of(title, dtype, "0", "acc + v", finish=finish, run=run)


def nan_total(dtype: dtype) -> Reduction:
    """The sum of what is not NaN."""
    return _of("nansum", dtype, "0", "acc + v", element="where(a != a, 0, a)")


def product(dtype: dtype) -> Reduction:
    """The product. On the CPU, rows of float32 are multiplied in float64: in float32, products of
    parts of a long row are subnormal numbers, each of which takes 150 cycles.
    """
    plain = _of("prod", dtype, "1", "acc * v")
    if not dtype.is_floating_point:
        return plain
    return replace(plain, rows=replace(plain, narrow="float64", run="product_run"))


# Bits, as `or` and `and` of truth values do not vectorize: 2 ns an element.
ANY = Reduction("any", "bool", "0", "acc | v", "uint8", "uint8", "uint8(a)", "acc != 0")
ALL = Reduction("all", "bool", "1", "acc & v", "uint8", "uint8", "uint8(a)", "acc != 0")


def beyond_unit(dtype: dtype) -> Reduction:
    """Whether an element does not lie between 0 and 1."""
    outside = "uint8(a < 0) | uint8(a > 1) | uint8(a != a)"
    return replace(ANY, title="beyond_unit", compute=name_of(dtype), element=outside)


COUNT = Reduction("count_nonzero", "bool", "0", "acc + v", "int64", "int64", element="int64(a)")


def deviations(dtype: dtype, finish: str) -> Reduction:
    """The sum of squared distances from `b`, over `scale`: "acc / scale" or its root."""
    return _of(
        "deviations", dtype, "0", "acc + v", element="(a - b) * (a - b)", finish=finish, pairs=True
    )


SHIFT = "where(fabs(b) == inf, 0, b)"  # inf - inf is NaN


def exponentials(dtype: dtype) -> Reduction:
    """The sum of exp(a - b)."""
    element = f"exp{8 * dtype.itemsize}(a - {SHIFT})"  # never of a positive number
    return _of("exponentials", dtype, "0", "acc + v", element=element, pairs=True)


def extreme(dtype: dtype, largest: bool, element: str = "a") -> Reduction:
    """The largest or smallest element; a NaN wins.

    In rows, floats are compared as integers whose order is theirs (`order_key`): those comparisons
    vectorize, comparisons of floats that let NaN win do not (0.2 ns an element against 1.6). Where
    elements lie next to each other, `run` takes 0.05.
    """
    name, kind = name_of(dtype), "max" if largest else "min"
    sign = ">" if largest else "<"
    if not dtype.is_floating_point:
        start = f"{'lowest' if largest else 'highest'}_{name}"
        return _of(kind, dtype, start, f"where(v {sign} acc, v, acc)", element=element)
    start = "-inf" if largest else "inf"
    floats = _of(
        kind, dtype, start, f"where((acc {sign}= v) | (acc != acc), acc, v)", element=element
    )
    key, bits = f"int{8 * dtype.itemsize}", 8 * dtype.itemsize
    worst = f"{'lowest' if largest else 'highest'}_key{bits}"
    best = f"{'highest' if largest else 'lowest'}_int{bits}"
    return Reduction(
        kind,
        name,
        worst,
        f"where(v {sign} acc, v, acc)",
        key,
        key,
        f"order_key{bits}({element}, {best})",
        f"float_of_key{bits}(acc)",
        run=("largest_run" if largest else "smallest_run") if element == "a" else "",
        shortest=64,
        columns=floats,
    )


def norm(dtype: dtype, p: float) -> Reduction:
    """The p-norm; `scale` is p where it is none of 0, 1, 2, inf, -inf."""
    if p == 0:
        return _of("norm0", dtype, "0", "acc + v", element="where(a != 0, 1, 0)")
    if p == 1:
        return _of("norm1", dtype, "0", "acc + v", element="fabs(a)")
    if p == 2:
        return _of("norm2", dtype, "0", "acc + v", element="a * a", finish="sqrt(acc)")
    if p in (float("inf"), float("-inf")):
        return replace(extreme(dtype, p > 0, "fabs(a)"), title="norm_max" if p > 0 else "norm_min")
    return _of(
        "norm_p",
        dtype,
        "0",
        "acc + v",
        element="power(fabs(a), scale)",
        finish="power(acc, 1 / scale)",
    )
