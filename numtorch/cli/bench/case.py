"""One benchmark case: the same code for numtorch and torch."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Data:
    """Seeded numbers that are made when a case runs: normal ones, or integers below `high`."""

    shape: tuple[int, ...]
    high: int | None = None

    @property
    def size(self) -> int:
        """How many numbers."""
        return math.prod(self.shape)

    def array(self) -> np.ndarray:
        """float32 or int64."""
        rng = np.random.default_rng(self.size)
        if self.high is not None:
            return rng.integers(0, self.high, self.shape)
        return rng.standard_normal(self.shape, np.float32)


def normal(*shape: int) -> Data:
    """Normal numbers, float32."""
    return Data(shape)


def integers(high: int, *shape: int) -> Data:
    """Numbers from 0 to `high` - 1, int64."""
    return Data(shape, high)


@dataclass(frozen=True)
class Case:
    """`make(lib, tensor)` gives the function to time; `tensor(data)` makes a tensor of the library.

    `bytes` and `flops`: what one call must at least move and compute.
    """

    name: str
    room: str
    make: Callable[[Any, Callable[[Data], Any]], Callable[[], Any]] = field(repr=False)
    bytes: float = 0.0
    flops: float = 0.0
    quick: bool = False

    def rates(self, seconds: float, limits: dict) -> dict:
        """Rates, and the share of the ceiling that bounds this case more."""
        moved, computed = self.bytes / seconds, self.flops / seconds
        shares = {"memory": moved / limits["bandwidth"], "FMA": computed / limits["flops"]}
        bound = max(shares, key=lambda name: shares[name])
        return {
            "bytes_per_second": moved,
            "flops_per_second": computed,
            "bound": bound,
            "share": shares[bound],
        }


def forward(function: Callable, *data: Data) -> Callable:
    """A case's `make`: call `function(lib, *tensors)` on tensors that require no gradients."""

    def make(lib, tensor):
        given = [tensor(d) for d in data]
        return lambda: function(lib, *given)

    return make


def recorded(function: Callable, *data: Data) -> Callable:
    """A case's `make`: a forward pass that autograd records, as all tensors require gradients."""

    def make(lib, tensor):
        given = [tensor(d).requires_grad_() for d in data]
        return lambda: function(lib, *given)

    return make


def backward(function: Callable, *data: Data, leaves: int = 1) -> Callable:
    """A case's `make`: forward and backward; the first `leaves` tensors require gradients."""

    def make(lib, tensor):
        given = [tensor(d) for d in data]
        for t in given[:leaves]:
            t.requires_grad_()
        ones = lib.ones_like(function(lib, *given).detach())

        def step():
            for t in given[:leaves]:
                t.grad = None
            function(lib, *given).backward(ones)

        return step

    return make
