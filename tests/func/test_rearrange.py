"""rearrange against torch, and its errors."""

import numpy as np
import pytest

import numtorch as nt
from numtorch.func import rearrange

PATTERNS = [
    ("b c d -> b (c d)", {}),
    ("b c (h w) -> b h w c", {"h": 2}),
    ("... d -> d ...", {}),
    ("b ... -> (b ...)", {}),
    ("b c d -> b 1 c d", {}),
    ("b (c) d -> d b c", {}),
    ("(b k) c d -> k d (b c)", {"k": 2}),
]
X = np.arange(24.0).reshape(2, 3, 4)


@pytest.mark.parametrize(("pattern", "sizes"), PATTERNS)
def test_as_in_torch(pattern, sizes, torch):
    got = rearrange(nt.tensor(X), pattern, **sizes)
    np.testing.assert_array_equal(
        got.numpy(), torch.func.rearrange(torch.tensor(X), pattern, **sizes).numpy()
    )


def test_lists_are_stacked():
    assert rearrange([nt.ones(3), nt.zeros(3)], "a b -> b a").tolist() == [[1, 0]] * 3


ERRORS = [
    ("b c d -> b c", {}, ValueError, "Identifiers only on one side"),
    ("b c -> c b", {}, ValueError, "Number of dimensions in pattern .2. must be equal"),
    ("b c d", {}, ValueError, "single '->' separator"),
    ("b b d -> b d", {}, ValueError, "contains duplicate dimension 'b'"),
    ("b c d -> b c d 2", {}, ValueError, "unnamed axes of size 1"),
    ("b c d -> b c d", {"z": 3}, ValueError, "Identifiers not found"),
    ("a-b c d -> a c d", {}, ValueError, "Unknown character '-'"),
    ("b c d -> (b (c d))", {}, ValueError, "one-level"),
    ("... ... d -> d ...", {}, ValueError, "only one ellipsis"),
    ("b c d -> b c ... d", {}, ValueError, "Ellipsis found in right side"),
    ("(b ...) d -> b ... d", {}, ValueError, "Ellipsis inside parenthesis"),
    ("b c d) -> b c d", {}, ValueError, "Brackets are not balanced"),
    ("(b c d -> b c d", {}, ValueError, "Imbalanced parentheses"),
    ("b c (h w) -> b h w c", {}, RuntimeError, "cannot infer the sizes of h and w at once"),
    ("b c (h w) -> b h w c", {"h": 3}, RuntimeError, "does not evenly fit"),
]


@pytest.mark.parametrize(("pattern", "sizes", "kind", "message"), ERRORS)
def test_errors(pattern, sizes, kind, message):
    with pytest.raises(kind, match=message):
        rearrange(nt.tensor(X), pattern, **sizes)
