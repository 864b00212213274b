"""Launchers that are one fold over memory: the same for each device, given the device's
`reduce_loop`.
"""

from . import table
from .geometry import dims_of
from .sums import count_of


def plain_launchers(reduce_loop):
    """From the device's `reduce_loop(reduction, input, out, dims, scale)`, in the order of
    `return`.
    """

    def sum_op(input, out, *, dtype):
        """out = the sum of all elements."""
        return reduce_loop(table.total(out.dtype), input, out, range(input.ndim))

    def sum_dim_op(input, out, *, dim, keepdim, dtype):
        """out = the sum over dim."""
        return reduce_loop(table.total(out.dtype), input, out, dims_of(dim, input.ndim))

    def mean_op(input, out, *, dtype):
        """out = the mean of all elements."""
        return mean_dim_op(input, out, dim=None, keepdim=False, dtype=dtype)

    def mean_dim_op(input, out, *, dim, keepdim, dtype):
        """out = the mean over dim."""
        r = table.total(out.dtype, "acc / scale")
        return reduce_loop(r, input, out, dims_of(dim, input.ndim), float(count_of(input, dim)))

    def nansum_op(input, out, *, dim, keepdim, dtype):
        """out = the sum of what is not NaN."""
        return reduce_loop(table.nan_total(out.dtype), input, out, dims_of(dim, input.ndim))

    def count_nonzero_op(input, out, *, dim):
        """out = how many elements are not zero."""
        return reduce_loop(table.COUNT, input, out, dims_of(dim, input.ndim))

    def prod_op(input, out, *, dtype):
        """out = the product of all elements."""
        return reduce_loop(table.product(out.dtype), input, out, range(input.ndim))

    def prod_dim_op(input, out, *, dim, keepdim, dtype):
        """out = the product over dim."""
        return reduce_loop(table.product(out.dtype), input, out, dims_of(dim, input.ndim))

    def any_op(input, out, *, dim, keepdim):
        """out = whether an element is not zero."""
        return reduce_loop(table.ANY, input, out, dims_of(dim, input.ndim))

    def all_op(input, out, *, dim, keepdim):
        """out = whether no element is zero."""
        return reduce_loop(table.ALL, input, out, dims_of(dim, input.ndim))

    def amax_op(input, out, *, dim, keepdim):
        """out = the largest element over dim."""
        return reduce_loop(table.extreme(input.dtype, True), input, out, dims_of(dim, input.ndim))

    def amin_op(input, out, *, dim, keepdim):
        """out = the smallest element over dim."""
        return reduce_loop(table.extreme(input.dtype, False), input, out, dims_of(dim, input.ndim))

    def max_op(input, out):
        """out = the largest element."""
        return amax_op(input, out, dim=None, keepdim=False)

    def min_op(input, out):
        """out = the smallest element."""
        return amin_op(input, out, dim=None, keepdim=False)

    return (
        sum_op,
        sum_dim_op,
        mean_op,
        mean_dim_op,
        nansum_op,
        count_nonzero_op,
        prod_op,
        prod_dim_op,
        any_op,
        all_op,
        amax_op,
        amin_op,
        max_op,
        min_op,
    )
