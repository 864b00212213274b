"""The names of tape nodes are torch's: of the results of the samples, where torch has a node."""

import collections

import pytest

import numtorch as nt

from ..samples import build

PER_FUNCTION = 3


def functions() -> dict:
    """The first samples of each public function."""
    found = collections.defaultdict(list)
    for _, sample, case, dtype in build.cases(build.all_samples(), ["float32"]):
        if not sample.name.startswith("Tensor._") and len(found[sample.name]) < PER_FUNCTION:
            found[sample.name].append((case, dtype))
    return found


def names(L, name, case, dtype):
    """The names of the nodes of a function's results; None for results without."""

    def make(array):
        t = L.from_numpy(array.copy())
        return t.requires_grad_() if array.dtype.kind == "f" else t

    args, keywords = build.arrays(case, dtype)
    given = build.convert(args, make), build.convert(keywords, make)
    out = build.find(L, name)(*given[0], **given[1])
    results = out if isinstance(out, (tuple, list)) else [out]
    return [r.grad_fn and r.grad_fn.name() for r in results if isinstance(r, L.Tensor)]


FUSED = "one kernel and node here, several in torch"
SPLIT = "several nodes here, one in torch"
PLANES = "one- and three-dimensional pooling shares the op of two dimensions"
TWO = "each of the two results has a node of its own"
NEVER = "torch's node can only raise: here the result has no history"
OVERLOAD = "the node keeps nothing that tells the overloads apart"
LAST = "the same nodes in another order, or one view more or less at the end"
ONE_NODE = "the cell is one op here"
DIFFERENT = {
    "nn.functional.scaled_dot_product_attention": FUSED,
    "nn.functional.rms_norm": FUSED,
    "rms_norm": FUSED,
    "square": FUSED,
    "diff": FUSED,
    "nn.functional.softsign": FUSED,
    "nn.functional.tanhshrink": FUSED,
    "repeat_interleave": FUSED,
    "nn.functional.instance_norm": FUSED,
    "pairwise_distance": FUSED,
    "lstm_cell": ONE_NODE,
    "gru_cell": ONE_NODE,
    "rnn_relu_cell": ONE_NODE,
    "lstm": ONE_NODE,
    "conv_transpose1d": SPLIT,
    "conv_transpose2d": SPLIT,
    "conv_transpose3d": SPLIT,
    "scatter_reduce": SPLIT,
    "block_diag": SPLIT,
    "nn.functional.multi_margin_loss": SPLIT,
    "nn.functional.multilabel_margin_loss": SPLIT,
    "nn.functional.rrelu": SPLIT,
    "nanmedian": SPLIT,
    "native_group_norm": SPLIT,
    "aminmax": TWO,
    "var_mean": TWO,
    "std_mean": TWO,
    "nn.functional.multi_head_attention_forward": LAST,
    "meshgrid": LAST,
    "nn.functional.l1_loss": LAST,
    "inner": LAST,
    "chain_matmul": LAST,
    "einsum": LAST,
    "tensordot": LAST,
    "trapezoid": LAST,
    "trapz": LAST,
    "cumulative_trapezoid": LAST,
    "index_fill": OVERLOAD,
    "rsub": OVERLOAD,
    "remainder": OVERLOAD,
    "fmod": OVERLOAD,
    "floor_divide": NEVER,
    "heaviside": NEVER,
    "unique": NEVER,
    "unique_consecutive": NEVER,
    "bernoulli": NEVER,
    **{f"nn.functional.{k}_pool{d}d": PLANES for k in ("max", "avg") for d in (1, 3)},
    **{f"nn.functional.adaptive_{k}_pool{d}d": PLANES for k in ("max", "avg") for d in (1, 3)},
}


@pytest.mark.filterwarnings("ignore")
def test_names_are_torchs(torch):
    different = {}
    for name, cases in functions().items():
        for case, dtype in cases:
            try:
                wanted = names(torch, name, case, dtype)
                found = names(nt, name, case, dtype)
            except (AttributeError, TypeError, RuntimeError, ValueError):
                continue  # a sample that torch has no function for, or that takes no gradients
            if found != wanted:
                different[name] = found, wanted
    more = {n: d for n, d in different.items() if n not in DIFFERENT}
    assert not more, f"(ours, torch's): {more}"
    assert not DIFFERENT.keys() - different.keys(), "names that agree now: take them off the list"
