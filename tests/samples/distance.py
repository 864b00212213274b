"""Samples of distances, pixel shuffling and prelu."""

from .model import case, error, op, t

IMAGE = t(2, 8, 3, 2)
SAMPLES = [
    op("cosine_similarity", case(t(3, 4), t(3, 4)), case(t(2, 3, 4), t(2, 3, 1), dim=-1),
       case(t(4), t(4), dim=0, eps=1.0), method=False),
    op("pairwise_distance", case(t(3, 4), t(3, 4)), case(t(3, 4), t(4), 3.0, 0.1, True),
       case(t(4), t(4)), method=False),
    op("pixel_shuffle", case(IMAGE, 2), case(t(9, 2, 1), 3), case(t(2, 2, 4, 1, 1), 2),
       dtypes=("float32", "int64"), method=False),
    op("pixel_unshuffle", case(t(2, 3, 4, 6), 2), case(t(2, 3, 6), 3), dtypes=("float32", "int64"),
       method=False),
    op("channel_shuffle", case(IMAGE, 2), case(IMAGE, 4), case(t(2, 6, 3), 3),
       dtypes=("float32", "int64"), method=False),
    op("nn.functional.prelu", case(IMAGE, t(8)), case(IMAGE, t(1)), case(t(3, 2), t(2)),
       case(t(5), t(1)), case(t(), t(1)), case(t(3, 2), t()), method=False),
]  # fmt: skip
ERRORS = [
    error("cosine_similarity", case(t(3), t(4), 0), RuntimeError, "must match the size"),
    error("pairwise_distance", case(t(3), t(4)), RuntimeError, "must match the size"),
    error("pixel_shuffle", case(t(3, 2, 2), 2), RuntimeError, "divisible by the square"),
    error("pixel_shuffle", case(t(2, 2), 2), RuntimeError, "at least 3 dimensions"),
    error("pixel_unshuffle", case(t(3, 3, 2), 2), RuntimeError, r"input.size\(-2\)=3 is not"),
    error("channel_shuffle", case(t(1, 3, 2), 2), RuntimeError, "must be divisible by groups"),
    error("nn.functional.prelu", case(t(2, 4), t(3)), RuntimeError, "parameter numbers = 3 and"),
]
