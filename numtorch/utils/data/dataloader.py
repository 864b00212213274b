"""DataLoader: samples in batches, in this process.

The random numbers are drawn in torch's order, so a seed gives torch's batches: making an iterator
draws one number (torch seeds its worker processes with it), then the sampler draws when the first
batch is asked for.
"""

import functools
import itertools
import warnings
from typing import Generic, TypeVar

from ... import cuda
from ...core.profiling import span
from .collate import default_collate, default_convert
from .dataset import IterableDataset, fetch_many
from .sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler, draw_seed

__all__ = ["DataLoader", "default_collate", "default_convert", "get_worker_info"]

T_co = TypeVar("T_co", covariant=True)

FIXED = {"batch_size", "batch_sampler", "sampler", "drop_last", "dataset", "persistent_workers"}

_worker_info = None  # a worker process sets it; there are none yet


def get_worker_info():
    """Facts about the worker process that calls this; None in the main process."""
    return _worker_info


class EndlessSampler(Sampler):
    """Nothing, forever: an iterable dataset decides by itself what comes next, and when it ends."""

    def __iter__(self):
        while True:
            yield None


class DataLoader(Generic[T_co]):
    """Iterates over a dataset in batches; every `iter()` is one epoch.

    `shuffle`, `sampler` and `batch_sampler` choose the order of a map-style dataset; `collate_fn`
    makes a batch from a list of samples (`default_collate`), or with `batch_size=None` converts one
    sample (`default_convert`); `generator` draws the random numbers instead of the default
    generator. `pin_memory` is accepted, and changes nothing. Worker processes come later:
    `num_workers` has to be 0.
    """

    _frozen = False

    def __init__(
        self,
        dataset,
        batch_size=1,
        shuffle=None,
        sampler=None,
        batch_sampler=None,
        num_workers=0,
        collate_fn=None,
        pin_memory=False,
        drop_last=False,
        timeout=0,
        worker_init_fn=None,
        multiprocessing_context=None,
        generator=None,
        *,
        prefetch_factor=None,
        persistent_workers=False,
        pin_memory_device="",
        in_order=True,
    ) -> None:
        check_worker_options(
            num_workers, timeout, prefetch_factor, persistent_workers, multiprocessing_context
        )
        self._iterable = isinstance(dataset, IterableDataset)
        if self._iterable:
            check_unordered(shuffle, sampler, batch_sampler)
        if sampler is not None and shuffle:
            raise ValueError("sampler option is mutually exclusive with shuffle")
        if batch_sampler is not None:
            if batch_size != 1 or shuffle or sampler is not None or drop_last:
                raise ValueError(
                    "batch_sampler option is mutually exclusive with batch_size, shuffle, "
                    "sampler, and drop_last"
                )
            batch_size = None
            drop_last = False
        elif batch_size is None and drop_last:
            raise ValueError(
                "batch_size=None option disables auto-batching and is mutually exclusive with "
                "drop_last"
            )

        if sampler is None:
            if self._iterable:
                sampler = EndlessSampler()
            elif shuffle:
                sampler = RandomSampler(dataset, generator=generator)
            else:
                sampler = SequentialSampler(dataset)
        if batch_size is not None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        if collate_fn is None:
            collate_fn = default_convert if batch_sampler is None else default_collate

        self.dataset = dataset
        self.batch_size = batch_size
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        self.num_workers = num_workers
        self.collate_fn = collate_fn
        self.pin_memory = pin_memory
        self.drop_last = drop_last
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.multiprocessing_context = multiprocessing_context
        self.generator = generator
        self.prefetch_factor = prefetch_factor
        self.persistent_workers = persistent_workers
        self.pin_memory_device = pin_memory_device
        self.in_order = in_order
        self._told_length = None  # what len() last said of an iterable dataset
        self._frozen = True

    def __setattr__(self, name, value) -> None:
        if self._frozen and name in FIXED:
            raise ValueError(
                f"{name} attribute should not be set after {type(self).__name__} is initialized"
            )
        super().__setattr__(name, value)

    @property
    def _index_sampler(self):
        return self.sampler if self.batch_sampler is None else self.batch_sampler

    def __iter__(self):
        return DataLoaderIterator(self)

    def __len__(self) -> int:
        if not self._iterable:
            return len(self._index_sampler)
        self._told_length = len(self.dataset)
        if self.batch_size is None:
            return self._told_length
        full, rest = divmod(self._told_length, self.batch_size)
        return full if self.drop_last or not rest else full + 1


def check_worker_options(workers, timeout, prefetch, persistent, context) -> None:
    """torch's errors about options of worker processes, and ours that there are none yet."""
    if workers < 0:
        raise ValueError(
            "num_workers option should be non-negative; use num_workers=0 to disable "
            "multiprocessing."
        )
    if timeout < 0:
        raise ValueError("timeout option should be non-negative")
    if workers > 0:
        raise ValueError(
            f"num_workers={workers}: numtorch loads data in the main process only, so far; "
            "worker processes come in a later version. Use num_workers=0 (the same batches, in "
            "the same order)."
        )
    if prefetch is not None:
        raise ValueError(
            "prefetch_factor option could only be specified in multiprocessing."
            "let num_workers > 0 to enable multiprocessing, otherwise set prefetch_factor to None."
        )
    if persistent:
        raise ValueError("persistent_workers option needs num_workers > 0")
    if context is not None:
        raise ValueError(
            "multiprocessing_context can only be used with multi-process loading (num_workers > "
            f"0), but got num_workers={workers}"
        )


def check_unordered(shuffle, sampler, batch_sampler) -> None:
    """ValueError if an order is given for an iterable dataset, which has its own."""
    options = {"shuffle": shuffle or None, "sampler": sampler, "batch_sampler": batch_sampler}
    for name, value in options.items():
        if value is not None:
            raise ValueError(
                f"DataLoader with IterableDataset: expected unspecified {name} option, but got "
                f"{name}={value}"
            )


class DataLoaderIterator:
    """One epoch of a DataLoader."""

    def __init__(self, loader: DataLoader) -> None:
        if loader.pin_memory and not cuda.is_available():
            warnings.warn(
                "'pin_memory' argument is set as true but no accelerator is found, then device "
                "pinned memory won't be used.",
                stacklevel=3,
            )
        if loader.timeout != 0:
            raise AssertionError(f"timeout={loader.timeout} needs num_workers > 0")
        self._loader = loader
        self._index_sampler = loader._index_sampler
        self._indices = iter(self._index_sampler)
        self._base_seed = draw_seed(loader.generator)
        self._fetch = fetcher(loader)
        self._told_length = loader._told_length
        self._count = 0

    def __iter__(self):
        return self

    def __len__(self) -> int:
        return len(self._index_sampler)

    def __next__(self):
        with span("enumerate(DataLoader)#_SingleProcessDataLoaderIter.__next__"):
            batch = self._loader.collate_fn(self._fetch(next(self._indices)))
        self._count += 1
        told = self._told_length
        if told is not None and self._count > told:
            warnings.warn(
                f"Length of IterableDataset {self._loader.dataset} was reported to be {told}"
                f"(when accessing len(dataloader)), but {self._count} samples have been fetched. ",
                stacklevel=2,
            )
        return batch


def fetcher(loader: DataLoader):
    """The function from what the index sampler yields to what the collate function takes."""
    dataset = loader.dataset
    batched = loader.batch_sampler is not None
    if loader._iterable:
        samples = iter(dataset)
        if batched:
            return functools.partial(next_samples, samples, loader.drop_last)
        return lambda _: next(samples)
    if not batched:
        return lambda index: dataset[index]
    return functools.partial(fetch_many, dataset)


def next_samples(samples, drop_last: bool, slots: list) -> list:
    """As many samples as there are slots; fewer at the end, where `drop_last` stops instead."""
    batch = list(itertools.islice(samples, len(slots)))
    if not batch or (drop_last and len(batch) < len(slots)):
        raise StopIteration
    return batch
