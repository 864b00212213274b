"""Random numbers: torch's distributions, in torch's order, from torch's generators; and dropout."""

from .categories import multinomial
from .create import (
    bernoulli,
    normal,
    rand,
    rand_like,
    randint,
    randint_like,
    randn,
    randn_like,
    randperm,
)
from .dropouts import (
    alpha_dropout,
    dropout,
    dropout1d,  # noqa: F401 (exported by FUNCTIONAL, as the next two)
    dropout2d,  # noqa: F401
    dropout3d,  # noqa: F401
    feature_alpha_dropout,
    feature_dropout,
)
from .fill import (
    bernoulli_,
    cauchy_,
    exponential_,
    geometric_,
    log_normal_,
    normal_,
    random_,
    uniform_,
)
from .slopes import rrelu, rrelu_  # noqa: F401 (exported by FUNCTIONAL)

__all__ = [
    "alpha_dropout",
    "bernoulli",
    "dropout",
    "feature_alpha_dropout",
    "feature_dropout",
    "multinomial",
    "normal",
    "rand",
    "rand_like",
    "randint",
    "randint_like",
    "randn",
    "randn_like",
    "randperm",
]
FUNCTIONAL = (  # what nn.functional has of this room
    "alpha_dropout",
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "feature_alpha_dropout",
    "rrelu",
    "rrelu_",
)
METHODS = {
    "bernoulli": bernoulli,
    "bernoulli_": bernoulli_,
    "cauchy_": cauchy_,
    "exponential_": exponential_,
    "geometric_": geometric_,
    "log_normal_": log_normal_,
    "multinomial": multinomial,
    "normal_": normal_,
    "random_": random_,
    "uniform_": uniform_,
}
