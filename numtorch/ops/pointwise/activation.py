"""Activation functions. Parameters such as a slope are operands, so that changing one makes no new
kernel.
"""

from ...core import dtype as dtypes
from .define import pointwise, unary


def _first(specs):
    """Computed in the input's dtype: parameters are numbers."""
    return specs[0].dtype


def activation(
    name,
    parameters,
    expression,
    d,
    doc,
    reject=("bool", "uint8", "int8", "int16", "int32", "int64"),
    node_name=None,
):
    """A function of `input` and numbers; only `input` has a derivative."""
    numbers = len(parameters.split()) - 1
    return pointwise(
        name,
        parameters,
        expression,
        "arith",
        (d, *[None] * numbers),
        compute=_first,
        doc=doc,
        reject=reject,
        node_name=node_name,
    )


relu = unary(
    "relu",
    "where(a <= 0, 0, a)",
    lambda g, out: g.where(out > 0, 0),
    kind="arith",
    doc="max(0, input). (...) -> (...)",
    check=lambda specs, compute: compute is dtypes.bool_,
)
relu6 = unary(
    "relu6",
    "minimum(where(a <= 0, 0, a), 6)",
    lambda g, a: g.where((a > 0) & (a < 6), 0),
    kind="arith",
    node_name="HardtanhBackward0",
    doc="min(max(0, input), 6). (...) -> (...)",
)
silu = activation(
    "silu",
    "input",
    "silu(a)",
    lambda g, a: g * (a.sigmoid() * (1 + a * (1 - a.sigmoid()))),
    "input * sigmoid(input). (...) -> (...)",
)
mish = activation(
    "mish",
    "input",
    "a * tanh(log1p(exp(-fabs(a))) + where(a > 0, a, 0))",
    lambda g, a: (
        g * (a.logaddexp(a * 0).tanh() + a * a.sigmoid() * (1 - a.logaddexp(a * 0).tanh().square()))
    ),
    "input * tanh(softplus(input)). (...) -> (...)",
)
gelu_erf = activation(
    "gelu_erf",
    "input",
    "0.5 * a * (1 + erf(a * 0.7071067811865476))",
    lambda g, a: (
        g
        * (
            0.5 * (1 + (a * 0.7071067811865476).erf())
            + a * (0.3989422804014327 * (-0.5 * a * a).exp())
        )
    ),
    "The exact GELU, input * Phi(input). (...) -> (...)",
    node_name="GeluBackward0",
)
gelu_tanh = activation(
    "gelu_tanh",
    "input",
    "0.5 * a * (1 + tanh(0.7978845608028654 * (a + 0.044715 * a * a * a)))",
    lambda g, a: (
        g
        * (
            0.5 * (1 + (0.7978845608028654 * (a + 0.044715 * a * a * a)).tanh())
            + 0.5
            * a
            * (1 - (0.7978845608028654 * (a + 0.044715 * a * a * a)).tanh().square())
            * (0.7978845608028654 * (1 + 0.134145 * a * a))
        )
    ),
    "GELU's tanh approximation (Hendrycks and Gimpel 2016). (...) -> (...)",
    node_name="GeluBackward0",
)
leaky_relu_op = activation(
    "leaky_relu",
    "input negative_slope",
    "where(a > 0, a, a * b)",
    lambda g, a, b: g.where(a > 0, g * b),
    "input, times a slope where negative. (...) -> (...)",
)
prelu_op = pointwise(
    "prelu",
    "input weight",
    "where(a > 0, a, a * b)",
    "arith",
    (lambda g, a, b: g.where(a > 0, g * b), lambda g, a, _b: (g * a).where(a <= 0, 0)),
    doc="input, times a learned slope where negative. (...), (...) -> (...)",
    node_name="PreluKernelBackward0",
)
elu_op = activation(
    "elu",
    "input alpha scale input_scale",
    "where(a > 0, c * a, c * b * expm1(a * d))",
    lambda g, a, b, c, d: (g * c).where(a > 0, g * (c * b * d * (a * d).exp())),
    "input where positive, else alpha * (exp(input) - 1). (...) -> (...)",
)
softplus_op = activation(
    "softplus",
    "input beta threshold",
    "where(a * b > c, a, log1p(exp(a * b)) / b)",
    lambda g, a, b, c: g.where(a * b > c, g * (a * b).sigmoid()),
    "log(1 + exp(beta * input)) / beta; linear above the threshold. (...) -> (...)",
)
hardtanh_op = activation(
    "hardtanh",
    "input min_val max_val",
    "clamped(a, b, c)",
    lambda g, a, b, c: g.where((a > b) & (a < c), 0),
    "Between min_val and max_val. (...) -> (...)",
    reject=("bool",),
)
hardsigmoid = activation(
    "hardsigmoid",
    "input",
    "minimum(maximum(a + 3, 0), 6) / 6",
    lambda g, a: (g / 6).where((a > -3) & (a < 3), 0),
    "A piecewise linear sigmoid. (...) -> (...)",
)
hardswish = activation(
    "hardswish",
    "input",
    "a * minimum(maximum(a + 3, 0), 6) / 6",
    lambda g, a: g.where(a >= 3, (g * (a / 3 + 0.5)).where(a > -3, 0)),
    "input * hardsigmoid(input). (...) -> (...)",
)
logsigmoid = activation(
    "logsigmoid",
    "input",
    "minimum(a, 0) - log1p(exp(-fabs(a)))",
    lambda g, a: g * (-a).sigmoid(),
    "log(sigmoid(input)). (...) -> (...)",
    node_name="LogSigmoidBackward0",
)
softshrink_op = activation(
    "softshrink",
    "input lambd",
    "where(a > b, a - b, where(a < -b, a + b, where(a != a, a, 0)))",
    lambda g, a, b: g.where((a > b) | (a < -b), 0),
    "input moved towards zero by lambd. (...) -> (...)",
)
hardshrink_op = activation(
    "hardshrink",
    "input lambd",
    "where(a >= -b and a <= b, 0, a)",
    lambda g, a, b: g.where((a > b) | (a < -b), 0),
    "Zero between -lambd and lambd. (...) -> (...)",
)
threshold_op = activation(
    "threshold",
    "input threshold value",
    "where(a <= b, c, a)",
    lambda g, a, b: g.where(a > b, 0),
    "`value` where input is not above the threshold. (...) -> (...)",
    reject=("bool",),
)
softsign = activation(
    "softsign",
    "input",
    "a / (1 + fabs(a))",
    lambda g, a: g / (1 + a.abs()).square(),
    "input / (1 + |input|). (...)",
)
tanhshrink = activation(
    "tanhshrink",
    "input",
    "a - tanh(a)",
    lambda g, a: g * a.tanh().square(),
    "input - tanh(input). (...) -> (...)",
)
celu_op = activation(
    "celu",
    "input alpha",
    "where(a > 0, a, b * expm1(a / b))",
    lambda g, a, b: g.where(a > 0, g * (a / b).exp()),
    "The continuously differentiable ELU. (...) -> (...)",
)
