"""Distributions that fill a tensor in place: `uniform_`, `normal_`, `random_`, `bernoulli_`, ...

Each is a primitive whose input is overwritten; its derivative is zero. The generator is an
attribute like any other: a plan belongs to one generator, and reads and advances its state when it
runs.
"""

import functools
import warnings

from ...core import generate
from ...core.errors import kind
from ...core.op import primitive
from ...core.random import resolve_generator
from ...core.tensor import Tensor

ROOM = "numtorch.ops.random"
INT64_MIN = -(1 << 63)
WIDE = 1 << 28  # from this range on, torch takes 64 bits for an integer
DIGITS = {"float32": 24, "float64": 53}
C_NAMES = {
    "bool": "bool",
    "uint8": "unsigned char",
    "int8": "signed char",
    "int16": "short int",
    "int32": "int",
    "int64": "long int",
    "float32": "float",
    "float64": "double",
}


def short_name(spec) -> str:
    """A dtype as torch's messages spell it: Float, Long, ..."""
    return spec.dtype.type_name.removesuffix("Tensor")


def not_implemented(kernel: str, spec) -> NotImplementedError:
    """torch's error for a dtype that a distribution cannot fill."""
    return NotImplementedError(f"\"{kernel}\" not implemented for '{short_name(spec)}'")


def zero(g):
    """The derivative with respect to values that are overwritten."""
    return g.new_zeros(g._spec.shape)


def in_place(function):
    """The in-place form of a primitive."""
    return generate.stub(function.op, "in_place")


def fill(name: str, run, target, generator, *attrs):
    """Run an in-place primitive with the generator that was given, or the device's."""
    if not isinstance(target, Tensor):
        raise TypeError(
            f"{name}(): argument 'input' (position 1) must be Tensor, not {kind(target)}"
        )
    return run(target, *attrs, resolve_generator(generator, target._spec.device, name))


def number(value, name: str, argument: str) -> float:
    """A parameter of a distribution as a float; 0-d tensors and bools are numbers, too, as in
    torch.
    """
    if isinstance(value, (int, float)):
        return float(value)
    if isinstance(value, Tensor) and value._spec.numel == 1:
        return float(value.item())
    raise TypeError(f"{name}(): argument '{argument}' must be float, not {kind(value)}")


def plain(value: float) -> str:
    """A number as C++ prints it."""
    return f"{value:g}"


# -- continuous ------------------------------------------------------------------------------------
@primitive(vjp={"input": zero}, aliasing=True, module=ROOM)
def uniform_op(input, *, low, high, generator):
    """Independent samples of the uniform distribution on [low, high). (...) -> (...)"""
    if not input.dtype.is_floating_point:
        raise not_implemented("check_uniform_bounds", input)
    most = LARGEST[input.dtype.name]
    for value, name in ((low, "from"), (high, "to")):
        if not -most <= value <= most:
            raise RuntimeError(f"{name} is out of bounds for {C_NAMES[input.dtype.name]}")
    if low > high:
        raise RuntimeError(
            f"uniform_ expects to return a [from, to) range, but found from={plain(low)} > "
            f"to={plain(high)}"
        )
    if high - low > most:
        raise RuntimeError(
            f"uniform_ expects to-from <= std::numeric_limits<{short_name(input)}>::max(), but "
            f"found to={plain(high)} and from={plain(low)} which result in to-from to exceed the "
            "limit"
        )
    return input


LARGEST = {
    "float32": float.fromhex("0x1.fffffep127"),
    "float64": float.fromhex("0x1.fffffffffffffp1023"),
}


@primitive(vjp={"input": zero}, aliasing=True, module=ROOM)
def normal_op(input, *, mean, std, generator):
    """Independent samples of the normal distribution. (...) -> (...)"""
    if not std >= 0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {plain(std)}")
    if not input.dtype.is_floating_point:
        raise not_implemented("normal_kernel_cpu", input)
    return input


@primitive(vjp={"input": zero}, aliasing=True, module=ROOM)
def log_normal_op(input, *, mean, std, generator):
    """exp of independent normal samples. (...) -> (...)"""
    if not std > 0:
        raise RuntimeError(f"log_normal_ expects std > 0.0, but found std={plain(std)}")
    if not input.dtype.is_floating_point:
        raise not_implemented("log_normal_cpu", input)
    return input


@primitive(vjp={"input": zero}, aliasing=True, module=ROOM)
def exponential_op(input, *, rate, generator):
    """Independent samples of the exponential distribution. (...) -> (...)"""
    if not rate > 0:
        raise RuntimeError(f"exponential_ expects lambda > 0.0, but found lambda={plain(rate)}")
    if not input.dtype.is_floating_point:
        raise RuntimeError(
            "Exponential distribution is a continuous probability distribution. dtype must be a "
            f"floating point but you specified {short_name(input)}"
        )
    return input


@primitive(vjp={"input": zero}, aliasing=True, module=ROOM)
def cauchy_op(input, *, median, sigma, generator):
    """Independent samples of the Cauchy distribution. (...) -> (...)"""
    if not sigma > 0:
        raise RuntimeError(f"cauchy_ expects sigma > 0.0, but found sigma={plain(sigma)}")
    if not input.dtype.is_floating_point:
        raise RuntimeError(
            "Cauchy distribution is a continuous probability distribution. dtype must be a "
            f"floating point but you specified {C_NAMES[input.dtype.name]}"
        )
    return input


# -- discrete --------------------------------------------------------------------------------------
@primitive(vjp={"input": zero}, aliasing=True, module=ROOM)
def integers_op(input, *, low, bound, wide, generator):
    """Independent integers from [low, low + bound); bound 0 stands for 2**64. (...) -> (...)

    wide: whether each takes 64 random bits.
    """
    return input


@primitive(vjp={"input": zero}, aliasing=True, module=ROOM)
def bernoulli_op(input, *, p, generator):
    """1 with probability p, else 0. (...) -> (...)"""
    if not 0 <= p <= 1:
        raise RuntimeError(f"bernoulli_ expects p to be in [0, 1], but got p={plain(p)}")
    return input


@primitive(vjp={"input": zero, "p": zero}, aliasing=True, module=ROOM)
def bernoulli_tensor_op(input, p, *, generator):
    """1 with the probability that `p` has for the element, else 0. (...), (...) -> (...)"""
    if not p.dtype.is_floating_point:
        raise not_implemented("bernoulli_tensor_cpu_p_", p)
    return input


@primitive(vjp={"input": zero}, aliasing=True, module=ROOM)
def geometric_op(input, *, p, generator):
    """How many trials of probability p it takes to succeed. (...) -> (...)"""
    if not 0 < p < 1:
        raise RuntimeError(f"geometric_ expects p to be in (0, 1), but got p={plain(p)}")
    if input.dtype.name == "bool":
        raise not_implemented("geometric_cpu", input)
    return input


_uniform, _normal, _log_normal = in_place(uniform_op), in_place(normal_op), in_place(log_normal_op)
_exponential, _cauchy, _integers = (
    in_place(exponential_op),
    in_place(cauchy_op),
    in_place(integers_op),
)
_bernoulli, _bernoulli_tensor = in_place(bernoulli_op), in_place(bernoulli_tensor_op)
_geometric = in_place(geometric_op)


# -- methods ---------------------------------------------------------------------------------------
def uniform_(input, from_=0.0, to=1.0, *, generator=None, **keyword):
    """Fill with samples of the uniform distribution on [from, to)."""
    low = number(keyword.pop("from", from_), "uniform_", "from")
    if keyword:
        raise TypeError(f"uniform_() got an unexpected keyword argument '{next(iter(keyword))}'")
    return fill("uniform_", _uniform, input, generator, low, number(to, "uniform_", "to"))


def normal_(input, mean=0.0, std=1.0, *, generator=None):
    """Fill with samples of the normal distribution."""
    mean, std = number(mean, "normal_", "mean"), number(std, "normal_", "std")
    return fill("normal_", _normal, input, generator, mean, std)


def log_normal_(input, mean=1.0, std=2.0, *, generator=None):
    """Fill with exp of samples of the normal distribution."""
    mean, std = number(mean, "log_normal_", "mean"), number(std, "log_normal_", "std")
    return fill("log_normal_", _log_normal, input, generator, mean, std)


def exponential_(input, lambd=1.0, *, generator=None):
    """Fill with samples of the exponential distribution of rate `lambd`."""
    return fill(
        "exponential_", _exponential, input, generator, number(lambd, "exponential_", "lambd")
    )


def cauchy_(input, median=0.0, sigma=1.0, *, generator=None):
    """Fill with samples of the Cauchy distribution."""
    median, sigma = number(median, "cauchy_", "median"), number(sigma, "cauchy_", "sigma")
    return fill("cauchy_", _cauchy, input, generator, median, sigma)


def geometric_(input, p, *, generator=None):
    """Fill with the number of trials up to the first success, of probability p."""
    return fill("geometric_", _geometric, input, generator, number(p, "geometric_", "p"))


def bernoulli_(input, p=0.5, *, generator=None):
    """Fill with 1 with probability p (a number, or a tensor of one for each element), else 0."""
    if isinstance(p, Tensor):
        p = p if p._spec.shape == input._spec.shape else p.expand(input._spec.shape)
        return fill("bernoulli_", _bernoulli_tensor, input, generator, p)
    return fill("bernoulli_", _bernoulli, input, generator, number(p, "bernoulli_", "p"))


def random_(input, *bounds, generator=None, **keyword):
    """Fill with integers: `random_()` from the dtype's range, `random_(to)`, `random_(from, to)`.

    Without bounds, floating dtypes get every integer up to 2**24 (float32) or 2**53 (float64). With
    `to=None`, the range ends with the largest number of the dtype.
    """
    low, high = _bounds(bounds, keyword)
    if not isinstance(input, Tensor):
        raise TypeError(
            f"random_(): argument 'input' (position 1) must be Tensor, not {kind(input)}"
        )
    low, bound, wide = integer_range(input._spec.dtype, low, high)
    return fill("random_", _integers, input, generator, low, bound, wide)


def _bounds(bounds: tuple, keyword: dict):
    """The arguments of `random_` as (from, to); from is None where none was given."""
    names = ("from", "to") if len(bounds) + len(keyword) == 2 else ("to",)
    given = dict(zip(names, bounds, strict=False)) | keyword
    if len(bounds) > 2 or not given.keys() <= {"from", "to"}:
        raise TypeError(
            "random_() takes (), (to) or (from, to), each an int, and the keyword generator"
        )
    for name, value in given.items():
        if not (value is None and name == "to" and "from" in given) and (
            isinstance(value, (bool, float)) or not hasattr(value, "__index__")
        ):
            raise TypeError(
                f"random_() received an invalid combination of arguments: '{name}' must be int, "
                f"not {kind(value)}"
            )
    if not given:
        return None, None
    low, high = given.get("from", 0), given.get("to", None)
    return low.__index__(), None if high is None else high.__index__()


def limits(dtype) -> tuple[int, int]:
    """The smallest and the largest number of a dtype, as integers."""
    if dtype.is_floating_point:
        return -int(LARGEST[dtype.name]), int(LARGEST[dtype.name])
    if dtype.name == "bool":
        return 0, 1
    bits = 8 * dtype.itemsize
    return (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if dtype.is_signed else (0, (1 << bits) - 1)


@functools.lru_cache(512)
def integer_range(dtype, low: int | None, high: int | None) -> tuple[int, int, bool]:
    """Start, number of values, and whether each takes 64 bits; low None is the range of
    `random_()`, high None ends with the dtype's largest number.
    """
    floating = dtype.is_floating_point
    if low is None:
        last = 1 << DIGITS[dtype.name] if floating else limits(dtype)[1]
        return 0, last + 1, dtype.name in ("int64", "float64")
    if high is None and low == INT64_MIN:
        if not floating and dtype.name != "int64":
            raise RuntimeError(
                "random_full_64_bits_range_kernel_cpu handles only int64, double, float and "
                "bfloat16"
            )
        return 0, 0, True
    if high is None:
        last = 1 << DIGITS[dtype.name] if floating else limits(dtype)[1]
        low = _from(dtype, low) if floating else low
    else:
        if low >= high:
            raise RuntimeError(
                f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}"
            )
        if floating:
            low, high = _from(dtype, low), _to(dtype, high)
            if low >= high:
                raise RuntimeError(
                    "random_ expects 'from' casted to dtype to be less than 'to' casted to dtype, "
                    f"but got from={low} >= to={high}"
                )
        last = high - 1
    _check_range(dtype, low, last)
    bound = last - low + 1
    return low, bound % (1 << 64), bound >= WIDE


def _check_range(dtype, low: int, last: int) -> None:
    least, most = limits(dtype)
    name = C_NAMES[dtype.name]
    for value, what in ((low, "from"), (last, "to - 1")):
        if not least <= value <= most:
            raise RuntimeError(f"{what} is out of bounds for {name}")
        digits = DIGITS.get(dtype.name)
        if digits is not None and abs(value) > 1 << digits:
            warnings.warn(
                f"{what} is out of bounds [-(2^{digits}), 2^{digits}]. Due to precision "
                f"limitations {name} can support discrete uniform distribution only within this "
                "range. This warning will become an error in version 1.7 release, please fix the "
                "code in advance",
                stacklevel=4,
            )


def _rounded(dtype, value: int) -> int:
    return int(dtype.np.type(value))


def _from(dtype, low: int) -> int:
    """The start of a range, moved up to a number of the dtype where rounding would go below it."""
    up = _rounded(dtype, low + 1)
    if up < low:
        return up + (1 << (abs(low + 1).bit_length() - DIGITS[dtype.name]))
    return low


def _to(dtype, high: int) -> int:
    """The end of a range, moved down to a number of the dtype where rounding would reach it."""
    down = _rounded(dtype, high - 1)
    if down >= high:
        return down - (1 << (abs(high - 1).bit_length() - DIGITS[dtype.name]))
    return high
