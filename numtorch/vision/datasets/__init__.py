"""Image datasets: torchvision.datasets."""

from .digits import Digits
from .idx import read_idx
from .images import VisionDataset
from .mnist import MNIST, FashionMNIST

__all__ = ["MNIST", "Digits", "FashionMNIST", "VisionDataset", "read_idx"]
