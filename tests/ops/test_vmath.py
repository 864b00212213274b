"""Elementary functions on the CPU: their errors in ulps over all kinds of arguments, that loops
over them vectorize, and that an element gets the same bits wherever it lies.
"""

import decimal
import math

import numpy as np
import pytest

import numtorch as nt
from numtorch.backends.codegen import Loop
from numtorch.backends.cpu import simd, vmath
from numtorch.backends.cpu.jit import Kernel, buffer_type, exact, prange
from numtorch.backends.cpu.scalar import kernel_for
from numtorch.ops.pointwise import cpu

# name: (reference in a wider type, errors allowed in float32 and float64): a little more than
# was found among many more arguments (docs/accuracy.md).
FUNCTIONS = {
    "exp": (np.exp, 1.1, 1.1),
    "exp2": (np.exp2, 1.1, 1.1),
    "expm1": (np.expm1, 1.6, 1.9),
    "log": (np.log, 1, 0.9),
    "log2": (np.log2, 1.1, 1.1),
    "log10": (np.log10, 1, 1),
    "log1p": (np.log1p, 1.5, 1.5),
    "tanh": (np.tanh, 1.9, 1.6),
    "sinh": (np.sinh, 1.8, 1.8),
    "cosh": (np.cosh, 1.4, 1.4),
    "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), 1.7, 1.7),
    "nn.functional.silu": (lambda x: x / (1 + np.exp(-x)), 2, 2),
    "sin": (np.sin, 1.7, 1.7),
    "cos": (np.cos, 1.9, 1.8),
    "tan": (np.tan, 0.6, 2),
    "atan": (np.arctan, 1.3, 1.3),
    "rsqrt": (lambda x: 1 / np.sqrt(x), 1.5, 1.5),
}
EDGES = [0.0, math.inf, math.nan, 5e-324, 2.0**-1022, 1.0, 2.0, 10.0, math.pi / 2, 355 / 113]
EDGES += [88.72, 103.97, 708.39, 709.78, 745.13, 2.0**30, 1e22, 1e300]


def wide(array):
    """The same numbers with at least 11 more bits."""
    if array.dtype == np.float32:
        return array.astype(np.float64)
    if np.finfo(np.longdouble).nmant < 63:
        pytest.skip("no float wider than float64 on this platform")
    return array.astype(np.longdouble)


def arguments(dtype):
    """Every kind of number: one in 29989 of the bit patterns of float32, as many of float64."""
    if dtype == "float32":
        drawn = np.arange(1234, 1 << 32, 29989, dtype=np.uint64).astype(np.uint32).view(np.float32)
    else:
        rng = np.random.default_rng(3)
        bits = rng.integers(0, 1 << 64, 30_000, dtype=np.uint64).view(np.float64)
        sizes = 10.0 ** rng.uniform(-20, 3, 70_000)
        drawn = np.concatenate([bits, rng.standard_normal(70_000) * sizes])
    with np.errstate(over="ignore", under="ignore"):
        edges = np.array(EDGES + [-e for e in EDGES]).astype(dtype)
    steps = [np.nextafter(edges, edges.dtype.type(to)) for to in (-np.inf, np.inf)]
    return np.concatenate([drawn, edges, *steps])


def ulps(got, want):
    """Errors in units of the last place of `want` in got's type; inf where only one of the two is
    NaN or infinite, or where zeros have different signs.
    """
    info = np.finfo(got.dtype)
    with np.errstate(all="ignore"):
        rounded = want.astype(got.dtype)
        size = np.where(np.isfinite(rounded) & (want != 0), abs(want), 1)
        exponent = np.maximum(np.floor(np.log2(size)), info.minexp).astype(int)
        unit = np.ldexp(want.dtype.type(1), exponent - info.nmant)
        errors = abs(got.astype(want.dtype) - want) / unit
        # the largest number and infinity are next to each other
        edge = (abs(want) >= info.max) & (abs(got) >= info.max) & (np.sign(got) == np.sign(want))
        same = (got == rounded) | (np.isnan(got) & np.isnan(want))
    errors[~np.isfinite(errors)] = np.inf
    errors[same] = np.minimum(errors[same], 0.5)
    errors[edge] = np.minimum(errors[edge], 1)
    errors[(want == 0) & (got == 0) & (np.signbit(want) != np.signbit(got))] = np.inf
    return errors


def check(got, want, allowed, *inputs):
    errors = ulps(got, want)
    i = int(errors.argmax())
    at = ", ".join(repr(x[i]) for x in inputs)
    assert errors[i] <= allowed, f"{errors[i]:.2f} ulp at {at}: {got[i]!r} instead of {want[i]!r}"


def function_of(name):
    found = nt
    for part in name.split("."):
        found = getattr(found, part)
    return found


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_error(name, dtype):
    reference, *allowed = FUNCTIONS[name]
    x = arguments(dtype)
    if name in ("sin", "cos", "tan"):  # long double has no exact reduction of such arguments
        x = x[~(abs(x) > 2.0**60)]
    with np.errstate(all="ignore"):
        want = reference(wide(x))
    got = function_of(name)(nt.from_numpy(x)).numpy()
    check(got, want, allowed[dtype == "float64"], x)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_pow_error(dtype):
    rng = np.random.default_rng(4)
    n = 30_000
    kinds = [
        (arguments(dtype)[:n], rng.permutation(arguments(dtype))[:n]),
        (abs(rng.standard_normal(n)), rng.standard_normal(n) * 3),
        (1 + rng.standard_normal(n) * 1e-5, rng.standard_normal(n) * 1e5),
        (rng.standard_normal(n) * 10, np.round(rng.standard_normal(n) * 10)),
        np.meshgrid([*EDGES, *(-e for e in EDGES), 3.0, -3.0], [*EDGES, -1, -2, 3, -0.5, -np.inf]),
    ]
    for x, y in kinds:
        with np.errstate(over="ignore", under="ignore"):
            x, y = (np.ravel(v).astype(dtype) for v in (x, y))
        with np.errstate(all="ignore"):
            want = np.power(wide(x), wide(y))
        check((nt.from_numpy(x) ** nt.from_numpy(y)).numpy(), want, 1.2, x, y)


def pairs(dtype):
    """Two lists of numbers: of all kinds, of similar size, and every two edges."""
    rng = np.random.default_rng(5)
    drawn = arguments(dtype)[:20_000]
    edges = np.array([*EDGES, *(-e for e in EDGES), 3.0, -0.1])
    near = rng.standard_normal((2, 20_000)) * [[1000], [1]]
    with np.errstate(over="ignore", under="ignore"):
        lists = [(drawn, rng.permutation(drawn)), near, map(np.ravel, np.meshgrid(edges, edges))]
        x, y = (np.concatenate(part).astype(dtype) for part in zip(*map(tuple, lists), strict=True))
    return x, y


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name, allowed", [("atan2", 2), ("hypot", 1.5)])
def test_errors_of_pairs(name, allowed, dtype):
    x, y = pairs(dtype)
    with np.errstate(all="ignore"):
        want = getattr(np, {"atan2": "arctan2"}.get(name, name))(wide(x), wide(y))
    got = getattr(nt, name)(nt.from_numpy(x), nt.from_numpy(y)).numpy()
    check(got, want, allowed, x, y)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "ours, reference",
    [("fmod", np.fmod), ("remainder", np.remainder), ("floor_divide", np.floor_divide)],
)
def test_remainders_are_exact(ours, reference, dtype):
    """Whole pieces whose quotients are small, and pieces with some that need the C library."""
    x, y = pairs(dtype)
    with np.errstate(all="ignore"):
        order = np.argsort(abs(x) > 2.0**20 * abs(y), kind="stable")  # the first pieces have none
        x, y = x[order], y[order]
        want = reference(x, y)
    got = getattr(nt, ours)(nt.from_numpy(x), nt.from_numpy(y)).numpy()
    np.testing.assert_array_equal(got, want)


def erfc_decimal(x):
    """erfc(x) to 40 digits: by the series of erf, or the continued fraction above 3."""
    with decimal.localcontext(prec=60):
        pi = decimal.Decimal("3.14159265358979323846264338327950288419716939937510582097494459")
        a = abs(decimal.Decimal(float(x)))
        if a < 3:
            term = total = a
            for n in range(1, 200):
                term = -term * a * a / n
                total += term / (2 * n + 1)
            small = 1 - 2 * total / pi.sqrt()
        else:
            fraction = decimal.Decimal(0)
            for n in range(200, 0, -1):
                fraction = decimal.Decimal(n) / 2 / (a + fraction)
            small = (-a * a).exp() / pi.sqrt() / (a + fraction)
        return small if x >= 0 else 2 - small


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_erf_error(dtype):
    rng = np.random.default_rng(5)
    x = [rng.standard_normal(300), rng.uniform(-6, 9, 100), 10.0 ** rng.uniform(-9, 0, 50)]
    x = np.concatenate(x).astype(dtype)
    exact, kind = [erfc_decimal(v) for v in x], wide(x).dtype.type
    check(nt.erfc(nt.from_numpy(x)).numpy(), np.array([kind(str(e)) for e in exact]), 5, x)
    with decimal.localcontext(prec=60):
        want = np.array([kind(str(1 - e)) for e in exact])
    check(nt.erf(nt.from_numpy(x)).numpy(), want, 1, x)
    ends = np.array([0.0, -0.0, np.inf, -np.inf, np.nan], dtype)
    for name, values in {"erf": [0.0, -0.0, 1, -1, np.nan], "erfc": [1, 1, 0, 2, np.nan]}.items():
        check(getattr(nt, name)(nt.from_numpy(ends)).numpy(), np.array(values, kind), 1, ends)


LONG = ["exp", "expm1", "log", "log10", "tanh", "sigmoid", "erf", "sin", "tan", "atan"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", LONG)
def test_place_does_not_matter(name, dtype):
    """Vector body and scalar tail, contiguous and strided loops, near and far blocks agree."""
    x = np.random.default_rng(6).standard_normal(2500).astype(dtype) * 3
    function = function_of(name)
    with np.errstate(all="ignore"):
        whole = function(nt.from_numpy(x)).numpy()
    for begin, end in ((0, 1), (1, 18), (3, 40), (7, 1200), (2400, 2500)):
        part = function(nt.from_numpy(x[begin:end].copy())).numpy()
        np.testing.assert_array_equal(part, whole[begin:end])
    spread = nt.from_numpy(np.repeat(x, 3))[::3]
    np.testing.assert_array_equal(function(spread).numpy(), whole)
    far = x.copy()
    far[1100] = 1e12
    np.testing.assert_array_equal(
        np.delete(function(nt.from_numpy(far)).numpy(), 1100), np.delete(whole, 1100)
    )


@pytest.mark.parametrize("name", ["exp", "sin"])
def test_threads_do_not_matter(name):
    x = nt.from_numpy(np.random.default_rng(7).standard_normal(300_001, np.float32))
    function, before = function_of(name), nt.get_num_threads()
    try:
        nt.set_num_threads(1)
        one = function(x)
        nt.set_num_threads(2)
        assert nt.equal(one, function(x))
    finally:
        nt.set_num_threads(before)


@pytest.mark.parametrize("expression", ["sin(a) * b", "where(a <= 0, 0, a)"])
def test_results_past_the_caches(expression):
    """The kernel that writes past the caches gives what the other one gives, and no more."""
    n = 5000
    a = np.random.default_rng(8).standard_normal(n).astype(np.float32)
    loop = Loop("test", ("a", "b"), ("float32",) * 2, (None, None), (expression,), "float32")
    flat, streamed = (kernel_for(loop, form).compile(a, a, a, 1) for form in ("flat", "streamed"))
    for first, count in ((0, 0), (0, 1), (3, 127), (16, 128), (1, 129), (0, 2048), (5, 4444)):
        x, (got, want) = a[first : first + count].copy(), np.full((2, n), 7, np.float32)
        flat(x, x, want[first:], count)
        streamed(x, x, got[first:], count)
        np.testing.assert_array_equal(got, want)


def test_large_results(monkeypatch):
    """Past the caches only what is written and not read."""
    monkeypatch.setattr(cpu, "STREAM", 1 << 20)
    x = nt.from_numpy(np.random.default_rng(9).standard_normal(300_007).astype(np.float32))
    want = x.numpy() * np.float32(1.25)
    np.testing.assert_array_equal((x * 1.25).numpy(), want)
    out = nt.zeros(300_010)
    nt.mul(x, 1.25, out=out[3:])  # not at the beginning of a cache line
    np.testing.assert_array_equal(out.numpy(), np.concatenate([np.zeros(3, np.float32), want]))
    np.testing.assert_array_equal(x.mul_(1.25).numpy(), want)


def llvm_of(function, dtype, fastmath):
    """The optimized code of a loop over `function`."""

    wide = vmath.wide

    def loop(x, out, n):
        for i in prange(n):
            wide()
            out[i] = function(x[i])

    from numba import types

    result = Kernel(loop, fastmath).compiled((*[buffer_type(np.dtype(dtype))] * 2, types.int64))
    return result.library.get_llvm_str()


@pytest.mark.parametrize("fastmath", ["pointwise", "sum"])
@pytest.mark.parametrize("name", ["exp", "log1p", "erf", "sin_near", "pow"])
def test_loops_vectorize(name, fastmath):
    import numba

    if numba.config.DISABLE_JIT:
        pytest.skip("nothing is compiled")
    function = getattr(vmath, name)
    if name == "pow":
        power = function
        function = exact(lambda x: power(x, x))
    for dtype, width in (("float32", "f32"), ("float64", "f64")):
        if width == "f32" and name in ("sin_near", "pow"):
            continue  # computed in float64
        lanes = simd.lanes_of(np.dtype(dtype).itemsize)
        assert f"llvm.fma.v{lanes}{width}" in llvm_of(function, dtype, fastmath)
