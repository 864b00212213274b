"""Moving a module's tensors to another device or dtype."""

from ....autograd import no_grad
from ....core import device as devices
from ....core import dtype as dtypes
from ....ops.create import empty_like
from ....tensors import Tensor


class Convert:
    """The part of `Module` that replaces the data of its parameters and buffers."""

    def _apply(self, fn, recurse=True):
        """Replace every parameter's data, gradient and buffer by `fn` of it; returns the module.

        The parameters stay the same objects, so optimizers keep their hold on them.
        """
        if recurse:
            for child in self.children():
                child._apply(fn)
        for param in self._parameters.values():
            if param is None:
                continue
            with no_grad():
                data = fn(param)
                grad = None if param.grad is None else fn(param.grad)
            # without the old gradient, whose shape, dtype and device belong to the old data
            had_grad = param.grad
            param.grad = None
            param.data = data
            if grad is not None:
                param.grad = grad.requires_grad_(had_grad.requires_grad)
        for name, buffer in self._buffers.items():
            if buffer is not None:
                self._buffers[name] = fn(buffer)
        return self

    def to(self, *args, **kwargs):
        """Move to a device, a dtype (of floating point tensors only) or both; returns the module.

        Called with `(device, dtype, non_blocking)`, `(dtype, non_blocking)`, `(tensor,
        non_blocking)` or the keyword memory_format (of 4-d tensors only).
        """
        device, dtype, non_blocking, memory_format = parse_to(*args, **kwargs)
        if dtype is not None and not (dtype.is_floating_point or dtype.is_complex):
            raise TypeError(
                "nn.Module.to only accepts floating point or complex dtypes, but got desired "
                f"dtype={dtype}"
            )

        def convert(tensor):
            floating = tensor.is_floating_point() or tensor.is_complex()
            wanted = {"device": device, "dtype": dtype if floating else None}
            if memory_format is not None and tensor.ndim in (4, 5):
                wanted["memory_format"] = memory_format
            return tensor.to(
                non_blocking=non_blocking, **{k: v for k, v in wanted.items() if v is not None}
            )

        return self._apply(convert)

    def cuda(self, device=None):
        """Move to a CUDA device, the current one by default; returns the module."""
        return self._apply(lambda t: t.cuda(device))

    def cpu(self):
        """Move to the CPU; returns the module."""
        return self._apply(lambda t: t.cpu())

    def type(self, dst_type):
        """Cast all parameters and buffers to a dtype; returns the module."""
        return self._apply(lambda t: t.type(dst_type))

    def _floating_to(self, dtype):
        return self._apply(lambda t: t.to(dtype) if t.is_floating_point() else t)

    def float(self):
        """Cast floating point parameters and buffers to float32; returns the module."""
        return self._floating_to(dtypes.float32)

    def double(self):
        """Cast floating point parameters and buffers to float64; returns the module."""
        return self._floating_to(dtypes.float64)

    def to_empty(self, *, device, recurse=True):
        """Move to a device without copying: the values are whatever its memory holds."""
        return self._apply(lambda t: empty_like(t, device=device), recurse=recurse)

    def share_memory(self):
        """`Tensor.share_memory_` of all parameters and buffers; returns the module."""
        return self._apply(lambda t: t.share_memory_())


def parse_to(*args, device=None, dtype=None, non_blocking=False, memory_format=None, tensor=None):
    """The (device, dtype, non_blocking, memory_format) that the arguments of `to` mean."""
    args = list(args)
    if args and isinstance(args[0], Tensor):
        tensor = args.pop(0)
    elif args and isinstance(args[0], dtypes.dtype):
        dtype = args.pop(0)
    elif args:
        device = args.pop(0)
        if args and (args[0] is None or isinstance(args[0], dtypes.dtype)):
            dtype = args.pop(0)
    if args:
        non_blocking = args.pop(0)
    if args:
        raise TypeError(f"to() received an invalid combination of arguments: {args[0]!r} is left")
    if tensor is not None:
        device, dtype = tensor.device, tensor.dtype
    if device is not None and not isinstance(device, devices.device):
        device = devices.device(device)
    return device, dtype, non_blocking, memory_format
