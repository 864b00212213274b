"""Random functions: what does not depend on chance (numbers: see tests/random/), and errors."""

import math

import numpy as np

from .model import case, error, op, t

SAMPLES = [
    op(
        "nn.functional.dropout",
        case(t(3, 4), p=0.0),
        case(t(3, 4), p=1.0),
        case(t(0, 4)),
        case(t(3, 4), training=False),
        ref=lambda x, p=0.5, training=True: x * 0 if training and p == 1.0 else np.array(x),
        method=False,
    ),
    op(
        "nn.functional.alpha_dropout",
        case(t(3, 4), p=0.5),
        case(t(3, 4), p=1.0, training=True),
        ref=lambda x, p=0.5, training=False: x * 0 if training and p == 1.0 else np.array(x),
        method=False,
    ),
    op(
        "nn.functional.rrelu",
        case(t(3, 4)),
        case(t(3, 4), 0.1, 0.5),
        case(t(3, 4), 0.25, 0.25, training=True),
        case(t(3, 4, low=1.0), training=True),
        case(t(0, 4), training=True),
        ref=lambda x, lower=1 / 8, upper=1 / 3, training=False: np.where(
            x > 0, x, x * ((lower + upper) / 2)
        ).astype(x.dtype),
        method=False,
    ),
    op(
        "bernoulli",
        case(t(3, 4, low=0.0, high=0.0, grad=False)),
        case(t(3, 4, low=1.0, high=1.0, grad=False)),
        case(t(2, 3), 1.0),
        ref=lambda x, p=None: np.array(x) if p is None else np.full_like(x, p),
        grad=False,
    ),
]
ERRORS = [
    error("bernoulli", case(t(3), 1.5), RuntimeError, r"bernoulli_ expects p to be in \[0, 1\]"),
    error("bernoulli", case(t(3, low=2.0, high=3.0)), RuntimeError, "p_in >= 0 && p_in <= 1"),
    error("multinomial", case(t(2), 0), RuntimeError, "cannot sample n_sample <= 0 samples"),
    error("multinomial", case(t(2, 2, 2), 1), RuntimeError, "prob_dist must be 1 or 2 dim"),
    error("multinomial", case(t(3), 1), RuntimeError, "floating-point dtypes", dtype="int64"),
    error(
        "multinomial",
        case(t(3, low=-2.0, high=-1.0), 1),
        RuntimeError,
        "contains either `inf`, `nan` or element < 0",
    ),
    error("rand_like", case(t(2)), NotImplementedError, "for 'Long'", dtype="int64"),
    error("randint_like", case(t(2), 5, 5), RuntimeError, "'from' to be less than 'to'"),
    error("normal", case(t(2), -1.0), RuntimeError, "normal expects std >= 0.0"),
    error("nn.functional.dropout", case(t(2), 1.5), ValueError, "between 0 and 1, but got 1.5"),
    error("nn.functional.dropout1d", case(t(1, 1, 1, 1)), RuntimeError, "Expected 2D or 3D input"),
    error("nn.functional.rrelu", case(t(2), 0.5, 0.1), RuntimeError, "less than or equal to the"),
    error("nn.functional.rrelu", case(t(2), math.inf), RuntimeError, "lower bound must be finite"),
    error(
        "nn.functional.rrelu",
        case(t(2), training=True),
        NotImplementedError,
        "\"rrelu_with_noise_out_cpu\" not implemented for 'Long'",
        dtype="int64",
    ),
    error("feature_dropout", case(t(2), 0.5, True), RuntimeError, "at least 2 dimensions"),
]
