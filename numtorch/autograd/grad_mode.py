"""no_grad, enable_grad, set_grad_enabled, inference_mode: context managers and decorators."""

import functools
import inspect
from typing import Any

from ..core import inference, tape


class _Decorator:
    """A context manager that is a decorator, too: of functions, generators and (as torch warns)
    nothing else.
    """

    def clone(self):
        return type(self)()

    def __call__(self, function):
        if inspect.isclass(function):
            raise TypeError(f"{type(self).__name__} cannot decorate classes")
        if inspect.isgeneratorfunction(function):
            return self._generator(function)

        @functools.wraps(function)
        def wrapped(*args, **kwargs):
            with self.clone():
                return function(*args, **kwargs)

        return wrapped

    def _generator(self, function):
        @functools.wraps(function)
        def wrapped(*args, **kwargs):
            generator = function(*args, **kwargs)
            value, step = None, generator.send
            while True:
                try:
                    with self.clone():
                        result = step(value)
                except StopIteration as stop:
                    return stop.value
                try:
                    value, step = (yield result), generator.send
                except GeneratorExit:
                    with self.clone():
                        generator.close()
                    raise
                except BaseException as error:  # noqa: BLE001 (the generator decides what happens to it)
                    value, step = error, generator.throw

        return wrapped


class _Mode(_Decorator):
    value = True
    token: Any  # what undoes the change

    def __enter__(self) -> None:
        self.token = tape.grad_mode.set(self.value)

    def __exit__(self, *exc) -> None:
        tape.grad_mode.reset(self.token)


class no_grad(_Mode):  # noqa: N801
    """Record nothing: results do not require grad."""

    value = False

    def __new__(cls, orig_func=None):
        return object.__new__(cls) if orig_func is None else object.__new__(cls)(orig_func)

    def __init__(self, orig_func=None) -> None:
        self.token = None


class enable_grad(_Mode):  # noqa: N801
    """Record again, inside of no_grad."""

    def __new__(cls, orig_func=None):
        return object.__new__(cls) if orig_func is None else object.__new__(cls)(orig_func)

    def __init__(self, orig_func=None) -> None:
        self.token = None


class set_grad_enabled(_Decorator):  # noqa: N801
    """Record or not, from the call on; as a context manager until the block ends."""

    def __init__(self, mode: bool) -> None:
        self.previous = tape.grad_mode.get()
        self.mode = mode
        tape.grad_mode.set(bool(mode))

    def __call__(self, function):
        tape.grad_mode.set(self.previous)
        return super().__call__(function)

    def __enter__(self) -> None:
        tape.grad_mode.set(bool(self.mode))

    def __exit__(self, *exc) -> None:
        tape.grad_mode.set(self.previous)

    def clone(self):
        previous = tape.grad_mode.get()
        made = type(self)(self.mode)
        made.previous = previous
        return made


class inference_mode(_Decorator):  # noqa: N801
    """no_grad whose tensors may never enter autograd afterwards."""

    def __new__(cls, mode=True):
        return object.__new__(cls) if isinstance(mode, bool) else object.__new__(cls)._of(mode)

    def __init__(self, mode=True) -> None:
        self.mode = mode

    def _of(self, function):
        self.mode = True
        return self(function)

    def clone(self):
        return type(self)(self.mode)

    def __enter__(self) -> None:
        inference.activate(self.mode)
        self.tokens = (
            tape.grad_mode.set(tape.grad_mode.get() and not self.mode),
            tape.inference_mode.set(self.mode),
        )

    def __exit__(self, *exc) -> None:
        tape.grad_mode.reset(self.tokens[0])
        tape.inference_mode.reset(self.tokens[1])
        inference.activate(-self.mode)


def is_grad_enabled() -> bool:
    """Whether ops are recorded."""
    return tape.grad_mode.get()


def is_inference_mode_enabled() -> bool:
    """Whether inference_mode is on."""
    return tape.inference_mode.get()
