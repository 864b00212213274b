"""New random tensors: `rand`, `randn`, `randint`, `randperm`, `normal`, `bernoulli`, and the
`_like` forms.
"""

from ...core import dtype as dtypes
from ...core import generate, interp
from ...core.batching import Call, any_true
from ...core.device import resolve
from ...core.errors import kind
from ...core.inplace import known_as
from ...core.interp import dispatch, runtime
from ...core.op import primitive
from ...core.out import resize
from ...core.plans import LIMIT, register
from ...core.random import resolve_generator
from ...core.shape import as_index, as_sizes, broadcast_shapes, is_dense
from ...core.spec import Spec
from ...core.tape import grad_mode, requiring
from ...core.tensor import Tensor, wrap
from ..pointwise.public import where
from .fill import (
    ROOM,
    _normal,
    _uniform,
    bernoulli_,
    limits,
    normal_,
    not_implemented,
    number,
    plain,
    random_,
    uniform_,
    zero,
)


def fresh(spec: Spec) -> Tensor:
    """A tensor whose elements are about to be drawn."""
    if runtime["interp"] is not None:
        return interp.fresh(tuple(spec.shape), lambda size: _uninitialized(spec.like(shape=size)))
    return _uninitialized(spec)


def _uninitialized(spec: Spec) -> Tensor:
    memory = runtime["memory"](spec.device)
    if spec.contiguous:
        return wrap(memory.allocator(spec)(), spec)
    flat = memory.allocator(Spec.of((spec.numel,), spec.dtype, spec.device))()
    return wrap(memory.view(flat, spec, 0), spec)


def target(name: str, sizes, out, dtype, device, default=None) -> Tensor:
    """The tensor to fill: `out` in the right shape, or a new one."""
    if out is None:
        if dtype is None:
            dtype = default or dtypes.get_default_dtype()
        if runtime["interp"] is not None:
            return interp.fresh(sizes, lambda size: wrap_new(size, dtype, device))
        found = _allocators.get((sizes, dtype, device))
        spec, make = found if found is not None else _allocator(sizes, dtype, device)
        return wrap(make(), spec)
    if not isinstance(out, Tensor):
        raise TypeError(f"{name}(): argument 'out' must be Tensor, not {kind(out)}")
    if dtype is not None and dtype is not out._spec.dtype:
        wanted, given = (d.type_name.removesuffix("Tensor") for d in (dtype, out._spec.dtype))
        raise RuntimeError(f"dtype {wanted} does not match dtype of out parameter ({given})")
    if tuple(out._spec.shape) != tuple(sizes):
        resize(out, Spec.of(sizes, out._spec.dtype))
    return out


_allocators: dict = register({})


def wrap_new(sizes, dtype, device) -> Tensor:
    """A new tensor of these sizes."""
    spec, make = _allocator(sizes, dtype, device)
    return wrap(make(), spec)


def _allocator(sizes: tuple, dtype, device):
    """The spec of a new tensor and the function that makes its memory, remembered for the next
    call.
    """
    for n in sizes:
        if n < 0:
            raise RuntimeError(
                f"Trying to create tensor with negative dimension {n}: {list(sizes)}"
            )
    dev = resolve(device)
    memory = runtime["memory"](dev)
    memory.check_available(dev.index)
    spec = Spec.of(sizes, dtype, dev)
    if len(_allocators) >= LIMIT:
        _allocators.clear()
    found = _allocators[sizes, dtype, device] = spec, memory.allocator(spec)
    return found


def like(name: str, input, dtype, device) -> Tensor:
    """A new tensor of the input's shape; the order of its dimensions in memory is kept, too."""
    if not isinstance(input, Tensor):
        raise TypeError(
            f"{name}(): argument 'input' (position 1) must be Tensor, not {kind(input)}"
        )
    spec = input._spec
    strides = spec.strides
    if not spec.contiguous and not is_dense(spec.shape, strides):
        order = sorted(range(spec.ndim), key=lambda d: -strides[d])
        dense, step = [0] * spec.ndim, 1
        for d in reversed(order):
            dense[d] = step
            step *= spec.shape[d]
        strides = tuple(dense)
    dev = spec.device if device is None else resolve(device)
    return fresh(Spec.of(spec.shape, dtype or spec.dtype, dev, strides))


def finish(result: Tensor, requires_grad: bool) -> Tensor:
    """`result`, as a leaf of autograd where that was asked for."""
    return requiring(result) if requires_grad else result


def sizes_of(name: str, sizes: tuple, size) -> tuple[int, ...]:
    """Sizes given as `f(2, 3)`, `f((2, 3))` or `f(size=(2, 3))`."""
    if size is not None:
        sizes = (tuple(size),)
    elif not sizes:
        raise TypeError(
            f"{name}() received an invalid combination of arguments: no sizes, as in {name}(2, 3)"
        )
    return as_sizes(sizes, name)


def rand(*sizes, size=None, generator=None, out=None, dtype=None, layout=None, device=None,
         requires_grad=False, pin_memory=False):  # fmt: skip
    """Samples of the uniform distribution on [0, 1). -> (sizes)"""
    made = target("rand", sizes_of("rand", sizes, size), out, dtype, device)
    _uniform(made, 0.0, 1.0, resolve_generator(generator, made._spec.device, "rand"))
    return finish(made, requires_grad) if requires_grad else made


def randn(*sizes, size=None, generator=None, out=None, dtype=None, layout=None, device=None,
          requires_grad=False, pin_memory=False):  # fmt: skip
    """Samples of the standard normal distribution. -> (sizes)"""
    made = target("randn", sizes_of("randn", sizes, size), out, dtype, device)
    _normal(made, 0.0, 1.0, resolve_generator(generator, made._spec.device, "randn"))
    return finish(made, requires_grad) if requires_grad else made


def randint(low, high=None, size=None, *, generator=None, out=None, dtype=None, layout=None,
            device=None, requires_grad=False, pin_memory=False):  # fmt: skip
    """Integers from [low, high): `randint(high, size)` or `randint(low, high, size)`. -> (size)"""
    if isinstance(high, (tuple, list)):
        low, high, size = 0, low, high
    elif high is None:
        low, high = 0, low
    low, high = as_index(low, "low", "randint"), as_index(high, "high", "randint")
    if not isinstance(size, (tuple, list)):
        raise TypeError(f"randint(): argument 'size' must be tuple of ints, not {kind(size)}")
    made = target("randint", as_sizes((size,), "randint"), out, dtype, device, dtypes.int64)
    return finish(random_(made, low, high, generator=generator), requires_grad)


def rand_like(input, *, generator=None, dtype=None, layout=None, device=None, requires_grad=False,
              pin_memory=False, memory_format=None):  # fmt: skip
    """`rand` in the shape, dtype and device of `input`. (...) -> (...)"""
    return finish(
        uniform_(like("rand_like", input, dtype, device), generator=generator), requires_grad
    )


def randn_like(input, *, generator=None, dtype=None, layout=None, device=None, requires_grad=False,
               pin_memory=False, memory_format=None):  # fmt: skip
    """`randn` in the shape, dtype and device of `input`. (...) -> (...)"""
    return finish(
        normal_(like("randn_like", input, dtype, device), generator=generator), requires_grad
    )


def randint_like(input, low, high=None, *, generator=None, dtype=None, layout=None, device=None,
                 requires_grad=False, pin_memory=False, memory_format=None):  # fmt: skip
    """`randint` in the shape, dtype and device of `input`: `(input, high)` or `(input, low, high)`.

    (...) -> (...)
    """
    if high is None:
        low, high = 0, low
    low, high = as_index(low, "low", "randint_like"), as_index(high, "high", "randint_like")
    made = like("randint_like", input, dtype, device)
    return finish(random_(made, low, high, generator=generator), requires_grad)


def _each_row(call: Call):
    for row in call.tensors[0].unbind(0):
        dispatch(call.op, (row,), tuple(call.attrs.values()), row)


@primitive(vmap=_each_row, vjp={"input": zero}, aliasing=True, module=ROOM)
def randperm_op(input, *, generator):
    """The numbers from 0 to N - 1 in random order. (N,) -> (N,)"""
    return input


_randperm = generate.stub(randperm_op.op, "in_place")


def randperm(n, *, generator=None, out=None, dtype=None, layout=None, device=None,
             requires_grad=False, pin_memory=False):  # fmt: skip
    """The numbers from 0 to n - 1 in random order. -> (n,)"""
    n = as_index(n, "n", "randperm")
    made = target("randperm", (n,), out, dtype, device, dtypes.int64)
    if made._spec.dtype is dtypes.bool_:
        raise not_implemented("randperm", made._spec)
    exact = 1 << 24 if made._spec.dtype is dtypes.float32 else limits(made._spec.dtype)[1]
    if n > exact + made._spec.dtype.is_floating_point:
        raise RuntimeError(
            f"randperm: n = {n} cannot be converted to type {made._spec.dtype} without overflow: "
            f"its numbers go to {exact}"
        )
    _randperm(made, resolve_generator(generator, made._spec.device, "randperm"))
    return finish(made, requires_grad)


def normal(mean=0.0, std=1.0, size=None, *, generator=None, out=None, dtype=None, layout=None,
           device=None, requires_grad=False, pin_memory=False):  # fmt: skip
    """Normal samples: `normal(mean, std, size)`, or with tensors of means and standard deviations,
    which broadcast.

    Derivatives with respect to mean and std are zero, as in torch.
    """
    if not isinstance(mean, Tensor) and not isinstance(std, Tensor):
        if size is None:
            raise TypeError(
                "normal() received an invalid combination of arguments: numbers need a size"
            )
        made = target("normal", as_sizes((size,), "normal"), out, dtype, device)
        return finish(normal_(made, mean, std, generator=generator), requires_grad)
    given = mean, std
    mean, std = (
        t.detach() if isinstance(t, Tensor) else number(t, "normal", n)
        for t, n in ((mean, "mean"), (std, "std"))
    )
    first = mean if isinstance(mean, Tensor) else std
    sizes = first._spec.shape
    if isinstance(std, Tensor):
        if std._spec.numel and any_true(~(std >= 0)):
            raise RuntimeError("normal expects all elements of std >= 0.0")
        sizes = broadcast_shapes(sizes, std._spec.shape)
    elif not std >= 0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {plain(std)}")
    made = target(
        "normal", tuple(sizes), out, first._spec.dtype if out is None else None, first._spec.device
    )
    normal_(made, 0.0, 1.0 if isinstance(std, Tensor) else std, generator=generator)
    if isinstance(std, Tensor):
        made.mul_(std)
    made.add_(mean)
    if out is None:
        made = without_gradient(made, *given)
        kinds = isinstance(given[0], Tensor) + 2 * isinstance(given[1], Tensor)
        known_as(made, f"NormalBackward{kinds}")
    return made


def without_gradient(samples, *parameters):
    """Samples that depend on their parameters, though their derivative is zero."""
    for p in parameters:
        if isinstance(p, Tensor) and p._node is not None and grad_mode.get():
            everywhere = samples.new_ones(tuple(samples.shape), dtype=dtypes.bool_)
            samples = where(everywhere, samples, p)
    return samples


def bernoulli(input, p=None, *, generator=None, out=None):
    """1 with probability `input` (or p where given, for every element), else 0. (...) -> (...)"""
    if not isinstance(input, Tensor):
        raise TypeError(
            f"bernoulli(): argument 'input' (position 1) must be Tensor, not {kind(input)}"
        )
    spec = input._spec
    dtype = spec.dtype if out is None else None
    made = target("bernoulli", spec.shape, out, dtype, spec.device)
    source = input.detach() if p is None and input._node is not None else input
    bernoulli_(made, source if p is None else p, generator=generator)
    if p is None and out is None:
        made = known_as(without_gradient(made, input), "BernoulliBackward0")
    return made
