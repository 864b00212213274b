"""Batching rules of products: the batch joins the rows where it can, else products are batched."""

from ...core.batching import Call, parted, repeated, reshaped, run


def _matrix(call: Call, x: int, y: int, ta: bool, tb: bool):
    """The product of two matrices of each sample."""
    a, b = call.tensors[x], call.tensors[y]
    if call.batched[x] and not call.batched[y] and not ta:
        n = a._spec.shape[1]
        rows = reshaped(a, (call.size * n, a._spec.shape[2]))
        return parted(run("mm_op", rows, b, False, tb), call.size, n)
    if call.batched[y] and not call.batched[x] and tb:  # a b^T, the batch among the columns
        k = b._spec.shape[1]
        columns = reshaped(b, (call.size * k, b._spec.shape[2]))
        found = run("mm_op", a, columns, ta, True)
        return found.reshape((found._spec.shape[0], call.size, k)).movedim(1, 0)
    a = a if call.batched[x] else repeated(a, call.size)
    b = b if call.batched[y] else repeated(b, call.size)
    return run("bmm_op", a, b, ta, tb)


def mm(call: Call):
    """(M, K), (K, N) -> (M, N)"""
    return _matrix(call, 0, 1, call.attrs["ta"], call.attrs["tb"])


def many(call: Call):
    """bmm and matmul: broadcast over the dimensions before the last two."""
    rank = max(call.rank(0), call.rank(1))
    given = []
    for t, b, s in zip(call.tensors, call.batched, call.logical, strict=True):
        if b and len(s.shape) < rank:
            t = run("view_op", t, (call.size, *[1] * (rank - len(s.shape)), *s.shape))
        given.append(t)
    return run("matmul_op", *given, call.attrs["ta"], call.attrs["tb"])


def _flat(call: Call, i: int):
    """An input as (B, rows, columns), or without a batch as (rows, columns)."""
    t, shape = call.tensors[i], call.logical[i].shape
    if not call.batched[i]:
        return reshaped(t, (-1, shape[-1])) if t._spec.numel else t.reshape((0, shape[-1]))
    count = 1
    for n in shape[:-1]:
        count *= n
    return reshaped(t, (call.size, count, shape[-1]))


def rows(call: Call):
    """(..., K), (K, N) -> (..., N); with `ta`, (..., K), (..., N) -> (K, N)"""
    ta, tb = call.attrs["ta"], call.attrs["tb"]
    if ta:
        a, b = _flat(call, 0), _flat(call, 1)
        a = a if call.batched[0] else repeated(a, call.size)
        b = b if call.batched[1] else repeated(b, call.size)
        return run("bmm_op", a, b, True, tb)
    if not call.batched[1]:
        return call.run(*call.tensors)
    a = _flat(call, 0)
    found = run("matmul_op", a, call.tensors[1], False, tb)
    return reshaped(found, (call.size, *call.logical[0].shape[:-1], found._spec.shape[-1]))


def mv(call: Call):
    """(..., K), (K,) -> (...)"""
    a, v = call.tensors
    lead = call.logical[0].shape[:-1]
    if not call.batched[1]:
        return call.run(a, v)
    a = _flat(call, 0)
    if not call.batched[0]:
        found = run("mm_op", v, a, False, True)
    else:
        found = run("bmm_op", a, v.unsqueeze(-1), False, False)
    return reshaped(found, (call.size, *lead))


def dot(call: Call):
    """(K,), (K,) -> ()"""
    a, b = call.tensors
    if all(call.batched):
        return (a * b).sum(1)
    return run("mv_op", a, b) if call.batched[0] else run("mv_op", b, a)


def _added(call: Call, product, rank: int):
    """beta * input + alpha * product, the input broadcast to the sample's result."""
    alpha, beta = call.attrs["alpha"], call.attrs["beta"]
    if alpha != 1:
        product = product * alpha
    if beta == 0:
        return product
    t, s = call.tensors[0], call.logical[0]
    if call.batched[0] and len(s.shape) < rank:
        t = run("view_op", t, (call.size, *[1] * (rank - len(s.shape)), *s.shape))
    return product + (t if beta == 1 else t * beta)


def addmm(call: Call):
    """beta * input + alpha * mat1 @ mat2"""
    if call.batched[1] or call.batched[2]:
        product = _matrix(call, 1, 2, False, False)
    else:
        product = repeated(run("mm_op", *call.tensors[1:], False, False), call.size)
    return _added(call, product, 2)


def baddbmm(call: Call):
    """beta * input + alpha * batch1 @ batch2"""
    product = run("matmul_op", *call.tensors[1:], False, False)
    if not (call.batched[1] or call.batched[2]):
        product = repeated(product, call.size)
    return _added(call, product, 3)


def addmv(call: Call):
    """beta * input + alpha * mat @ vec"""
    given = call.every()
    product = run("bmm_op", given[1], given[2].unsqueeze(-1), False, False).squeeze(-1)
    return _added(call, product, 1)


def linear(call: Call):
    """(..., K), (N, K), (N,) -> (..., N)"""
    x, weight, bias = call.tensors
    if not (call.batched[1] or call.batched[2]):
        return run("linear_rows_op", x, weight, bias)
    lead = call.logical[0].shape[:-1]
    a = _flat(call, 0)
    if call.batched[0] or call.batched[1]:
        a = a if call.batched[0] else repeated(a, call.size)
        if call.batched[1]:
            product = run("bmm_op", a, weight, False, True)
        else:
            product = run("rows_op", a, weight, False, True)
    else:
        product = repeated(run("mm_op", a, weight, False, True), call.size)
    bias = bias.unsqueeze(1) if call.batched[2] else bias
    found = product + bias
    return reshaped(found, (call.size, *lead, found._spec.shape[-1]))


def column_sum(call: Call):
    """(..., N) -> (N,)"""
    return run("sum_dim_op", _flat(call, 0), (1,), False, None)
