"""multi_head_attention_forward: projections, attention of every head, and the projection back."""

import math
import warnings

from ...core.dtype import bool_
from ...core.errors import kind
from ...core.tensor import Tensor
from ..join import cat
from ..matmul.linear import linear
from ..matmul.product import matmul
from ..random.dropouts import dropout
from ..softmax import softmax_op
from .product import scaled_dot_product_attention

NAME = "multi_head_attention_forward"


# -- checks --------------------------------------------------------------------------------------
def _require(holds: bool, message: str) -> None:
    if not holds:
        raise AssertionError(f"{message} ({NAME})")


def _check_dimensions(query, key, value, key_padding_mask, attn_mask, num_heads) -> bool:
    """Whether the input has a batch dimension."""
    for name, t in (("query", query), ("key", key), ("value", value)):
        if not isinstance(t, Tensor):
            raise TypeError(f"{NAME}(): argument '{name}' must be Tensor, not {kind(t)}")
    ndim = query._spec.ndim
    _require(
        ndim in (2, 3),
        f"query should be unbatched 2D or batched 3D tensor but received {ndim}-D query tensor",
    )
    what = "batched (3-D)" if ndim == 3 else "unbatched (2-D)"
    _require(
        key._spec.ndim == ndim and value._spec.ndim == ndim,
        f"For {what} `query`, expected `key` and `value` to be {ndim}-D but found "
        f"{key._spec.ndim}-D and {value._spec.ndim}-D tensors respectively",
    )
    _require(
        key_padding_mask is None or key_padding_mask._spec.ndim == ndim - 1,
        f"For {what} `query`, expected `key_padding_mask` to be `None` or {ndim - 1}-D but found "
        f"{None if key_padding_mask is None else key_padding_mask._spec.ndim}-D tensor instead",
    )
    if attn_mask is not None:
        dims = attn_mask._spec.ndim
        _require(
            dims in (2, 3),
            f"For {what} `query`, expected `attn_mask` to be `None`, 2-D or 3-D but found "
            f"{dims}-D tensor instead",
        )
        if ndim == 2 and dims == 3:
            expected = num_heads, query._spec.shape[0], key._spec.shape[0]
            _require(
                attn_mask._spec.shape == expected,
                f"Expected `attn_mask` shape to be {expected} but got {attn_mask.shape}",
            )
    return ndim == 3


def canonical_mask(mask, name, dtype, other=None):
    """A mask as numbers to be added: -inf where a bool mask is True.

    `other` is a mask that should be of the same type.
    """
    if mask is None:
        return None
    given = mask._spec.dtype
    _require(
        given is bool_ or given.is_floating_point,
        f"only bool and floating types of {name} are supported",
    )
    if other is not None and other._spec.dtype is not given:
        warnings.warn(
            f"Support for mismatched {name} and attn_mask is deprecated. Use same type for both "
            "instead.",
            stacklevel=3,
        )
    if given is not bool_:
        return mask
    return mask.new_zeros(mask.shape, dtype=dtype).masked_fill_(mask, -math.inf)


def _check_mask(mask, heads, length, keys) -> None:
    ndim = mask._spec.ndim
    wanted = (length, keys) if ndim == 2 else (heads, length, keys)
    if mask._spec.shape != wanted:
        raise RuntimeError(
            f"The shape of the {ndim}D attn_mask is {mask.shape}, but should be {wanted}."
        )


# -- pieces --------------------------------------------------------------------------------------
def _project(x, weight, bias):
    """x @ weight.T + bias for x (L, N, E), in the order in which x lies in memory."""
    turned = x.transpose(0, 1)
    if turned._spec.contiguous and not x._spec.contiguous:
        return linear(turned, weight, bias).transpose(0, 1)
    return linear(x, weight, bias)


def _packed(query, key, value, weight, bias):
    """Projections with weights packed as (3 E, E); of one tensor, or of equal keys and values, by
    one product.
    """
    size = query._spec.shape[-1]
    if query is key and key is value:
        return _project(query, weight, bias).chunk(3, -1)
    if key is value:
        w_q, w_kv = weight.split([size, 2 * size])
        b_q, b_kv = (None, None) if bias is None else bias.split([size, 2 * size])
        return _project(query, w_q, b_q), *_project(key, w_kv, b_kv).chunk(2, -1)
    biases = (None,) * 3 if bias is None else bias.chunk(3)
    given = zip((query, key, value), weight.chunk(3), biases, strict=True)
    return tuple(_project(*x) for x in given)


def _heads(x, num_heads):
    """(L, N, E) -> (N, heads, L, E / heads), a view."""
    return x.unflatten(-1, (num_heads, -1)).permute(1, 2, 0, 3)


def _static(x, name, batch, num_heads, size):
    """A given key or value (N * heads, S, E / heads) as (N, heads, S, E / heads)."""
    count, _, depth = x._spec.shape
    _require(
        count == batch * num_heads,
        f"expecting {name}.size(0) of {batch * num_heads}, but got {count}",
    )
    _require(depth == size, f"expecting {name}.size(2) of {size}, but got {depth}")
    return x.unflatten(0, (batch, num_heads))


def _one_more(x, dim, last=None):
    """x with `last`, by default zeros, behind it."""
    if last is None:
        shape = list(x._spec.shape)
        shape[dim] = 1
        last = x.new_zeros(shape)
    return cat([x, last], dim)


# -- the public function -------------------------------------------------------------------------
def multi_head_attention_forward(
    query,
    key,
    value,
    embed_dim_to_check,
    num_heads,
    in_proj_weight,
    in_proj_bias,
    bias_k,
    bias_v,
    add_zero_attn,
    dropout_p,
    out_proj_weight,
    out_proj_bias,
    training=True,
    key_padding_mask=None,
    need_weights=True,
    attn_mask=None,
    use_separate_proj_weight=False,
    q_proj_weight=None,
    k_proj_weight=None,
    v_proj_weight=None,
    static_k=None,
    static_v=None,
    average_attn_weights=True,
    is_causal=False,
):
    """Project query, key and value, attend in `num_heads` parts of the columns, project back.

    (L, N, E), (S, N, E), (S, N, E) -> (L, N, E), (N, L, S), or the same without N

    `key_padding_mask` (N, S) and `attn_mask` (L, S) or (N * heads, L, S) are added to the scores,
    or True where a key must not be looked at. The second result, None unless `need_weights`, is
    (N, heads, L, S) unless `average_attn_weights`. Without it no such matrix is made. Source:
    Vaswani et al., "Attention is all you need", 2017.
    """
    batched = _check_dimensions(query, key, value, key_padding_mask, attn_mask, num_heads)
    if not batched:
        same_key, same_value = key is query, value is key
        query = query.unsqueeze(1)
        key = query if same_key else key.unsqueeze(1)
        value = key if same_value else value.unsqueeze(1)
        if key_padding_mask is not None:
            key_padding_mask = key_padding_mask.unsqueeze(0)
    length, batch, size = query._spec.shape
    keys = key._spec.shape[0]
    dtype = query._spec.dtype
    key_padding_mask = canonical_mask(key_padding_mask, "key_padding_mask", dtype, attn_mask)
    if is_causal and attn_mask is None:
        raise RuntimeError(
            "Need attn_mask if specifying the is_causal hint. You may use the Transformer module "
            f"method `generate_square_subsequent_mask` to create this mask. ({NAME})"
        )
    if is_causal and key_padding_mask is None and not need_weights:
        attn_mask = None
    else:
        attn_mask = canonical_mask(attn_mask, "attn_mask", dtype)
        is_causal = False

    _require(
        size == embed_dim_to_check,
        f"was expecting embedding dimension of {embed_dim_to_check}, but got {size}",
    )
    head_size = size // num_heads
    _require(
        head_size * num_heads == size, f"embed_dim {size} not divisible by num_heads {num_heads}"
    )
    if use_separate_proj_weight:
        _require(
            key._spec.shape[:2] == value._spec.shape[:2],
            f"key's sequence and batch dims {key.shape[:2]} do not match value's {value.shape[:2]}",
        )
        separate = {"q": q_proj_weight, "k": k_proj_weight, "v": v_proj_weight}
        for name, weight in separate.items():
            _require(
                weight is not None,
                f"use_separate_proj_weight is True but {name}_proj_weight is None",
            )
        biases = (None,) * 3 if in_proj_bias is None else in_proj_bias.chunk(3)
        given = zip((query, key, value), separate.values(), biases, strict=True)
        q, k, v = (_project(*x) for x in given)
    else:
        _require(
            key._spec.shape == value._spec.shape,
            f"key shape {key.shape} does not match value shape {value.shape}",
        )
        _require(
            in_proj_weight is not None,
            "use_separate_proj_weight is False but in_proj_weight is None",
        )
        q, k, v = _packed(query, key, value, in_proj_weight, in_proj_bias)
    if attn_mask is not None:
        _check_mask(attn_mask, batch * num_heads, length, keys)

    more = 0  # keys behind those given
    if bias_k is not None and bias_v is not None:
        _require(static_k is None, "bias cannot be added to static key.")
        _require(static_v is None, "bias cannot be added to static value.")
        k = _one_more(k, 0, bias_k.expand(1, batch, size))
        v = _one_more(v, 0, bias_v.expand(1, batch, size))
        more += 1
    _require(bias_k is None or bias_v is not None, "bias_k is set but bias_v is None")
    _require(bias_v is None or bias_k is not None, "bias_v is set but bias_k is None")
    q = _heads(q, num_heads)
    if static_k is None:
        k = _heads(k, num_heads)
    else:
        k = _static(static_k, "static_k", batch, num_heads, head_size)
    if static_v is None:
        v = _heads(v, num_heads)
    else:
        v = _static(static_v, "static_v", batch, num_heads, head_size)
    if add_zero_attn:
        k, v = _one_more(k, 2), _one_more(v, 2)
        more += 1
    keys = k._spec.shape[2]
    mask = _joined_mask(attn_mask, key_padding_mask, batch, num_heads, keys, more)
    dropout_p = dropout_p if training else 0.0

    weights = None
    if need_weights:
        scores = matmul(q * math.sqrt(1.0 / head_size), k.transpose(-2, -1))
        weights = softmax_op(scores if mask is None else scores + mask, -1)
        weights = dropout(weights, dropout_p)
        out = matmul(weights, v)
    else:
        out = scaled_dot_product_attention(q, k, v, mask, dropout_p, is_causal)
    order = query.transpose(0, 1)._spec.contiguous and not query._spec.contiguous
    if order:  # batches outside: joining the heads moves nothing
        out = linear(out.transpose(1, 2).flatten(2), out_proj_weight, out_proj_bias)
        out = out.transpose(0, 1)
    else:
        out = linear(out.permute(2, 0, 1, 3).flatten(2), out_proj_weight, out_proj_bias)
    if weights is not None and average_attn_weights:
        weights = weights.mean(1)
    if not batched:
        return out.squeeze(1), None if weights is None else weights.squeeze(0)
    return out, weights


def _joined_mask(attn_mask, key_padding_mask, batch, num_heads, keys, more):
    """The sum of both masks, to (N, heads, L, S), with zeros for `more` keys."""
    for _ in range(more):
        if attn_mask is not None:
            attn_mask = _one_more(attn_mask, -1)
        if key_padding_mask is not None:
            key_padding_mask = _one_more(key_padding_mask, -1)
    if attn_mask is not None and attn_mask._spec.ndim == 3:
        attn_mask = attn_mask.unflatten(0, (batch, num_heads))
    if key_padding_mask is None:
        return attn_mask
    rows, columns = key_padding_mask._spec.shape
    _require(rows == batch, f"Expected key_padded_mask.shape[0] to be {batch}, but got {rows}")
    _require(columns == keys, f"Expected key_padded_mask.shape[1] to be {keys}, but got {columns}")
    padding = key_padding_mask.unflatten(1, (1, 1, keys))
    return padding if attn_mask is None else attn_mask + padding
