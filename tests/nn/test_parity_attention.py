"""MultiheadAttention and the Transformer against torch: the same weights, results and gradients."""

import inspect

import numpy as np
import pytest

import numtorch as nt
from numtorch import nn

torch = pytest.importorskip("torch")
# torch says of most Transformers that it will not make nested tensors for them
pytestmark = pytest.mark.filterwarnings("ignore:enable_nested_tensor:UserWarning")


def both(name, *args, **kwargs):
    """The same layer of torch and of numtorch, made from the same seed."""
    torch.manual_seed(3)
    want = getattr(torch.nn, name)(*args, **kwargs)
    nt.manual_seed(3)
    return want, getattr(nn, name)(*args, **kwargs)


def number(*shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype("float32")


def flag(*shape):
    """A mask that hides some keys, but never the first one."""
    hidden = np.random.default_rng(sum(shape)).random(shape) < 0.4
    hidden[..., 0] = False
    return hidden


def close(got, want):
    assert (got is None) == (want is None)
    if want is not None:
        assert tuple(got.shape) == tuple(want.shape)
        np.testing.assert_allclose(got.detach().numpy(), want.detach().numpy(), 2e-5, 2e-5)


def compare(theirs, ours, arguments, share=(), **options):
    """Results, then gradients of the inputs and the parameters; `share` names arguments that are
    the first one itself.
    """

    def run(layer, lib):
        given = {}
        for name, a in arguments.items():
            given[name] = lib.from_numpy(a.copy())
            if a.dtype == np.float32:
                given[name].requires_grad_()
        leaves = list(given.values())
        first = leaves[0]
        outs = layer(**given, **dict.fromkeys(share, first), **options)
        outs = outs if isinstance(outs, tuple) else (outs,)
        sum((o * o).sum() for o in outs if o is not None).backward()
        grads = [t.grad for t in leaves] + [p.grad for p in layer.parameters()]
        return [*outs, *grads]

    for got, want in zip(run(ours, nt), run(theirs, torch), strict=True):
        close(got, want)


MHA = [
    ({}, "LN", {}),
    ({"bias": False}, "LN", {"need_weights": False}),
    ({"batch_first": True}, "NL", {"need_weights": False}),
    ({"batch_first": True, "add_zero_attn": True}, "NL", {"average_attn_weights": False}),
    ({"add_bias_kv": True}, "LN", {"need_weights": False}),
    ({"add_bias_kv": True, "add_zero_attn": True}, "L", {}),
    ({"kdim": 3, "vdim": 5}, "LN", {}),
    ({"kdim": 3, "batch_first": True}, "NL", {"need_weights": False}),
]
SIZES = {"LN": (5, 2), "NL": (2, 5), "L": (5,)}


@pytest.mark.parametrize("shape", [None, (4, 4), (6, 4, 4)])
@pytest.mark.parametrize("padded", [False, True])
def test_merged_masks(shape, padded):
    theirs, ours = both("MultiheadAttention", 6, 3)
    masks = (shape and number(*shape)), (number(2, 4) if padded else None)
    results = []
    for layer, lib in ((ours, nt), (theirs, torch)):
        given = [None if m is None else lib.from_numpy(m) for m in masks]
        results.append(layer.merge_masks(*given, lib.ones(2, 4, 6)))
    assert results[0][1] == results[1][1]
    close(results[0][0], results[1][0])


@pytest.mark.parametrize("masks", ["none", "padding", "attention", "both", "heads", "numbers"])
@pytest.mark.parametrize(("settings", "layout", "options"), MHA)
def test_multihead_attention(settings, layout, options, masks):
    theirs, ours = both("MultiheadAttention", 8, 2, **settings)
    keys = [7 if n == 5 else n for n in SIZES[layout]]
    arguments = {
        "query": number(*SIZES[layout], 8),
        "key": number(*keys, settings.get("kdim", 8)),
        "value": number(*keys, settings.get("vdim", 8)) * 2,
    }
    if masks in ("padding", "both"):
        arguments["key_padding_mask"] = flag(*([7] if layout == "L" else [2, 7]))
    if masks in ("attention", "both"):
        arguments["attn_mask"] = flag(5, 7)
    if masks == "heads":
        arguments["attn_mask"] = flag(2 if layout == "L" else 4, 5, 7)
    if masks == "numbers":
        arguments["attn_mask"] = number(5, 7)
    compare(theirs, ours, arguments, **options)


@pytest.mark.parametrize("share", [("key", "value"), ("value",)])
@pytest.mark.parametrize("batch_first", [False, True])
def test_tensors_that_are_the_same(share, batch_first):
    theirs, ours = both("MultiheadAttention", 8, 4, batch_first=batch_first)
    arguments = {"query": number(3, 4, 8)}
    if "key" not in share:
        arguments = {"key": number(3, 4, 8), "query": number(3, 4, 8) + 1}
    compare(theirs, ours, arguments, share=share, need_weights=False)


def test_causal_hint():
    theirs, ours = both("MultiheadAttention", 8, 2)
    x, mask = number(5, 2, 8), np.triu(np.ones((5, 5), bool), 1)
    options = {"need_weights": False, "is_causal": True}
    compare(theirs, ours, {"query": x, "attn_mask": mask}, share=("key", "value"), **options)
    with pytest.raises(RuntimeError, match="Need attn_mask if specifying the is_causal hint"):
        ours(*[nt.from_numpy(x)] * 3, is_causal=True)


def test_given_keys_and_values():
    theirs, ours = both("MultiheadAttention", 8, 2)
    names = "in_proj_weight", "in_proj_bias", "bias_k", "bias_v"

    def run(layer, lib):
        x, key, value = (lib.from_numpy(number(*s)) for s in ((5, 2, 8), (4, 6, 4), (4, 6, 4)))
        given = [getattr(layer, n) for n in names]
        projection = layer.out_proj.weight, layer.out_proj.bias
        return lib.nn.functional.multi_head_attention_forward(
            x, x, x, 8, 2, *given, False, 0.0, *projection, static_k=key, static_v=value
        )

    for got, want in zip(run(ours, nt), run(theirs, torch), strict=True):
        close(got, want)


@pytest.mark.parametrize("need_weights", [False, True])
def test_dropout_draws_torchs_numbers(need_weights):
    theirs, ours = both("MultiheadAttention", 8, 2, dropout=0.3)
    x = number(5, 2, 8)
    torch.manual_seed(1)
    want = theirs(*[torch.from_numpy(x)] * 3, need_weights=need_weights)
    nt.manual_seed(1)
    got = ours(*[nt.from_numpy(x)] * 3, need_weights=need_weights)
    for a, b in zip(got, want, strict=True):
        close(a, b)


FORMS = [
    ("MultiheadAttention", (8, 2), {}),
    ("MultiheadAttention", (8, 2), {"kdim": 3, "add_bias_kv": True}),
    ("MultiheadAttention", (8, 2, 0.1, False), {"batch_first": True}),
    ("TransformerEncoderLayer", (8, 2, 12, 0.2, "gelu"), {"norm_first": True}),
    ("TransformerDecoderLayer", (8, 2, 12), {"bias": False}),
    ("Transformer", (8, 2, 2, 1, 12), {"batch_first": True}),
]


@pytest.mark.parametrize(("name", "args", "kwargs"), FORMS)
def test_form_and_initial_values(name, args, kwargs):
    want, got = both(name, *args, **kwargs)
    assert repr(got) == repr(want)
    expected, found = want.state_dict(), got.state_dict()
    assert list(found) == list(expected)
    for key, value in expected.items():
        torch.testing.assert_close(torch.tensor(found[key].tolist()), value)
    settings = {k: v for k, v in vars(want).items() if isinstance(v, (bool, int, float, str))}
    assert {k: v for k, v in vars(got).items() if k in settings} == settings


@pytest.mark.parametrize("name", sorted({name for name, _, _ in FORMS}))
@pytest.mark.parametrize("method", ["__init__", "forward"])
def test_signatures(name, method):
    want = inspect.signature(getattr(getattr(torch.nn, name), method)).parameters.values()
    got = inspect.signature(getattr(getattr(nn, name), method)).parameters.values()
    assert [(p.name, p.kind) for p in got] == [(p.name, p.kind) for p in want]


LAYERS = [
    ({}, 0.0),
    ({"batch_first": True}, 0.0),
    ({"norm_first": True, "activation": "gelu"}, 0.0),
    ({"bias": False}, 0.3),
]


@pytest.mark.parametrize(("settings", "dropout"), LAYERS)
@pytest.mark.parametrize("masks", ["none", "causal", "padding"])
def test_transformer(settings, dropout, masks):
    theirs, ours = both("Transformer", 8, 2, 2, 2, 12, dropout, **settings)
    shapes = [(2, n, 8) if settings.get("batch_first") else (n, 2, 8) for n in (5, 4)]
    arguments = dict(zip(("src", "tgt"), [number(*s) for s in shapes], strict=True))
    if masks == "causal":
        arguments["tgt_mask"] = nn.Transformer.generate_square_subsequent_mask(4).numpy()
    if masks == "padding":
        arguments["src_key_padding_mask"] = arguments["memory_key_padding_mask"] = flag(2, 5)
        arguments["tgt_mask"] = np.triu(np.ones((4, 4), bool), 1)
    torch.manual_seed(5)
    nt.manual_seed(5)
    compare(theirs, ours, arguments)


def test_encoder_without_batch():
    theirs, ours = both("TransformerEncoderLayer", 8, 2, 12, 0.0)
    theirs, ours = torch.nn.TransformerEncoder(theirs, 2), nn.TransformerEncoder(ours, 2)
    compare(theirs, ours, {"src": number(5, 8), "mask": np.triu(np.ones((5, 5), bool), 1)})
    compare(theirs, ours, {"src": number(5, 8), "src_key_padding_mask": flag(5)})


def test_transformer_errors():
    model = nn.Transformer(8, 2, 1, 1, 12)
    with pytest.raises(RuntimeError, match="the batch number of src and tgt must be equal"):
        model(nt.zeros(5, 2, 8), nt.zeros(4, 3, 8))
    with pytest.raises(RuntimeError, match="must be equal to d_model, got"):
        model(nt.zeros(5, 2, 6), nt.zeros(4, 2, 6))
    with pytest.raises(RuntimeError, match="activation should be relu/gelu, not tanh"):
        nn.TransformerEncoderLayer(8, 2, activation="tanh")


def test_subsequent_mask():
    make = nn.Transformer.generate_square_subsequent_mask
    assert make(2).tolist() == [[0.0, -float("inf")], [0.0, 0.0]]
    assert make(2, dtype=nt.float64).dtype is nt.float64


ERRORS = [
    (((5, 2, 8), (5, 8), (5, 2, 8)), {}, "expected `key` and `value` to be 3-D"),
    (((5, 8), (5, 2, 8), (5, 8)), {}, "expected `key` and `value` to be 2-D"),
    (((8,), (8,), (8,)), {}, "query should be unbatched 2D or batched 3D"),
    (((5, 2, 6),) * 3, {}, "was expecting embedding dimension of 8, but got 6"),
    (((5, 2, 8), (5, 2, 8), (4, 2, 8)), {}, "does not match value shape"),
    (((5, 2, 8),) * 3, {"key_padding_mask": (2, 5, 1)}, "`key_padding_mask` to be `None` or 2-D"),
    (((5, 2, 8),) * 3, {"key_padding_mask": (3, 5)}, "Expected key_padded_mask.shape"),
    (((5, 2, 8),) * 3, {"attn_mask": (5,)}, "`attn_mask` to be `None`, 2-D or 3-D"),
    (((5, 2, 8),) * 3, {"attn_mask": (5, 4)}, "The shape of the 2D attn_mask is"),
    (((5, 2, 8),) * 3, {"attn_mask": (2, 5, 5)}, "The shape of the 3D attn_mask is"),
    (((5, 8),) * 3, {"attn_mask": (3, 5, 5)}, "Expected `attn_mask` shape to be"),
]


@pytest.mark.parametrize(("shapes", "masks", "message"), ERRORS)
def test_errors(shapes, masks, message):
    theirs, ours = both("MultiheadAttention", 8, 2)
    masks = {name: np.zeros(shape, bool) for name, shape in masks.items()}

    def run(layer, lib):
        inputs = [lib.from_numpy(number(*s)) for s in shapes]
        return layer(*inputs, **{k: lib.from_numpy(m) for k, m in masks.items()})

    with pytest.raises((AssertionError, RuntimeError), match=message) as want:
        run(theirs, torch)
    with pytest.raises(want.type, match=message):
        run(ours, nt)


def test_sizes_that_cannot_be():
    with pytest.raises(ValueError, match="embed_dim and num_heads must be greater than 0"):
        nn.MultiheadAttention(0, 1)
    with pytest.raises(AssertionError, match="embed_dim must be divisible by num_heads"):
        nn.MultiheadAttention(8, 3)
