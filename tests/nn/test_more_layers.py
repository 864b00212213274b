"""Layers of one function each against torch: values, gradients, running statistics, errors."""

import numpy as np
import pytest

import numtorch as nt
from numtorch import nn

LINE, IMAGE, VOLUME = (2, 4, 8), (2, 4, 6, 6), (1, 4, 4, 4, 4)
CALLS = [
    ("Conv1d", (4, 2, 3), LINE), ("Conv3d", (4, 2, 2), VOLUME),
    ("ConvTranspose1d", (4, 2, 3, 2), LINE), ("ConvTranspose2d", (4, 2, 3, 2, 1, 1), IMAGE),
    ("ConvTranspose3d", (4, 2, 2), VOLUME), ("MaxPool1d", (3, 2, 1), LINE),
    ("MaxPool3d", (2,), VOLUME), ("AvgPool1d", (3, 2, 1), LINE),
    ("AvgPool3d", (2,), VOLUME), ("AdaptiveAvgPool1d", (3,), LINE),
    ("AdaptiveAvgPool3d", ((1, None, 2),), VOLUME), ("AdaptiveMaxPool1d", (3,), LINE),
    ("AdaptiveMaxPool2d", (3,), IMAGE), ("AdaptiveMaxPool3d", (2,), VOLUME),
    ("BatchNorm3d", (4,), VOLUME), ("InstanceNorm1d", (4,), LINE), ("InstanceNorm1d", (4,), (4, 8)),
    ("InstanceNorm2d", (4, 1e-3, 0.2, True, True), IMAGE), ("InstanceNorm3d", (4,), VOLUME),
    ("GroupNorm", (2, 4), IMAGE), ("RMSNorm", ((6, 6),), IMAGE), ("PReLU", (4,), IMAGE),
    ("PReLU", (), LINE), ("Hardtanh", (-0.5, 0.5), LINE), ("ReLU6", (), LINE), ("Mish", (), LINE),
    ("SELU", (), LINE), ("CELU", (2.0,), LINE), ("Hardswish", (), LINE), ("Hardsigmoid", (), LINE),
    ("Softsign", (), LINE), ("Softshrink", (), LINE), ("Hardshrink", (0.3,), LINE),
    ("Tanhshrink", (), LINE), ("Threshold", (0.1, 2.0), LINE), ("LogSigmoid", (), LINE),
    ("GLU", (1,), LINE), ("LPPool1d", (2, 3), LINE), ("LPPool3d", (2, 2), VOLUME),
    ("LocalResponseNorm", (3,), IMAGE), ("Softmax2d", (), IMAGE), ("PixelShuffle", (2,), IMAGE),
    ("PixelUnshuffle", (2,), IMAGE), ("ChannelShuffle", (2,), IMAGE), ("ZeroPad2d", (1,), IMAGE),
    ("ConstantPad3d", (1, 2.0), VOLUME), ("ReflectionPad2d", ((1, 0, 2, 1),), IMAGE),
    ("ReplicationPad1d", (2,), LINE), ("CircularPad3d", (1,), VOLUME),
]  # fmt: skip


@pytest.mark.parametrize(("name", "args", "shape"), CALLS, ids=str)
def test_as_torch(name, args, shape, torch):
    x = np.random.default_rng(2).standard_normal(shape)
    found = []
    for lib, space in ((torch, torch.nn), (nt, nn)):
        lib.manual_seed(1)
        layer = getattr(space, name)(*args).to(lib.float64)
        leaf = lib.from_numpy(x.copy()).requires_grad_()
        out = layer(leaf)
        (out * out).sum().backward()
        state = [v.tolist() for v in layer.state_dict().values()]
        grads = [p.grad.tolist() for p in layer.parameters()]
        evaluated = layer.eval()(leaf.detach())
        found.append([out.tolist(), leaf.grad.tolist(), evaluated.tolist(), *state, *grads])
    for want, got in zip(*found, strict=True):
        np.testing.assert_allclose(got, want, 1e-7, 1e-9)  # torch rounds Hardsigmoid's 1 / 6


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
def test_padding_modes_of_convolutions(mode, torch):
    x = np.random.default_rng(2).standard_normal((2, 3, 7, 8)).astype(np.float32)
    want = torch.nn.Conv2d(3, 4, 3, padding=2, padding_mode=mode)
    got = nn.Conv2d(3, 4, 3, padding=2, padding_mode=mode)
    got.load_state_dict({k: nt.from_numpy(v.numpy()) for k, v in want.state_dict().items()})
    expected = want(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(got(nt.from_numpy(x)).detach().numpy(), expected, 1e-5, 1e-5)


@pytest.mark.parametrize(
    ("name", "args", "shape", "words"),
    [
        ("GroupNorm", (3, 4), None, r"num_channels \(4\) must be divisible by num_groups \(3\)"),
        ("Dropout2d", (2,), None, "dropout probability has to be between 0 and 1, but got 2"),
        ("InstanceNorm2d", (3,), (2, 3), r"expected 3D or 4D input \(got 2D input\)"),
        ("InstanceNorm2d", (3, 1e-5, 0.1, True), (4, 3, 3), "to match num_features"),
        ("BatchNorm3d", (3,), (2, 3), "expected 5D input"),
        ("Softmax2d", (), (2, 2), "expected input to be 3D or 4D, got 2D"),
        ("CircularPad2d", (1,), (2, 2), r"expected 3D or 4D input \(got 2D input\)"),
    ],
    ids=str,
)
def test_errors(name, args, shape, words):
    with pytest.raises(ValueError, match=words):
        getattr(nn, name)(*args)(nt.ones(*(shape or ())))


def test_hardtanh_bounds():
    with pytest.raises(AssertionError, match=r"max_val \(1\) must be greater than min_val \(2\)"):
        nn.Hardtanh(2, 1)
    with pytest.warns(FutureWarning, match="`min_value` is deprecated"):
        assert nn.Hardtanh(min_value=-3).min_val == -3


def test_statistics_of_old_instance_norms_are_refused():
    layer = nn.InstanceNorm1d(2)
    state = {"running_mean": nt.zeros(2), "running_var": nt.ones(2)}
    with pytest.raises(RuntimeError, match="Unexpected running stats buffer"):
        layer.load_state_dict(state)


@pytest.mark.parametrize("name", ["Dropout1d", "Dropout3d", "FeatureAlphaDropout"])
def test_dropout_of_channels(name):
    x = nt.ones(2, 3, 4, 2, 2) if name == "Dropout3d" else nt.ones(5, 3, 4)
    layer = getattr(nn, name)(0.5)
    out = layer(x).flatten(2)
    assert (out == out[..., :1]).all() and not (out == 1).all()
    assert layer.eval()(x).equal(x)


LOSSES = {
    "KLDivLoss": ({"log_target": True, "reduction": "batchmean"}, "xx"),
    "PoissonNLLLoss": ({"full": True}, "xp"),
    "GaussianNLLLoss": ({"full": True}, "xxp"),
    "HingeEmbeddingLoss": ({"margin": 0.5}, "xs"),
    "MarginRankingLoss": ({"margin": 0.1}, "xxs"),
    "CosineEmbeddingLoss": ({"margin": 0.1}, "xxv"),
    "SoftMarginLoss": ({"reduction": "sum"}, "xs"),
    "MultiMarginLoss": ({"p": 2, "margin": 0.5}, "xc"),
    "MultiLabelMarginLoss": ({"reduction": "sum"}, "xl"),
    "MultiLabelSoftMarginLoss": ({}, "xp"),
    "TripletMarginLoss": ({"swap": True, "p": 2.0}, "xxx"),
    "TripletMarginWithDistanceLoss": ({"margin": 0.5}, "xxx"),
}


@pytest.mark.parametrize("name", LOSSES)
def test_losses(name, torch):
    options, kinds = LOSSES[name]
    rng = np.random.default_rng(6)
    make = {
        "x": lambda: rng.standard_normal((4, 3)),
        "p": lambda: rng.uniform(0.1, 1, (4, 3)),
        "s": lambda: rng.choice([-1.0, 1.0], (4, 3)),
        "v": lambda: rng.choice([-1.0, 1.0], 4),
        "c": lambda: rng.integers(0, 3, 4),
        "l": lambda: rng.integers(-1, 3, (4, 3)),
    }
    arrays, found = [make[k]() for k in kinds], []
    for lib, space in ((torch, torch.nn), (nt, nn)):
        given = [lib.from_numpy(a.copy()) for a in arrays]
        given[0].requires_grad_()
        loss = getattr(space, name)(**options)(*given)
        loss.backward()
        found.append((loss.item(), given[0].grad.tolist()))
    np.testing.assert_allclose(found[1][0], found[0][0], 1e-7)
    np.testing.assert_allclose(found[1][1], found[0][1], 1e-7, 1e-9)


def test_margins_are_positive():
    for name in ("TripletMarginLoss", "TripletMarginWithDistanceLoss"):
        with pytest.raises(ValueError, match=f"{name}: expected margin to be greater than 0"):
            getattr(nn, name)(margin=0)


def test_settings_of_multi_margins():
    with pytest.raises(ValueError, match="only p == 1 and p == 2 supported"):
        nn.MultiMarginLoss(p=3)
    with pytest.raises(ValueError, match="expected weight to be None or 1D tensor, got 2D instead"):
        nn.MultiMarginLoss(weight=nt.ones(2, 2))


def test_sizes_of_transposed_convolutions(torch):
    layer, x = nn.ConvTranspose2d(2, 4, 3, 2), nt.ones(1, 2, 4, 4)
    assert layer(x, output_size=(10, 9)).shape == (1, 4, 10, 9)
    with pytest.raises(ValueError, match=r"valid sizes range from \[9, 9\] to \[10, 10\]"):
        layer(x, output_size=(20, 20))
    with pytest.raises(ValueError, match="output_size must have 2 or 4 elements"):
        layer(x, output_size=(20,))
    with pytest.raises(ValueError, match='Only "zeros" padding mode is supported'):
        nn.ConvTranspose2d(2, 4, 3, padding_mode="reflect")
