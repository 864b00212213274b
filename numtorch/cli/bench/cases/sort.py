"""Sorting, order statistics and scans: bound by memory or by the steps of a line."""

from ..case import Case, backward, forward, integers, normal

MILLION = 1 << 20
_x, _rows, _ids = normal(MILLION), normal(1000, 1000), integers(1000, MILLION)
_c = normal(4096, 1024)
_odd = normal(997, 499)

CASES = [
    Case("sort 1M", "sort", forward(lambda lib, a: a.sort(), _x), 16.0 * MILLION, 0.0, True),
    Case("sort rows of 32", "sort", forward(lambda lib, a: a.view(-1, 32).sort(1), _x),
         16.0 * MILLION),
    Case("sort 997x499, backward", "sort", backward(lambda lib, a: a.sort(1)[0], _odd),
         28.0 * _odd.size),
    Case("topk 10 of 1000x1000", "sort", forward(lambda lib, a: a.topk(10), _rows),
         4.0 * _rows.size, 0.0, True),
    Case("topk 100 of 1000x1000", "sort", forward(lambda lib, a: a.topk(100), _rows),
         4.0 * _rows.size),
    Case("median rows 1000x1000", "sort", forward(lambda lib, a: a.median(1), _rows),
         4.0 * _rows.size),
    Case("unique 1M int64", "sort", forward(lambda lib, a: a.unique(), _ids), 8.0 * MILLION),
    Case("cumsum rows 4096x1024", "scan", forward(lambda lib, a: a.cumsum(1), _c), 8.0 * _c.size,
         0.0, True),
    Case("cumsum columns 4096x1024", "scan", forward(lambda lib, a: a.cumsum(0), _c),
         8.0 * _c.size),
    Case("cumsum 64x64, backward", "scan", backward(lambda lib, a: a.cumsum(1), normal(64, 64)),
         16.0 * 4096),
    Case("cumprod 997x499, backward", "scan", backward(lambda lib, a: a.cumprod(1), _odd),
         32.0 * _odd.size),
    Case("cummax rows 4096x1024", "scan", forward(lambda lib, a: a.cummax(1), _c), 16.0 * _c.size),
    Case("cummax 1M", "scan", forward(lambda lib, a: a.cummax(0), _x), 16.0 * MILLION),
    Case("cumsum 1M", "scan", forward(lambda lib, a: a.cumsum(0), _x), 8.0 * MILLION, MILLION),
    Case("diff 997x499, backward", "scan", backward(lambda lib, a: a.diff(), _odd),
         16.0 * _odd.size, 2.0 * _odd.size),
    Case("logcumsumexp 997x499", "scan", forward(lambda lib, a: a.logcumsumexp(1), _odd),
         8.0 * _odd.size, 40.0 * _odd.size),
]  # fmt: skip
