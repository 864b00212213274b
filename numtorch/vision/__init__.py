"""Images: transforms and datasets that follow torchvision."""

from . import datasets, transforms

__all__ = ["datasets", "transforms"]
