"""beta * input + alpha * product, for every device: the product, then one pass over it."""

from ...core.spec import WEAK
from ..pointwise.define import type_name


def added(launch_loop, input, out, product, beta, alpha):
    """A function of the arrays of input, both factors and `out`; `product` fills `out` from the
    factors.

    A beta of 0 ignores the input, so that NaN in it does no harm: torch's rule.
    """
    name = type_name(out.dtype)
    number = float if out.dtype.is_floating_point else int
    beta, alpha = number(beta), number(alpha)
    weak = WEAK[number]
    if beta == 0 and alpha == 1:
        return lambda x, a, b, o: product(a, b, o)
    if beta == 0:
        text, specs = "a * b", (out, weak)
    elif beta == 1 and alpha == 1:
        text, specs = "a + b", (out, input)
    else:
        text, specs = "c * a + d * b", (out, input, weak, weak)
    add = launch_loop("add_product", (text,), (name,) * len(specs), name, specs, (out,))

    def run(x, a, b, o):
        product(a, b, o)
        if beta == 0:
            add(o, alpha, o)
        elif len(specs) == 2:
            add(o, x, o)
        else:
            add(o, x, alpha, beta, o)

    return run
