"""nn.init and nn.utils: statistics, structure, clipping, vectors, errors."""

import math

import pytest

import numtorch as nt
from numtorch import nn
from numtorch.nn import init, utils


def test_gains():
    assert init.calculate_gain("linear") == init.calculate_gain("conv2d") == 1
    assert init.calculate_gain("tanh") == pytest.approx(5 / 3)
    assert init.calculate_gain("relu") == pytest.approx(math.sqrt(2))
    assert init.calculate_gain("leaky_relu", 0.2) == pytest.approx(math.sqrt(2 / 1.04))
    assert init.calculate_gain("selu") == 0.75
    with pytest.raises(ValueError, match="Unsupported nonlinearity odd"):
        init.calculate_gain("odd")
    with pytest.raises(ValueError, match="not a valid number"):
        init.calculate_gain("leaky_relu", "a")


def bounds(t):
    return float(t.min()), float(t.max())


def test_uniform_bounds():
    w = nt.empty(50, 40)
    for fill, bound in (
        (lambda: init.uniform_(w, -2.0, 2.0), 2.0),
        (lambda: init.xavier_uniform_(w), math.sqrt(6 / 90)),
        (lambda: init.kaiming_uniform_(w, nonlinearity="relu"), math.sqrt(6 / 40)),
        (
            lambda: init.kaiming_uniform_(w, mode="fan_out", nonlinearity="linear"),
            math.sqrt(3 / 50),
        ),
    ):
        assert fill() is w
        low, high = bounds(w)
        assert -bound <= low < -0.9 * bound
        assert 0.9 * bound < high <= bound


def test_normal_deviations():
    w = nt.empty(200, 100)
    for fill, std in (
        (lambda: init.normal_(w, 0.0, 3.0), 3.0),
        (lambda: init.xavier_normal_(w), math.sqrt(2 / 300)),
        (lambda: init.kaiming_normal_(w, nonlinearity="relu"), math.sqrt(2 / 100)),
    ):
        fill()
        found = math.sqrt(float((w * w).mean()))
        assert found == pytest.approx(std, rel=0.05)


def test_truncated_normal_stays_inside():
    for a, b in ((-0.5, 0.5), (2.0, 3.0), (-2.0, 2.0)):
        low, high = bounds(init.trunc_normal_(nt.empty(2000), a=a, b=b))
        assert a <= low
        assert high <= b
    with pytest.warns(UserWarning, match="more than 2 std from"):
        init.trunc_normal_(nt.empty(2), mean=5.0)


def test_structured_values():
    assert init.eye_(nt.empty(2, 3)).tolist() == [[1, 0, 0], [0, 1, 0]]
    w = init.dirac_(nt.empty(4, 1, 3), groups=2)
    assert w[:, 0].tolist() == [[0, 1, 0], [0, 0, 0], [0, 1, 0], [0, 0, 0]]
    assert init.ones_(nt.empty(2)).tolist() == [1, 1]
    assert init.zeros_(nt.empty(2)).tolist() == [0, 0]
    assert init.constant_(nt.empty(2), 0.5).tolist() == [0.5, 0.5]
    sparse = init.sparse_(nt.empty(10, 3), sparsity=0.35)
    assert (sparse == 0).sum(0).tolist() == [4, 4, 4]


def test_parameters_are_filled_without_autograd():
    p = init.uniform_(nn.Parameter(nt.zeros(3)))
    assert p.is_leaf
    assert p.grad_fn is None
    assert float(p.detach().abs().sum()) > 0


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (lambda: init.eye_(nt.empty(2)), "Only tensors with 2 dimensions"),
        (lambda: init.sparse_(nt.empty(2), 0.1), "Only tensors with 2 dimensions"),
        (lambda: init.dirac_(nt.empty(2, 2)), "Only tensors with 3, 4, or 5 dimensions"),
        (lambda: init.dirac_(nt.empty(3, 2, 1), 2), "dim 0 must be divisible by groups"),
        (lambda: init.xavier_normal_(nt.empty(2)), "Fan in and fan out can not be computed"),
        (lambda: init.kaiming_normal_(nt.empty(2, 2), mode="odd"), "Mode odd not supported"),
    ],
)
def test_init_errors(attempt, message):
    with pytest.raises(ValueError, match=message):
        attempt()


def test_old_names_warn():
    with pytest.warns(FutureWarning, match="`nn.init.uniform` is now deprecated in favor of"):
        init.uniform(nt.empty(2))


def with_grads(*values):
    params = [nn.Parameter(nt.zeros(len(v))) for v in values]
    for p, v in zip(params, values, strict=True):
        p.grad = nt.tensor(v)
    return params


def test_clip_grad_norm():
    params = [*with_grads([3.0], [4.0]), nn.Parameter(nt.ones(1))]
    assert utils.clip_grad_norm_(params, 1.0).item() == pytest.approx(5.0)
    assert params[0].grad.item() == pytest.approx(0.6, abs=1e-5)
    assert utils.clip_grad_norm_(params, 10.0, norm_type=math.inf).item() == pytest.approx(
        0.8, abs=1e-5
    )
    assert params[1].grad.item() == pytest.approx(0.8, abs=1e-5)
    assert utils.clip_grad_norm_([], 1.0).item() == 0
    with pytest.warns(UserWarning, match="empty generator"):
        utils.clip_grad_norm_((p for p in []), 1.0)
    with pytest.raises(RuntimeError, match="total norm of order 2.0 for gradients"):
        utils.clip_grad_norm_(with_grads([math.nan]), 1.0, error_if_nonfinite=True)


def test_clip_grad_value():
    (p,) = with_grads([-3.0, 0.5, 3.0])
    utils.clip_grad_value_(p, 1.0)
    assert p.grad.tolist() == [-1.0, 0.5, 1.0]


def test_vectors():
    m = nn.Linear(2, 2)
    vector = utils.parameters_to_vector(m.parameters())
    assert vector.shape == (6,)
    utils.vector_to_parameters(nt.arange(6.0), m.parameters())
    assert m.weight.tolist() == [[0, 1], [2, 3]]
    assert m.bias.tolist() == [4, 5]
    with pytest.raises(TypeError, match="expected torch.Tensor, but got: list"):
        utils.vector_to_parameters([1.0], m.parameters())
