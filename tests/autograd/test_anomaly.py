"""Anomaly mode: NaN in gradients, and where the failing node was recorded."""

import warnings

import pytest

import numtorch as nt


def messages(program, lib):
    """The exception's text and the warnings of a program that fails in backward."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with pytest.raises((RuntimeError, ValueError)) as error:
            program(lib)
    return str(error.value), [str(w.message).split(" (Triggered")[0] for w in caught]


def recorded_before(lib):
    x = lib.zeros(2, requires_grad=True)
    y = x.sqrt() * 0
    with lib.autograd.detect_anomaly():
        y.sum().backward()


def failing_function(lib):
    class Fails(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            raise ValueError("no gradient")

    with lib.autograd.detect_anomaly():
        Fails.apply(lib.ones(1, requires_grad=True)).backward()


def nan_in_forward(lib):
    with lib.autograd.detect_anomaly():
        x = lib.zeros(2, requires_grad=True)
        y = x.sqrt()
        (y * 0).sum().backward()


@pytest.mark.parametrize("program", [recorded_before, failing_function, nan_in_forward])
def test_messages_are_torchs(torch, program):
    (got, found), (want, expected) = messages(program, nt), messages(program, torch)
    assert got == want and len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        assert a.splitlines()[0] == b.splitlines()[0]


def test_the_traceback_ends_where_the_failing_operator_was_called():
    _, (_, text) = messages(nan_in_forward, nt)
    assert text.rstrip().endswith("y = x.sqrt()")


def test_parents_are_told_for_second_derivatives():
    def program(lib):
        with lib.autograd.detect_anomaly():
            x = lib.zeros(2, requires_grad=True)
            root = x.sqrt()
            (g,) = lib.autograd.grad(root.sum(), x, create_graph=True)
            (g * 0).sum().backward()

    error, (_, first, second) = messages(program, nt)
    assert error.startswith("Function 'DivBackward0' returned nan values in its")
    assert "lib.autograd.grad(root.sum()" in first
    assert second.startswith("\n\nPrevious calculation was induced by SqrtBackward0. Traceback of")
    assert "root = x.sqrt()" in second


def test_nan_passes_where_it_is_not_looked_for():
    x = nt.zeros(2, requires_grad=True)
    with pytest.warns(UserWarning, match="Anomaly Detection has been enabled"):
        watching = nt.autograd.detect_anomaly(check_nan=False)
    with watching:
        assert nt.is_anomaly_enabled() and not nt.is_anomaly_check_nan_enabled()
        (x.sqrt() * 0).sum().backward()
    assert bool(x.grad.isnan().all())
    assert not nt.is_anomaly_enabled() and nt.is_anomaly_check_nan_enabled()


def test_the_mode_as_a_call_and_as_a_block():
    x = nt.ones(2, requires_grad=True)
    try:
        nt.autograd.set_detect_anomaly(True)
        assert nt.is_anomaly_enabled()
        with nt.autograd.set_detect_anomaly(False):
            assert "traceback_" not in x.exp().grad_fn.metadata
        y = x.exp()
        assert "in test_the_mode_as_a_call" in y.grad_fn.metadata["traceback_"][-1]
        assert "parent_" not in y.grad_fn.metadata
    finally:
        nt.autograd.set_detect_anomaly(False)
    assert not nt.is_anomaly_enabled()


def test_nodes_made_by_hand_are_traced_too():
    with nt.autograd.set_detect_anomaly(True):
        y = nt.ones(4, requires_grad=True) * 1
        view = y[1:]
        y.mul_(2)
        nodes = [y.grad_fn, view.grad_fn]
    assert all(n.metadata["traceback_"] for n in nodes)
