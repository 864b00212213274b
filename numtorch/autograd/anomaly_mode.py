"""Anomaly mode: nodes remember where they were recorded, and backward looks for NaN.

While the mode is on, the numbers that nodes get (`seq`) carry the traceback, so that recording is
the same code with and without it.
"""

import warnings
from contextvars import ContextVar
from pathlib import Path

from ..core.interp import runtime
from ..core.tape import grad_mode, sequence

_state = {"enabled": False, "check_nan": True}
_evaluated: ContextVar = ContextVar("evaluated_node", default=None)
_OWN = str(Path(__file__).parents[1] / "core"), __file__, "<numtorch"


class _Traced(int):
    """A node's number that knows where the node was recorded, and by whose derivative."""

    stack: list
    parent: object

    @property
    def metadata(self) -> dict:
        """What torch puts into a node's metadata."""
        found: dict = {"traceback_": self.stack}
        if self.parent is not None:
            found["parent_"] = self.parent
        return found


def _traced_sequence() -> _Traced:
    number = _Traced(sequence())
    import traceback  # noqa: PLC0415 (0.5 ms that only anomaly mode needs)

    frames = traceback.extract_stack()
    while frames and frames[-1].filename.startswith(_OWN):
        frames.pop()
    number.stack = traceback.StackSummary.from_list(frames).format()
    number.parent = _evaluated.get()
    return number


def is_anomaly_enabled() -> bool:
    """Whether anomaly mode is on."""
    return _state["enabled"]


def is_anomaly_check_nan_enabled() -> bool:
    """Whether anomaly mode looks for NaN in gradients."""
    return _state["check_nan"]


def set_anomaly_enabled(enabled: bool, check_nan: bool = True) -> None:
    """Switch anomaly mode (see detect_anomaly) on or off for all threads."""
    _state.update(enabled=enabled, check_nan=check_nan)
    runtime["seq"] = _traced_sequence if enabled else sequence


class set_detect_anomaly:  # noqa: N801
    """Switch anomaly mode (see detect_anomaly) on or off for all threads, from the call on; as a
    context manager until the block ends.
    """

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self.previous = _state["enabled"], _state["check_nan"]
        self.wanted = mode, check_nan
        set_anomaly_enabled(*self.wanted)

    def __enter__(self) -> None:
        set_anomaly_enabled(*self.wanted)

    def __exit__(self, *exc) -> None:
        set_anomaly_enabled(*self.previous)


class detect_anomaly:  # noqa: N801
    """While the block runs, backward raises RuntimeError for a derivative that gives NaN (unless
    `check_nan` is off), and for one that fails, warns with the traceback of the forward call that
    recorded it.

    The forward call must be inside of such a block for its traceback to be known. Slow: for
    debugging only.
    """

    def __init__(self, check_nan: bool = True) -> None:
        self.previous = _state["enabled"], _state["check_nan"]
        self.check_nan = check_nan
        warnings.warn(
            "Anomaly Detection has been enabled. This mode will increase the runtime and should "
            "only be enabled for debugging.",
            stacklevel=2,
        )

    def __enter__(self) -> None:
        self.previous = _state["enabled"], _state["check_nan"]
        set_anomaly_enabled(True, self.check_nan)

    def __exit__(self, *exc) -> None:
        set_anomaly_enabled(*self.previous)


def evaluate(node, g):
    """A node's `back`, watched."""
    token = _evaluated.set(node)
    try:
        grads = node.back(g)
        if _state["check_nan"]:
            _check(node, grads)
        return grads
    except BaseException:
        _report(node)
        raise
    finally:
        _evaluated.reset(token)


def _check(node, grads) -> None:
    token = grad_mode.set(False)
    try:
        for i, grad in enumerate(grads):
            if grad is not None and bool(grad.isnan().any()):
                raise RuntimeError(
                    f"Function '{node.name()}' returned nan values in its {i}th output."
                )
    finally:
        grad_mode.reset(token)


def _report(node) -> None:
    """Warn with the place where a node was recorded, and where its parents were."""
    where = node.metadata.get("traceback_")
    if where is None:
        warnings.warn(
            f"Error detected in {node.name()}. No forward pass information available. Enable "
            "detect anomaly during forward pass for more information.",
            stacklevel=2,
        )
        return
    warnings.warn(
        f"Error detected in {node.name()}. Traceback of forward call that caused the error:\n"
        + "".join(where),
        stacklevel=2,
    )
    parent = node.metadata.get("parent_")
    while parent is not None:
        where = parent.metadata.get("traceback_")
        head = f"\n\nPrevious calculation was induced by {parent.name()}. "
        if where is None:
            warnings.warn(
                head + "No forward pass information available. Enable detect anomaly during "
                "forward pass for more information.",
                stacklevel=2,
            )
            return
        warnings.warn(
            head
            + "Traceback of forward call that induced the previous calculation:\n"
            + "".join(where),
            stacklevel=2,
        )
        parent = parent.metadata.get("parent_")
