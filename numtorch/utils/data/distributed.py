"""The sampler that gives each of several processes its own part of a dataset."""

import itertools

from ...core.random import Generator
from ...ops.random import randperm
from .sampler import Sampler

__all__ = ["DistributedSampler"]


class DistributedSampler(Sampler):
    """Every `num_replicas`-th index, from `rank` on, of an order that is the same in all processes.

    The order is shuffled by `seed + epoch` (call `set_epoch` before every epoch), then repeated, or
    with `drop_last` cut, to a multiple of `num_replicas`. numtorch starts no processes of its own:
    both numbers must be given.
    """

    def __init__(
        self, dataset, num_replicas=None, rank=None, shuffle=True, seed=0, drop_last=False
    ) -> None:
        if num_replicas is None or rank is None:
            raise RuntimeError(
                "Requires distributed package to be available: pass num_replicas and rank "
                f"(got num_replicas={num_replicas}, rank={rank})"
            )
        if not 0 <= rank < num_replicas:
            raise ValueError(
                f"Invalid rank {rank}, rank should be in the interval [0, {num_replicas - 1}]"
            )
        self.dataset = dataset
        self.num_replicas = num_replicas
        self.rank = rank
        self.epoch = 0
        self.drop_last = drop_last
        self.shuffle = shuffle
        self.seed = seed
        full, rest = divmod(len(dataset), num_replicas)
        self.num_samples = full if drop_last or not rest else full + 1
        self.total_size = self.num_samples * num_replicas

    def __iter__(self):
        n = len(self.dataset)
        order = range(n)
        if self.shuffle:
            generator = Generator()
            generator.manual_seed(self.seed + self.epoch)
            order = randperm(n, generator=generator).tolist()
        order = itertools.islice(itertools.cycle(order), self.total_size)
        return itertools.islice(order, self.rank, None, self.num_replicas)

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Choose the shuffle of the next epoch."""
        self.epoch = epoch
