"""Samples of attention."""

import numpy as np

from .model import case, error, mask, op, t

F = "nn.functional."
NAME = F + "scaled_dot_product_attention"


def attention(
    q, k, v, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None, enable_gqa=False
):
    if enable_gqa:
        k, v = (np.repeat(x, q.shape[-3] // x.shape[-3], -3) for x in (k, v))
    scores = q @ np.swapaxes(k, -2, -1) * (1 / np.sqrt(q.shape[-1]) if scale is None else scale)
    if is_causal:
        attn_mask = np.tril(np.ones(scores.shape[-2:], bool))
    if attn_mask is not None:
        added = np.where(attn_mask, 0, -np.inf) if attn_mask.dtype == bool else attn_mask
        scores = scores + added.astype(q.dtype)
    high = scores.max(-1, keepdims=True)
    e = np.exp(scores - np.where(np.isinf(high), 0, high))
    total = e.sum(-1, keepdims=True)
    return (e / np.where(total == 0, 1, total)) @ v


X = t(3, 2, 4), t(5, 2, 4), t(5, 2, 4)
K = t(1, 1, 4)
SAMPLES = [
    op(
        NAME,
        case(t(2, 3), t(4, 3), t(4, 2)),
        case(t(1, 2, 5, 3), t(1, 2, 6, 3), t(1, 2, 6, 2), is_causal=True),
        case(t(2, 1, 3, 2), t(2, 1, 5, 2), t(2, 1, 5, 2), mask(2, 1, 1, 5)),
        case(t(2, 3, 4), t(2, 2, 4), t(2, 2, 4), t(3, 1, grad=False), scale=0.7),
        ref=attention,
        method=False,
    ),
    op(
        NAME,
        case(t(2, 5, 3), t(2, 3, 3), t(2, 3, 3), is_causal=True),
        case(t(1, 2, 3, 4), t(1, 2, 5, 4), t(1, 2, 5, 4), mask(3, 5)),
        case(t(2, 3, 4), t(2, 5, 4), t(2, 5, 4), t(2, 3, 5, grad=False)),
        case(t(2, 3, 4), t(2, 2, 4), t(2, 2, 4), t(3, 1)),
        case(t(1, 3, 4), t(2, 5, 4), t(1, 5, 4)),
        case(t(1, 4, 2, 3), t(1, 2, 5, 3), t(1, 2, 5, 3), enable_gqa=True),
        case(t(1, 4, 2, 3), t(1, 2, 5, 3), t(1, 2, 5, 3), mask(1, 4, 2, 5), enable_gqa=True),
        case(t(4, 2, 3), t(2, 5, 3), t(2, 5, 3), mask(1, 2, 5), enable_gqa=True),
        ref=attention,
        method=False,
        cuda=False,  # the kernels see what they see above
    ),
    op(  # several blocks of queries and of keys, of which the last are cut
        NAME,
        case(t(1, 2, 70, 20), t(1, 2, 130, 20), t(1, 2, 130, 33)),
        case(t(1, 130, 5), t(1, 140, 5), t(1, 140, 40), is_causal=True),
        ref=attention,
        method=False,
        grad=False,  # against torch in tests/ops/test_attention.py
    ),
    op(
        NAME,
        case(t(0, 4), t(3, 4), t(3, 2)),
        case(t(3, 4), t(0, 4), t(0, 2)),
        case(t(3, 4), t(5, 4), t(5, 0)),
        case(t(3, 0), t(5, 0), t(5, 2)),
        case(t(0, 2, 3, 4), t(0, 2, 5, 4), t(0, 2, 5, 4)),
        method=False,
        gradgrad=False,
        forward_ad=False,
    ),
    op(
        F + "multi_head_attention_forward",
        case(*X, 4, 2, t(12, 4), t(12), None, None, False, 0.0, t(4, 4), t(4)),
        case(*X, 4, 2, t(12, 4), None, K, K, True, 0.0, t(4, 4), None, average_attn_weights=False),
        method=False,
        cuda=False,  # made of operations that have samples
    ),
]
Q = t(3, 4)
ERRORS = [
    error(NAME, case(t(4), Q, Q), RuntimeError, "at least 2 dimensional, but got query.dim: 1"),
    error(NAME, case(Q, t(3, 4, dtype="float64"), Q), RuntimeError, "to have the same dtype"),
    error(NAME, case(Q, Q, Q), RuntimeError, "expected floating point, but got int64", "int64"),
    error(NAME, case([1.0], Q, Q), TypeError, r"'query' \(position 1\) must be Tensor, not list"),
    error(
        NAME, case(Q, t(3, 5), Q), RuntimeError, r"key \(\.\.\., S, E\).* got \[3, 4\], \[3, 5\]"
    ),
    error(
        NAME, case(Q, t(5, 4), Q), RuntimeError, r"value \(\.\.\., S, Ev\).* \[5, 4\] and \[3, 4\]"
    ),
    error(
        NAME,
        case(t(2, 3, 4), t(3, 3, 4), t(3, 3, 4)),
        RuntimeError,
        r"The size of tensor a \(2\) must match the size of tensor b \(3\)",
    ),
    error(
        NAME, case(Q, Q, Q, t(3, 3), is_causal=True), RuntimeError, "attn_mask should not be set"
    ),
    error(NAME, case(Q, Q, Q, t(3, 4)), RuntimeError, "must match the size of tensor b"),
    error(
        NAME, case(Q, Q, Q, t(2, 3, 3)), RuntimeError, "does not expand to the shape of the scor"
    ),
    error(NAME, case(Q, Q, Q, t(3, 3, dtype="int64")), RuntimeError, "attn_mask dtype to be bool"),
    error(NAME, case(Q, Q, Q, dropout_p=1.5), RuntimeError, "between 0 and 1, but got 1.5"),
    error(NAME, case(Q, Q, Q, enable_gqa=True), IndexError, "Dimension out of range"),
    error(
        NAME,
        case(t(4, 3, 4), t(3, 3, 4), t(3, 3, 4), enable_gqa=True),
        RuntimeError,
        "Number of heads in key and value must divide the number of heads",
    ),
]
