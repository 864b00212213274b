"""The caching allocator: blocks come back only when nothing sees them any more."""

import gc

import numtorch as nt
from numtorch.backends.cpu import memory

N = memory.SMALL  # bytes: float32 tensors of this many elements are large


def test_a_block_is_reused_after_its_last_view():
    memory.empty_cache()
    x = nt.full((N,), 1.0)
    view, array = x[5:].view(-1), x.numpy()[7:]
    address = x.data_ptr()
    del x
    gc.collect()
    y = nt.full((N,), 2.0)
    assert y.data_ptr() != address and view[0].item() == 1 and array[0] == 1
    del view
    z = nt.full((N,), 3.0)
    assert z.data_ptr() != address and array[0] == 1
    del array
    gc.collect()
    assert memory.statistics()["kept"] > 0
    assert nt.full((N,), 4.0).data_ptr() == address


def test_operands_keep_their_values():
    x, w = nt.rand(600, 700), nt.rand(700)
    before = x.tolist()
    y = x * w
    assert x.tolist() == before and y.shape == (600, 700)


def test_the_cache_can_be_emptied():
    nt.full((N,), 1.0)
    memory.empty_cache()
    assert memory.statistics()["kept"] == 0
