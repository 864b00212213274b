"""What the profiler calls an op, and how many floating-point operations it counts for it.

Ops have the names that torch's profiler shows (`aten::linear`); those that torch does not have are
`numtorch::name`.
"""

import functools
import re

from ..core.tensor import Tensor

# Ours, where torch's name is another one.
RENAMED = {
    "_overwrite": "copy",
    "_to_integer": "to",
    "add_scaled": "add",
    "attention": "scaled_dot_product_attention",
    "attention_backward": "_scaled_dot_product_flash_attention_for_cpu_backward",
    "batch_norm_backward": "native_batch_norm_backward",
    "batch_norm_eval": "batch_norm",
    "batch_norm_eval_backward": "native_batch_norm_backward",
    "bce": "binary_cross_entropy",
    "bce_values": "binary_cross_entropy",
    "bce_with_logits": "binary_cross_entropy_with_logits",
    "bce_with_logits_values": "binary_cross_entropy_with_logits",
    "bernoulli_tensor": "bernoulli",
    "convolution_input_grad": "convolution_backward",
    "convolution_weight_grad": "convolution_backward",
    "cross_entropy": "cross_entropy_loss",
    "cross_entropy2d": "cross_entropy_loss",
    "cross_entropy_backward": "nll_loss_backward",
    "div_floor": "div",
    "div_trunc": "div",
    "dropout_mask": "native_dropout",
    "embedding_bag_backward": "_embedding_bag_backward",
    "gelu_erf": "gelu",
    "gelu_tanh": "gelu",
    "group_norm_backward": "native_group_norm_backward",
    "gru_layer": "gru",
    "huber_loss_values": "huber_loss",
    "integers": "random",
    "l1_loss_values": "l1_loss",
    "layer_norm_backward": "native_layer_norm_backward",
    "linear_rows": "linear",
    "log_softmax_backward": "_log_softmax_backward_data",
    "logsigmoid": "log_sigmoid",
    "lstm_layer": "lstm",
    "max_dim": "max",
    "mean_dim": "mean",
    "median_dim": "median",
    "min_dim": "min",
    "mse_loss_values": "mse_loss",
    "multi_margin": "multi_margin_loss",
    "multi_margin_backward": "multi_margin_loss_backward",
    "multilabel_margin": "multilabel_margin_loss",
    "multilabel_margin_backward": "multilabel_margin_loss_backward",
    "prod_dim": "prod",
    "rms_norm_backward": "_fused_rms_norm_backward",
    "rows": "mm",
    "smooth_l1_loss_values": "smooth_l1_loss",
    "softmax_backward": "_softmax_backward_data",
    "sum_dim": "sum",
    "to_device": "to",
    "to_dtype": "to",
}
# For any number of dimensions here, one name for each there.
BY_DIMENSIONS = {
    "adaptive_avg_pool": "adaptive_avg_pool{}d",
    "adaptive_max_pool": "adaptive_max_pool{}d",
    "avg_pool": "avg_pool{}d",
    "convolution": "conv{}d",
    "max_pool": "max_pool{}d_with_indices",
    "max_pool_values": "max_pool{}d",
}
OWN = frozenset(
    "adaptive_avg_pool_grad as_strided_backward avg_pool_grad beyond_unit column_sum count_true "
    "embedding_bag_dots embedding_bag_max gru_cell_backward gru_layer_backward index_backward "
    "lstm_cell_backward "
    "lstm_layer_backward max_pool_gather max_pool_scatter normalize normalize_backward pad_fold "
    "place_at prod_cross prod_others recurrence repeat_each repeat_index rnn_cell "
    "rnn_cell_backward rnn_layer rnn_layer_backward rrelu_slopes running_extreme running_update "
    "scatter_combine softsign spread starts take_at tanhshrink triangle true_positions".split()
)

# Derivatives of pointwise ops that one kernel computes (`relu_vjp0`), by the name of the op.
DERIVATIVES = {
    "relu": "threshold_backward",
    "threshold": "threshold_backward",
    **{
        name: f"{name}_backward"
        for name in "elu gelu hardsigmoid hardswish hardtanh leaky_relu mish sigmoid silu softplus "
        "softshrink hardshrink tanh".split()
    },
}
COUNTED = re.compile(r"(stack|cat|index|index_put|index_backward)\d+")  # ops of so many tensors
POINTWISE_VJP = re.compile(r"(\w+)_vjp\d*")


def name_of(op, tensors: tuple, target) -> str:
    """The name of one call."""
    return _name(op, target is not None, tensors[0].ndim - 2 if _by_dimensions(op) else 0)


@functools.cache
def _by_dimensions(op) -> bool:
    return op.name.removesuffix("_op") in BY_DIMENSIONS


@functools.cache
def _name(op, in_place: bool, dimensions: int) -> str:
    own = COUNTED.sub(r"\1", op.name.removesuffix("_op"))
    package = op.module.partition(".")[0]
    derivative = POINTWISE_VJP.fullmatch(own)
    if derivative is not None:
        name = RENAMED.get(derivative[1], derivative[1])
        return f"aten::{DERIVATIVES[name]}" if name in DERIVATIVES else f"{package}::{name}_vjp"
    if package != "numtorch" or own in OWN or op.name.endswith("_update"):
        return f"{package}::{own}"
    if own == "copy" and not in_place:
        own = "clone"
    name = RENAMED.get(own, own)
    name = BY_DIMENSIONS.get(own, name).format(dimensions)
    return f"aten::{name}{'_' if in_place and not name.endswith('_') else ''}"


# -- floating-point operations ---------------------------------------------------------------------
def _product(inputs, attrs, out) -> int:
    """(..., m, k) @ (..., k, n), perhaps stored transposed."""
    first = inputs[-2]
    transposed = bool(attrs and attrs[0] is True and first.ndim > 1)
    return 2 * out._spec.numel * first.shape[-2 if transposed else -1]


def _linear(inputs, attrs, out) -> int:
    return 2 * out._spec.numel * inputs[1].shape[-1]


def _convolution(inputs, attrs, out) -> int:
    weight = inputs[1]._spec
    return 2 * out._spec.numel * (weight.numel // max(weight.shape[0], 1))


def _elements(inputs, attrs, out) -> int:
    first = inputs[0]
    return first._spec.numel if isinstance(first, Tensor) else 0


FLOPS = {
    "add": _elements,
    "add_scaled": _elements,
    "addmm_op": _product,
    "baddbmm_op": _product,
    "bmm_op": _product,
    "convolution_op": _convolution,
    "linear_op": _linear,
    "linear_rows_op": _linear,
    "matmul_op": _product,
    "mm_op": _product,
    "mul": _elements,
    "rows_op": _product,
}


def flops_of(op, tensors: tuple, attrs: tuple, result) -> int:
    """torch's formulas: twice the multiplications of products and convolutions, the elements of
    additions and multiplications, nothing for all else.
    """
    formula = FLOPS.get(op.name)
    return 0 if formula is None else int(formula(tensors, attrs, result))
