"""The recorded graph: its nodes, and what they save.

`saved_tensors_hooks` is an interpreter (core/interp.py): ops run as usual, then the nodes that they
have recorded exchange their saved tensors for what the hooks make of them.
"""

from ..core import saved
from ..core.interp import dispatch, interpreting
from ..core.tape import Node, SavingNode, sequence
from ..ops.create import empty


class saved_tensors_hooks:  # noqa: N801
    """While the block runs, nodes keep `pack_hook(tensor)` in place of each tensor that they save
    for backward, and backward calls `unpack_hook` on it to have the tensor again.

    `unpack_hook` must return a tensor with the values, shape, dtype and device of the packed one.
    Of nested blocks, the innermost hooks apply. To avoid a reference cycle, `pack_hook` should
    return something else than its argument: `x.detach()`, for instance.
    """

    def __init__(self, pack_hook, unpack_hook) -> None:
        self.pack_hook, self.unpack_hook = pack_hook, unpack_hook
        self._entered: list = []

    def __enter__(self) -> None:
        for hook in (self.pack_hook, self.unpack_hook):
            if not callable(hook):
                raise TypeError(
                    f"saved_tensors_hooks: hooks must be callable, but got {type(hook).__name__}"
                )
        _check_enabled()
        entered = interpreting(_Packing(self.pack_hook, self.unpack_hook))
        entered.__enter__()
        token = saved.hooks.set((*saved.hooks.get(), entered.interpreter.pair))
        self._entered.append((entered, token))

    def __exit__(self, *exc) -> None:
        entered, token = self._entered.pop()
        saved.hooks.reset(token)
        entered.__exit__(*exc)


def _check_enabled() -> None:
    message = saved.disabled.get()
    if message is not None:
        raise RuntimeError(message)


class _Packing:
    """The interpreter of one saved_tensors_hooks block."""

    def __init__(self, pack_hook, unpack_hook) -> None:
        self.pair = (pack_hook, unpack_hook)

    def process(self, op, tensors, attrs, target):
        """Run an op, then pack what its nodes save, unless hooks further inside do that."""
        before = sequence()
        result = dispatch(op, tensors, attrs, target)
        if result is not None and saved.hooks.get()[-1] is self.pair:
            outputs = result if isinstance(result, tuple) else (result,)
            for node in saved.recorded_since(result, before):
                if isinstance(node, SavingNode):
                    saved.pack(node, outputs, self.pair)
        return result


class save_on_cpu(saved_tensors_hooks):  # noqa: N801
    """While the block runs, saved tensors are moved to the CPU, and back for backward.

    `pin_memory`: into page-locked memory, without waiting for the copy. Tensors that are on the CPU
    are not copied.
    """

    def __init__(self, pin_memory=False, device_type="cuda") -> None:
        def pack(tensor):
            if not pin_memory or tensor.device.type == "cpu":
                return tensor.device, tensor.detach().cpu()
            copy = empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
            return tensor.device, copy.copy_(tensor, non_blocking=True)

        def unpack(content):
            device, tensor = content
            return tensor.to(device, non_blocking=pin_memory)

        super().__init__(pack, unpack)


class disable_saved_tensors_hooks:  # noqa: N801
    """While the block runs, saved_tensors_hooks raise a RuntimeError with `error_message`."""

    def __init__(self, error_message: str) -> None:
        self.error_message = error_message

    def __enter__(self) -> None:
        if saved.hooks.get():
            raise RuntimeError(self.error_message)
        self.token = saved.disabled.set(self.error_message)

    def __exit__(self, *exc) -> None:
        saved.disabled.reset(self.token)


__all__ = ["Node", "disable_saved_tensors_hooks", "save_on_cpu", "saved_tensors_hooks"]
