"""nn against torch: printed forms, state_dict keys, values from the same seed, signatures."""

import inspect

import pytest

import numtorch as nt
from numtorch import nn

torch = pytest.importorskip("torch")

LAYERS = [
    ("Linear", (3, 4), {}),
    ("Linear", (3, 4, False), {}),
    ("Conv2d", (2, 4, 3), {}),
    ("Conv2d", (2, 4, (3, 5), 2, 1, (2, 1), 2, False), {}),
    ("Conv2d", (2, 4, 3), {"padding": "same", "padding_mode": "reflect"}),
    ("MaxPool2d", (2,), {}),
    ("MaxPool2d", ((2, 3), 1, 1, 1, True, True), {}),
    ("AvgPool2d", (2,), {}),
    ("AdaptiveAvgPool2d", ((None, 2),), {}),
    ("BatchNorm1d", (3,), {}),
    ("BatchNorm2d", (3, 1e-3, None, False, False), {}),
    ("BatchNorm2d", (3,), {"bias": False}),
    ("LayerNorm", ((2, 3), 1e-3), {}),
    ("LayerNorm", (3,), {"bias": False}),
    ("Embedding", (5, 3), {}),
    ("Embedding", (5, 4, -1, 2.0, 1.0, True, True), {}),
    ("Dropout", (0.2, True), {}),
    ("ReLU", (True,), {}),
    ("GELU", ("tanh",), {}),
    ("SiLU", (), {}),
    ("LeakyReLU", (0.2, True), {}),
    ("ELU", (2, True), {}),
    ("Softplus", (2, 3), {}),
    ("Softmax", (1,), {}),
    ("Flatten", (), {}),
    ("Unflatten", (1, (2, 3)), {}),
    ("Conv2d", (2, 4, 3), {"padding": 1, "padding_mode": "circular"}),
    ("Conv1d", (2, 4, 3, 2), {"padding_mode": "reflect"}),
    ("Conv3d", (2, 4, (1, 2, 3)), {"bias": False}),
    ("ConvTranspose1d", (4, 2, 3), {}),
    ("ConvTranspose2d", (2, 4, 3, 2, 1, 1, 2), {}),
    ("ConvTranspose3d", (2, 4, 3), {"dilation": 2}),
    ("KLDivLoss", (), {"log_target": True}),
    ("TripletMarginLoss", (), {"swap": True}),
    ("GaussianNLLLoss", (), {"full": True}),
    ("PoissonNLLLoss", (False,), {}),
    ("CosineEmbeddingLoss", (0.5,), {}),
    ("MarginRankingLoss", (), {}),
    ("MultiLabelSoftMarginLoss", (), {}),
    ("MultiLabelMarginLoss", (), {}),
    ("MultiMarginLoss", (2, 0.5), {}),
    ("MaxPool1d", (3, None, 1), {}),
    ("MaxPool3d", (3,), {"ceil_mode": True}),
    ("AvgPool1d", (3, 2), {}),
    ("AvgPool3d", ((1, 2, 3),), {}),
    ("AdaptiveAvgPool3d", ((1, None, 2),), {}),
    ("AdaptiveMaxPool2d", (3, True), {}),
    ("LPPool2d", (2, (3, 2)), {"ceil_mode": True}),
    ("LocalResponseNorm", (3, 1e-3), {}),
    ("BatchNorm3d", (3,), {}),
    ("InstanceNorm1d", (3,), {}),
    ("InstanceNorm2d", (3,), {"affine": True, "track_running_stats": True}),
    ("GroupNorm", (2, 4, 1e-3), {}),
    ("GroupNorm", (2, 4), {"bias": False}),
    ("RMSNorm", ((2, 3), 1e-3, False), {}),
    ("RMSNorm", (3,), {}),
    ("Dropout2d", (0.1,), {}),
    ("AlphaDropout", (0.1, True), {}),
    ("PReLU", (3, 0.5), {}),
    ("RReLU", (0.1, 0.2, True), {}),
    ("Hardtanh", (-2, 2, True), {}),
    ("Hardswish", (True,), {}),
    ("CELU", (2.0,), {}),
    ("Threshold", (1, 2, True), {}),
    ("Softshrink", (), {}),
    ("GLU", (1,), {}),
    ("PixelShuffle", (2,), {}),
    ("ChannelShuffle", (2,), {}),
    ("CosineSimilarity", (), {}),
    ("PairwiseDistance", (1.0,), {}),
    ("ConstantPad1d", (1, 3.5), {}),
    ("ZeroPad2d", ((1, 2, 3, 4),), {}),
    ("ReflectionPad3d", (1,), {}),
    ("CircularPad2d", (2,), {}),
    ("CrossEntropyLoss", (), {}),
    ("SmoothL1Loss", (), {"beta": 2.0}),
]


def both(name, args, kwargs):
    torch.manual_seed(3)
    want = getattr(torch.nn, name)(*args, **kwargs)
    nt.manual_seed(3)
    return want, getattr(nn, name)(*args, **kwargs)


@pytest.mark.parametrize(("name", "args", "kwargs"), LAYERS)
def test_form_and_initial_values(name, args, kwargs):
    want, got = both(name, args, kwargs)
    assert repr(got) == repr(want)
    expected, found = want.state_dict(), got.state_dict()
    assert list(found) == list(expected)
    assert dict(found._metadata) == dict(expected._metadata)
    for key, value in expected.items():
        torch.testing.assert_close(torch.tensor(found[key].tolist(), dtype=value.dtype), value)
    settings = {k: v for k, v in vars(want).items() if not k.startswith("_")}
    registered = {*got._parameters, *got._buffers}
    own = {k: v for k, v in vars(got).items() if not k.startswith("_") and k not in registered}
    assert own == settings


@pytest.mark.parametrize("name", sorted({name for name, _, _ in LAYERS}))
def test_signatures(name):
    want = inspect.signature(getattr(torch.nn, name).__init__).parameters.values()
    got = inspect.signature(getattr(nn, name).__init__).parameters.values()
    assert [(p.name, p.kind) for p in got] == [(p.name, p.kind) for p in want]
    assert [p.default for p in got] == [p.default for p in want]


FILLS = [
    ("uniform_", (-1.0, 2.0)),
    ("normal_", (1.0, 2.0)),
    ("trunc_normal_", ()),
    ("trunc_normal_", (0.0, 1.0, -0.5, 0.7)),
    ("trunc_normal_", (0.0, 1.0, 2.0, 3.0)),
    ("xavier_uniform_", (2.0,)),
    ("xavier_normal_", ()),
    ("kaiming_uniform_", (0.5, "fan_out")),
    ("kaiming_normal_", (0, "fan_in", "relu")),
    ("eye_", ()),
    ("sparse_", (0.3,)),
]


@pytest.mark.parametrize(("name", "args"), FILLS)
def test_init_draws_torchs_values(name, args):
    torch.manual_seed(5)
    want = getattr(torch.nn.init, name)(torch.empty(7, 30), *args)
    following = torch.rand(3).tolist()
    nt.manual_seed(5)
    got = getattr(nn.init, name)(nt.empty(7, 30), *args)
    torch.testing.assert_close(torch.tensor(got.tolist()), want, rtol=1e-5, atol=1e-6)
    assert nt.rand(3).tolist() == following


def test_module_has_all_public_methods():
    # those of devices and compilers that this library does not have
    absent = {"ipu", "xpu", "mtia", "half", "bfloat16", "compile", "T_destination"}
    public = {n for n in vars(torch.nn.Module) if not n.startswith("_")}
    missing = {n for n in public - absent if not hasattr(nn.Module, n)}
    assert missing == set()
