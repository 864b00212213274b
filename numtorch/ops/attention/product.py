"""scaled_dot_product_attention: one kernel, with a derivative that is an op itself."""

import math

from ...core.batching import history
from ...core.dtype import bool_
from ...core.errors import kind
from ...core.interp import differentiated, tangents_active
from ...core.op import primitive
from ...core.shape import broadcast_shapes, contiguous_strides
from ...core.spec import Spec
from ...core.tape import grad_mode
from ...core.tensor import Tensor
from ..copy import to_dtype
from ..create import ones
from ..matmul.product import matmul
from ..random.dropouts import dropout
from ..softmax import softmax_op
from . import batching

ROOM = "numtorch.ops.attention"


# -- primitives ----------------------------------------------------------------------------------
def _rows_dense(x):
    """x, or a copy if neighbours in a row are not neighbours in memory: kernels take other strides
    as they are.
    """
    spec = x._spec
    return x if spec.strides[-1] == 1 or spec.shape[-1] < 2 else x.contiguous()


def _gradients(g, query, key, value, mask, out, out1, is_causal, scale, needs):
    if differentiated():
        grads = _composed_gradients(g, query, key, value, mask, is_causal, scale)
    else:
        g = _rows_dense(g)
        grads = attention_backward_op(g, query, key, value, mask, out, out1, is_causal, scale)
    return tuple(r if n else None for r, n in zip(grads, needs[:3], strict=True))


@primitive(
    vmap=batching.heads,
    outputs=2,
    vjp={("query", "key", "value"): _gradients},
    node_name="ScaledDotProductFlashAttentionForCpuBackward0",
    module=ROOM,
)
def attention_op(query, key, value, mask=None, *, is_causal, scale):
    """softmax(query @ key.T * scale + mask) @ value, without the product of queries and keys in
    memory; and the logarithm of the sum of exponentials for each query.

    (..., L, E), (..., S, E), (..., S, Ev), to (..., L, S) -> (..., L, Ev), (..., L)
    """
    shape = (*query.shape[:-1], value.shape[-1])
    sums = query.like(shape=query.shape[:-1])
    if len(shape) != 4:
        return query.like(shape=shape), sums
    n, h, length, width = shape  # in torch's order: what follows joins the heads of a query
    strides = contiguous_strides((n, length, h, width))
    strides = (strides[0], strides[2], strides[1], strides[3])
    return Spec.of(shape, query.dtype, query.device, strides), sums


@primitive(vmap=batching.heads, outputs=3, vjp={}, module=ROOM)
def attention_backward_op(grad, query, key, value, mask, out, sums, *, is_causal, scale):
    """The gradients of `attention_op` for query, key and value."""
    return query.like(), key.like(), value.like()


attention_backward_op.op.optional = frozenset(["mask"])


# -- in differentiable operations ----------------------------------------------------------------
def weights(query, key, mask, is_causal, scale):
    """softmax(query @ key.T * scale + mask); queries that may look at nothing get zeros.

    (..., L, E), (..., S, E), to (..., L, S) -> (..., L, S)
    """
    scores = matmul(query * scale, key.transpose(-2, -1))
    if is_causal:
        mask = ones(scores._spec.shape[-2:], dtype=bool_, device=scores.device).tril()
    if mask is None:
        return softmax_op(scores, -1)
    if mask._spec.dtype is bool_:
        scores = scores.masked_fill(mask.logical_not(), -math.inf)
    else:
        scores = scores + mask
    dead = (scores.detach() == -math.inf).all(-1, True)
    return softmax_op(scores.masked_fill(dead, 0.0), -1).masked_fill(dead, 0.0)


def _composed_gradients(g, query, key, value, mask, is_causal, scale):
    p = weights(query, key, mask, is_causal, scale)
    dp = matmul(g, value.transpose(-2, -1))
    ds = p * (dp - (p * dp).sum(-1, True)) * scale
    transposed = ds.transpose(-2, -1)
    return matmul(ds, key), matmul(transposed, query), matmul(p.transpose(-2, -1), g)


# -- the public function -------------------------------------------------------------------------
def _check(query, key, value, attn_mask, dropout_p, is_causal) -> None:
    name = "scaled_dot_product_attention"
    given = {"query": query, "key": key, "value": value}
    for i, (argument, t) in enumerate(given.items(), 1):
        if not isinstance(t, Tensor):
            raise TypeError(
                f"{name}(): argument '{argument}' (position {i}) must be Tensor, not {kind(t)}"
            )
    dims = " ".join(f"{a}.dim: {t._spec.ndim}" for a, t in given.items())
    if min(t._spec.ndim for t in given.values()) < 2:
        raise RuntimeError(
            "Expected query, key, and value to all be at least 2 dimensional, but got "
            f"{dims} ({name})"
        )
    dtype = query._spec.dtype
    if key._spec.dtype is not dtype or value._spec.dtype is not dtype:
        found = ", ".join(f"{a}.dtype: {t._spec.dtype.name}" for a, t in given.items())
        raise RuntimeError(
            f"Expected query, key, and value to have the same dtype, but got {found} ({name})"
        )
    if not dtype.is_floating_point:
        raise RuntimeError(f"{name}: expected floating point, but got {dtype.name}")
    if attn_mask is not None:
        wanted = attn_mask._spec.dtype
        if wanted is not bool_ and wanted.name != "float32" and wanted is not dtype:
            raise RuntimeError(
                "Expected attn_mask dtype to be bool or float or to match query dtype, but got "
                f"attn_mask.dtype: {wanted.name} and query.dtype: {dtype.name} instead ({name})"
            )
        if is_causal:
            raise RuntimeError(f"{name}: Explicit attn_mask should not be set when is_causal=True")
    if not 0.0 <= dropout_p <= 1.0:
        raise RuntimeError(
            f"dropout probability has to be between 0 and 1, but got {dropout_p} ({name})"
        )
    q, k, v = query._spec.shape, key._spec.shape, value._spec.shape
    if q[-1] != k[-1] or k[-2] != v[-2]:
        raise RuntimeError(
            f"{name}: expected query (..., L, E), key (..., S, E) and value (..., S, Ev), but got "
            f"{list(q)}, {list(k)} and {list(v)}"
        )


def _grouped(query, key, value, mask):
    """Views in which the query heads of each head of keys are a dimension of their own."""
    q, k, v = query._spec.shape, key._spec.shape, value._spec.shape
    if min(len(q), len(k), len(v)) < 3:
        raise IndexError(
            "scaled_dot_product_attention: Dimension out of range, as enable_gqa=True expects "
            f"(..., heads, L, E), but got {list(q)}, {list(k)} and {list(v)}"
        )
    heads, groups = q[-3], k[-3]
    if v[-3] != groups or not groups or heads % groups:
        raise RuntimeError(
            "Number of heads in key and value must divide the number of heads in query: got "
            f"{groups}, {v[-3]} and {heads} (scaled_dot_product_attention)"
        )
    each = heads // groups
    if mask is not None and mask._spec.ndim > 2:
        many = mask._spec.shape[-3]
        mask = mask.unsqueeze(-3) if many == 1 else mask.unflatten(-3, (groups, each))
    return query.unflatten(-3, (groups, each)), key.unsqueeze(-3), value.unsqueeze(-3), mask


def _widened(x, lead):
    """x with its leading dimensions broadcast to `lead`."""
    shape = x._spec.shape
    return x if shape[:-2] == lead else x.expand(*lead, *shape[-2:])


def scaled_dot_product_attention(
    query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None, enable_gqa=False
):
    """softmax(query @ key.T * scale + attn_mask) @ value.

    (..., L, E), (..., S, E), (..., S, Ev), to (..., L, S) -> (..., L, Ev)

    `attn_mask` is added to the scores, or is False where a query must not look. `is_causal`: query
    i looks at keys 0 to i. `scale` is 1 / sqrt(E) unless given. `enable_gqa`: dimension -3 of key
    and value may be smaller than that of query by a factor, and is repeated. Queries that may look
    at nothing get zeros. No (L, S) matrix is made, except with dropout or for the gradient of a
    mask. Source: Vaswani et al., 2017; Dao et al., "FlashAttention", 2022.
    """
    _check(query, key, value, attn_mask, dropout_p, is_causal)
    if enable_gqa:
        query, key, value, attn_mask = _grouped(query, key, value, attn_mask)
    q, k, v = query._spec, key._spec, value._spec
    lead = q.shape[:-2]
    if k.shape[:-2] != lead or v.shape[:-2] != lead:
        lead = broadcast_shapes(lead, k.shape[:-2], v.shape[:-2])
        query, key, value = (_widened(x, lead) for x in (query, key, value))
    length, depth = q.shape[-2:]
    if scale is None:
        scale = 1 / math.sqrt(depth) if depth else 1.0
    wants_grad = False
    if attn_mask is not None:
        whole = (*lead, length, k.shape[-2])
        if broadcast_shapes(whole, attn_mask._spec.shape) != whole:
            raise RuntimeError(
                f"scaled_dot_product_attention: attn_mask of shape {list(attn_mask._spec.shape)} "
                f"does not expand to the shape of the scores, {list(whole)}"
            )
        if attn_mask._spec.dtype is not bool_:
            attn_mask = to_dtype(attn_mask, q.dtype)
            wants_grad = tangents_active() or (grad_mode.get() and history(attn_mask))
    if dropout_p or wants_grad or not depth:
        p = dropout(weights(query, key, attn_mask, is_causal, scale), dropout_p)
        out = matmul(p, value)
    else:
        query, key, value = (_rows_dense(x) for x in (query, key, value))
        out = attention_op(query, key, value, attn_mask, bool(is_causal), float(scale))[0]
    return out.flatten(-4, -3) if enable_gqa else out
