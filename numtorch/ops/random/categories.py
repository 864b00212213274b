"""Draws of categories with given probabilities: `multinomial`."""

from ...core.dtype import int64
from ...core.errors import kind
from ...core.op import primitive
from ...core.out import to_out
from ...core.random import resolve_generator
from ...core.shape import as_index
from ...core.tensor import Tensor
from .fill import ROOM, short_name

REASONS = {
    1: "encountering probability entry < 0",
    2: "encountering probability entry = infinity or NaN",
    3: "sum of probabilities <= 0",
}


def multinomial_error(code: int, cumulative: bool) -> str:
    """What is wrong with the probabilities: a key of REASONS. Draws by races have a message of
    their own.
    """
    if not cumulative and code != 3:
        return "probability tensor contains either `inf`, `nan` or element < 0"
    return f"invalid multinomial distribution ({REASONS[code]})"


@primitive(vjp={}, module=ROOM)
def multinomial_op(input, *, samples, replacement, generator):
    """Categories drawn with the probabilities that a row is proportional to.

    (R, N) -> (R, S) or (N,) -> (S,)
    """
    return input.like(shape=(*input.shape[:-1], samples), dtype=int64)


def multinomial(input, num_samples, replacement=False, *, generator=None, out=None):
    """`num_samples` categories from each row, whose numbers are proportional to the probabilities.

    (R, N) -> (R, S) or (N,) -> (S,). Errors: RuntimeError for negative or infinite numbers, rows of
    zeros, and more samples than categories without replacement.
    """
    if not isinstance(input, Tensor):
        raise TypeError(
            f"multinomial(): argument 'input' (position 1) must be Tensor, not {kind(input)}"
        )
    spec, samples = input._spec, as_index(num_samples, "num_samples", "multinomial")
    if out is not None and out._spec.dtype is not int64:
        raise RuntimeError(f"multinomial expects Long tensor out, got: {short_name(out._spec)}")
    if spec.ndim not in (1, 2):
        raise RuntimeError("prob_dist must be 1 or 2 dim")
    if not spec.dtype.is_floating_point:
        raise RuntimeError(
            f"multinomial only supports floating-point dtypes for input, got: {short_name(spec)}"
        )
    if samples <= 0:
        raise RuntimeError("cannot sample n_sample <= 0 samples")
    if not replacement and samples > spec.shape[-1]:
        raise RuntimeError(
            "cannot sample n_sample > prob_dist.size(-1) samples without replacement"
        )
    chosen = resolve_generator(generator, spec.device, "multinomial")
    drawn = multinomial_op(
        input.detach() if input._node is not None else input, samples, bool(replacement), chosen
    )
    return drawn if out is None else to_out(drawn, out, "multinomial")
