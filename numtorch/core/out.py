"""The out= argument of public functions."""

import warnings

from . import generate, inplace
from .interp import runtime
from .spec import Spec
from .tape import grad_mode
from .tensor import Tensor, View, offset_of


def check_out(name: str, out, inputs, recorded: bool = True) -> None:
    """torch's conditions on an out= tensor; `recorded`: whether the op has derivatives at all."""
    if not isinstance(out, Tensor):
        raise TypeError(f"{name}(): argument 'out' must be Tensor, not {type(out).__name__}")
    if not recorded or not grad_mode.get():
        return
    if any(getattr(t, "requires_grad", False) for t in (*inputs, out)):
        raise RuntimeError(
            f"{name}(): functions with out=... arguments don't support automatic differentiation, "
            f"but one of the "
            "arguments requires grad."
        )


def resize(out: Tensor, result: Spec) -> None:
    """Give `out` the shape and strides of a result, with fresh memory where it has too little (its
    old values are not kept).
    """
    shape = result.shape
    if out._spec.numel:
        warnings.warn(
            f"An output with one or more elements was resized since it had shape "
            f"{list(out._spec.shape)}, which does "
            f"not match the required output shape {list(shape)}. This behavior is deprecated, and "
            f"in a future PyTorch "
            "release outputs will not be resized unless they have zero elements. You can "
            "explicitly reuse an out "
            "tensor t by resizing it, inplace, to zero elements with t.resize_(0).",
            stacklevel=3,
        )
    spec = Spec.of(shape, out._spec.dtype, out._spec.device, result.strides)
    memory, storage, offset = runtime["memory"](spec.device), out._storage, offset_of(out)
    view = getattr(out, "_view", None)
    if (offset + spec.numel) * spec.dtype.itemsize <= storage.array.nbytes:
        out._array = memory.view(storage.array, spec, offset)
    else:
        offset, view = 0, None
        out._array = storage.array = memory.allocator(spec)()
    out._spec = spec
    out._view = View(offset, view.base, view.creation) if view else View(offset, None)


def write_out(op, out: Tensor, tensors: tuple, attrs: tuple) -> Tensor:
    """Run a pointwise op into `out`."""
    name = op.name.removesuffix("_op")
    check_out(name, out, tensors, op.vjp != {})
    for t in tensors:
        if not isinstance(t, Tensor) and not op.numbers:
            raise op.bad_argument(tensors)
    arrays = [t._array if isinstance(t, Tensor) else generate.number(t) for t in tensors]
    specs = [
        t._spec if isinstance(t, Tensor) else generate.weak(a)
        for t, a in zip(tensors, arrays, strict=True)
    ]
    views = inplace.check(op, out, False, tensors)
    if generate.reaches_twice(out._spec):
        raise generate.errors.internal_overlap(name)
    result = op.infer(specs, attrs)
    if any(isinstance(t, Tensor) and t is not out and t._storage is out._storage for t in tensors):
        return to_out(op.direct(tensors, attrs), out, name)
    if result.shape != out._spec.shape:
        _check_dtype(name, result, out._spec)
        resize(out, result)
    run = op.into_plans[(out._spec, *specs, *attrs)]
    run(*arrays, out._array)
    out._storage.version += 1
    if views:
        inplace.touched(views)
    return out


def _check_dtype(name: str, result: Spec, out: Spec) -> None:
    if result.dtype.category > out.dtype.category:
        wanted, given = (s.dtype.type_name.removesuffix("Tensor") for s in (result, out))
        raise RuntimeError(
            f"result type {wanted} can't be cast to the desired output type {given} ({name})"
        )


def to_out(result: Tensor, out: Tensor, name: str, exact: bool = False) -> Tensor:
    """Copy a result into `out`; `exact` asks for the very dtype, as torch does for ops without
    promotion.
    """
    check_out(name, out, (result,))
    views = inplace.check(runtime["OPS"]["copy_op"], out, False, ())
    if exact and result._spec.dtype is not out._spec.dtype:
        raise RuntimeError(
            f"Expected out tensor to have dtype {result._spec.dtype}, but got {out._spec.dtype} "
            f"instead ({name})"
        )
    _check_dtype(name, result._spec, out._spec)
    if out._spec.device is not result._spec.device:
        raise RuntimeError(
            f"Expected out tensor to have device {result._spec.device}, but got "
            f"{out._spec.device} instead ({name})"
        )
    if out._spec.shape != result._spec.shape:
        resize(out, result._spec)
    if generate.reaches_twice(out._spec):
        raise generate.errors.internal_overlap(name)
    run = runtime["OPS"]["copy_op"].kernel((result._spec,), (), (out._spec,))
    run(result._array, out._array)
    out._storage.version += 1
    if views:
        inplace.touched(views)
    return out


runtime["write_out"] = write_out

__all__ = ["check_out", "resize", "to_out", "write_out"]
