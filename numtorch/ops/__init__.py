"""Operators by family: one folder (a room) shows everything about them. See README.md."""

ROOMS = (
    "pointwise",
    "copy",
    "view",
    "create",
    "reduce",
    "softmax",
    "loss",
    "matmul",
    "conv",
    "pool",
    "embed",
    "norm",
    "index",
    "join",
    "scan",
    "sort",
    "pad",
    "random",
    "attention",
    "rnn",
)
