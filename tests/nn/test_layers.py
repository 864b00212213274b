"""Layers and losses: results worked out by hand, errors, training against evaluation."""

import math

import pytest

import numtorch as nt
from numtorch import nn


def test_linear():
    m = nn.Linear(2, 1)
    m.load_state_dict({"weight": nt.tensor([[2.0, 3.0]]), "bias": nt.tensor([1.0])})
    assert m(nt.tensor([[1.0, 1.0], [0.0, 2.0]])).tolist() == [[6.0], [7.0]]
    assert nn.Linear(2, 3, bias=False).bias is None
    assert nn.Linear(2, 3, dtype=nt.float64).weight.dtype is nt.float64
    with pytest.warns(UserWarning, match="Initializing zero-element tensors is a no-op"):
        nn.Linear(0, 3)


def test_identity_takes_anything():
    x = nt.ones(2)
    assert nn.Identity(1, a=2)(x) is x


def test_flatten_and_unflatten():
    x = nt.ones(2, 3, 4)
    assert nn.Flatten()(x).shape == (2, 12)
    assert nn.Flatten(0, 1)(x).shape == (6, 4)
    assert nn.Unflatten(2, (2, 2))(x).shape == (2, 3, 2, 2)
    with pytest.raises(TypeError, match="must be a tuple of ints, but found type int"):
        nn.Unflatten(1, 3)
    with pytest.raises(TypeError, match="found element of type str at pos 1"):
        nn.Unflatten(1, (2, "a"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"groups": 0}, "groups must be a positive integer"),
        ({"groups": 2}, "in_channels must be divisible by groups"),
        ({"groups": 3}, "out_channels must be divisible by groups"),
        ({"padding": "odd"}, "Invalid padding string 'odd'"),
        ({"padding": "same", "stride": 2}, "padding='same' is not supported for strided"),
        ({"padding_mode": "odd"}, "padding_mode must be one of"),
    ],
)
def test_conv2d_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        nn.Conv2d(3, 4, 3, **arguments)


def test_conv2d():
    m = nn.Conv2d(1, 1, 2, bias=False)
    m.load_state_dict({"weight": nt.ones(1, 1, 2, 2)})
    assert m(nt.ones(1, 1, 3, 3)).tolist() == [[[[4.0, 4.0], [4.0, 4.0]]]]
    assert nn.Conv2d(1, 2, 3, padding="same")(nt.ones(1, 1, 5, 5)).shape == (1, 2, 5, 5)
    assert nn.Conv2d(4, 8, (1, 3), groups=2).weight.shape == (8, 2, 1, 3)


def test_pooling():
    x = nt.arange(16.0).reshape(1, 1, 4, 4)
    assert nn.MaxPool2d(2)(x).tolist() == [[[[5.0, 7.0], [13.0, 15.0]]]]
    values, places = nn.MaxPool2d(2, return_indices=True)(x)
    assert places.tolist() == [[[[5, 7], [13, 15]]]]
    assert values.shape == (1, 1, 2, 2)
    assert nn.AvgPool2d(2)(x).tolist() == [[[[2.5, 4.5], [10.5, 12.5]]]]
    assert nn.AdaptiveAvgPool2d(1)(x).item() == 7.5
    assert nn.AdaptiveAvgPool2d((None, 2))(x).shape == (1, 1, 4, 2)


def test_batch_norm_tracks_statistics():
    m = nn.BatchNorm1d(1, momentum=0.5)
    x = nt.tensor([[0.0], [2.0]])
    y = m(x)
    assert nt.allclose(y, nt.tensor([[-1.0], [1.0]]), atol=1e-4)
    assert m.running_mean.item() == pytest.approx(0.5)
    assert m.running_var.item() == pytest.approx(1.5)
    assert m.num_batches_tracked.item() == 1
    m.eval()
    m(x)
    assert m.num_batches_tracked.item() == 1
    m.reset_running_stats()
    assert m.running_var.item() == 1


def test_batch_norm_cumulative_mean():
    m = nn.BatchNorm1d(1, momentum=None)
    m(nt.tensor([[0.0], [2.0]]))
    m(nt.tensor([[4.0], [6.0]]))
    assert m.running_mean.item() == pytest.approx(3.0)


def test_batch_norm_without_statistics():
    m = nn.BatchNorm1d(1, affine=False, track_running_stats=False).eval()
    assert list(m.state_dict()) == []
    assert float(m(nt.tensor([[0.0], [2.0]])).sum()) == pytest.approx(0)


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (nn.BatchNorm1d, (2,), r"expected 2D or 3D input \(got 1D input\)"),
        (nn.BatchNorm2d, (2, 3), r"expected 4D input \(got 2D input\)"),
    ],
)
def test_batch_norm_errors(layer, shape, message):
    with pytest.raises(ValueError, match=message):
        layer(3)(nt.ones(*shape))


def test_layer_norm():
    y = nn.LayerNorm(2)(nt.tensor([[1.0, 3.0]]))
    assert nt.allclose(y, nt.tensor([[-1.0, 1.0]]), atol=1e-4)
    assert list(nn.LayerNorm((2, 3), bias=False).state_dict()) == ["weight"]
    assert list(nn.LayerNorm(2, elementwise_affine=False).state_dict()) == []


def test_embedding():
    m = nn.Embedding(5, 3, padding_idx=-1)
    assert m.padding_idx == 4
    assert m.weight[4].tolist() == [0, 0, 0]
    assert m(nt.tensor([[1, 4]])).shape == (1, 2, 3)
    table = nt.arange(6.0).reshape(3, 2)
    frozen = nn.Embedding.from_pretrained(table)
    assert not frozen.weight.requires_grad
    assert frozen(nt.tensor([2])).tolist() == [[4.0, 5.0]]
    with pytest.raises(AssertionError, match="Padding_idx must be within num_embeddings"):
        nn.Embedding(3, 4, padding_idx=5)
    with pytest.raises(AssertionError, match="expected to be 2-dimensional"):
        nn.Embedding.from_pretrained(nt.ones(2))
    with pytest.raises(AssertionError, match="Shape of weight does not match"):
        nn.Embedding(3, 4, _weight=nt.ones(2, 2))


def test_dropout():
    nt.manual_seed(0)
    x = nt.ones(1000)
    m = nn.Dropout(0.25)
    y = m(x)
    assert sorted(set(y.tolist())) == pytest.approx([0.0, 4 / 3])
    assert 200 < y.tolist().count(0.0) < 300
    assert nt.equal(m.eval()(x), x)
    with pytest.raises(ValueError, match="has to be between 0 and 1, but got 2"):
        nn.Dropout(2)


ACTIVATIONS = [
    (nn.ReLU(), lambda v: max(v, 0.0)),
    (nn.GELU(), lambda v: v * (1 + math.erf(v / math.sqrt(2))) / 2),
    (nn.SiLU(), lambda v: v / (1 + math.exp(-v))),
    (nn.Sigmoid(), lambda v: 1 / (1 + math.exp(-v))),
    (nn.Tanh(), math.tanh),
    (nn.LeakyReLU(0.1), lambda v: v if v > 0 else 0.1 * v),
    (nn.ELU(2.0), lambda v: v if v > 0 else 2 * math.expm1(v)),
    (nn.Softplus(2.0), lambda v: math.log1p(math.exp(2 * v)) / 2),
]


@pytest.mark.parametrize(("layer", "function"), ACTIVATIONS, ids=lambda p: type(p).__name__)
def test_activations(layer, function):
    points = [-2.0, -0.5, 0.0, 0.5, 3.0]
    assert layer(nt.tensor(points)).tolist() == pytest.approx(list(map(function, points)), abs=1e-6)


def test_activations_in_place():
    for layer in (nn.ReLU(True), nn.SiLU(True), nn.LeakyReLU(inplace=True), nn.ELU(inplace=True)):
        x = nt.tensor([-1.0, 1.0])
        assert layer(x) is x


def test_softmaxes():
    x = nt.tensor([[0.0, math.log(3.0)]])
    assert nn.Softmax(1)(x)[0].tolist() == pytest.approx([0.25, 0.75])
    assert nn.Softmin(1)(x)[0].tolist() == pytest.approx([0.75, 0.25])
    assert nn.LogSoftmax(1)(x)[0].tolist() == pytest.approx([math.log(0.25), math.log(0.75)])


def test_losses():
    a, b = nt.tensor([0.0, 3.0]), nt.tensor([1.0, 1.0])
    assert nn.L1Loss()(a, b).item() == pytest.approx(1.5)
    assert nn.MSELoss(reduction="sum")(a, b).item() == pytest.approx(5.0)
    assert nn.SmoothL1Loss()(a, b).item() == pytest.approx((0.5 + 1.5) / 2)
    logits, target = nt.tensor([[0.0, math.log(3.0)]]), nt.tensor([1])
    assert nn.CrossEntropyLoss()(logits, target).item() == pytest.approx(-math.log(0.75))
    assert nn.NLLLoss()(nt.tensor([[-1.0, -2.0]]), target).item() == pytest.approx(2.0)
    loss = nn.BCEWithLogitsLoss(pos_weight=nt.tensor([2.0, 2.0]))
    assert loss(nt.zeros(2), nt.tensor([0.0, 1.0])).item() == pytest.approx(1.5 * math.log(2))


def test_loss_weights_are_buffers():
    m = nn.CrossEntropyLoss(weight=nt.ones(3))
    assert list(m.state_dict()) == ["weight"]
    assert nn.CrossEntropyLoss().weight is None


def test_old_loss_flags():
    with pytest.warns(UserWarning, match="please use reduction='sum' instead"):
        assert nn.MSELoss(size_average=False).reduction == "sum"
    with pytest.warns(UserWarning, match="please use reduction='none' instead"):
        assert nn.MSELoss(reduce=False).reduction == "none"
    with pytest.raises(ValueError, match="bad is not a valid value for reduction"):
        nn.MSELoss(reduction="bad")(nt.ones(1), nt.ones(1))
