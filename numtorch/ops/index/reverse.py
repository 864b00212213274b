"""A run of elements in reverse order, by vectors."""

from ...backends.cpu.simd import (
    I32,
    as_mask,
    integer,
    ir,
    load,
    load_where,
    loop,
    store,
    store_where,
    types,
    vector_of,
    vectorized,
)


def plain_reverse_run(x, at, out, to, n):
    """out[to + i] = x[at - i] for i < n. The two do not overlap."""
    for i in range(n):
        out[to + i] = x[at - i]


@vectorized(plain_reverse_run)
def reverse_run(_, x, at, out, to, n):
    """`plain_reverse_run` by whole vectors, then a masked one."""

    def codegen(context, b, signature, args):
        x_, at_, out_, to_, n_ = args
        vector, size = vector_of(x)
        lanes = vector.count
        order = ir.Constant(ir.VectorType(I32, lanes), list(range(lanes - 1, -1, -1)))
        source, target = b.gep(x_, [b.sub(at_, integer(lanes - 1))]), b.gep(out_, [to_])
        whole = b.sdiv(n_, integer(lanes))
        with b.if_then(b.icmp_signed(">", whole, integer(0))):
            v, _, close = loop(b, whole, [])
            first = b.mul(v, integer(lanes))
            line = load(b, b.gep(source, [b.neg(first)]), vector, size)
            store(b, b.shuffle_vector(line, line, order), b.gep(target, [first]), size)
            close([])
        first = b.mul(whole, integer(lanes))
        left = b.sub(n_, first)
        with b.if_then(b.icmp_signed(">", left, integer(0))):
            low = b.sub(b.shl(integer(1), left), integer(1))
            high = as_mask(b, b.shl(low, b.sub(integer(lanes), left)), lanes)
            line = load_where(b, b.gep(source, [b.neg(first)]), high, vector, size)
            line = b.shuffle_vector(line, line, order)
            store_where(b, line, b.gep(target, [first]), as_mask(b, low, lanes), size)
        return context.get_dummy_value()

    i = types.intp
    return types.void(x, i, out, i, i), codegen
