"""Samples of p-norm pooling and local response normalization."""

from .model import case, error, op, t

P = {"low": 0.2, "high": 2.0}
SAMPLES = [
    op("nn.functional.lp_pool1d", case(t(2, 3, 7, **P), 2, 3), case(t(3, 7, **P), 1.5, 2, 1, True),
       method=False),
    op("nn.functional.lp_pool2d", case(t(2, 3, 5, 6, **P), 2.0, (2, 3), 2),
       case(t(2, 3, 4, 4, distinct=True, low=0.1), float("inf"), 2),
       case(t(2, 3, 4, 4, distinct=True, low=0.1), -float("inf"), 2), method=False),
    op("nn.functional.lp_pool3d", case(t(1, 2, 4, 3, 4, **P), 3.0, 2), method=False),
    op("nn.functional.local_response_norm", case(t(2, 5, 3), 3), case(t(2, 5, 2, 3), 2, 0.1, 0.5),
       case(t(1, 4, 2, 2, 2), 3, 1.0, 1.0, 2.0), method=False, tolerance=2e-5),
]  # fmt: skip
ERRORS = [
    error("nn.functional.local_response_norm", case(t(2, 3), 2), ValueError, "got 2 dimensions"),
]
