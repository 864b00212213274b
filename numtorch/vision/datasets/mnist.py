"""MNIST and Fashion-MNIST, read from the idx files that they are published as."""

from pathlib import Path
from typing import ClassVar

from ...core.dtype import int64, uint8
from .idx import read_idx
from .images import GrayImages

__all__ = ["MNIST", "FashionMNIST"]


class MNIST(GrayImages):
    """60,000 handwritten digits to train with, 10,000 to test: 28x28, gray.

    The four files `{train,t10k}-{images-idx3,labels-idx1}-ubyte`, or the same with `.gz`, have to
    be in `root/MNIST/raw`, where torchvision keeps them, or in `root` itself. numtorch downloads
    nothing: `download=True` is accepted if the files are there.
    """

    source = "https://ossci-datasets.s3.amazonaws.com/mnist/"
    classes: ClassVar[list[str]] = [
        "0 - zero",
        "1 - one",
        "2 - two",
        "3 - three",
        "4 - four",
        "5 - five",
        "6 - six",
        "7 - seven",
        "8 - eight",
        "9 - nine",
    ]

    def __init__(
        self, root, train=True, transform=None, target_transform=None, download=False
    ) -> None:
        super().__init__(root, transform, target_transform)
        self.train = train
        part = "train" if train else "t10k"
        names = [f"{part}-images-idx3-ubyte", f"{part}-labels-idx1-ubyte"]
        images, labels = self._find(names, download)
        self.data, targets = read_idx(images), read_idx(labels)
        if self.data.ndim != 3 or self.data.dtype is not uint8:
            raise RuntimeError(
                f"{images}: expected images (N, H, W) of uint8, got {tuple(self.data.shape)} of "
                f"{self.data.dtype}"
            )
        if tuple(targets.shape) != (len(self.data),) or targets.dtype is not uint8:
            raise RuntimeError(
                f"{labels}: expected {len(self.data)} labels of uint8, one for each image, "
                f"got shape {tuple(targets.shape)} of {targets.dtype}"
            )
        self.targets = targets.to(int64)

    @property
    def raw_folder(self) -> str:
        """Where torchvision would put the files."""
        return str(Path(self.root) / type(self).__name__ / "raw")

    def _find(self, names: list[str], download: bool) -> list[Path]:
        """The paths of the files, or RuntimeError that says which are missing, and from where."""
        folders = [Path(self.raw_folder), Path(self.root)]
        found = {}
        for name in names:
            candidates = [folder / (name + end) for folder in folders for end in ("", ".gz")]
            found[name] = next((path for path in candidates if path.is_file()), None)
        missing = [name for name, path in found.items() if path is None]
        if missing:
            cause = "numtorch cannot download it" if download else "Dataset not found"
            raise RuntimeError(
                f"{cause}: get {' and '.join(name + '.gz' for name in missing)} from {self.source} "
                f"and put them (unpacked or not) into {folders[0]} or {folders[1]}"
            )
        return list(found.values())


class FashionMNIST(MNIST):
    """Like MNIST, with pictures of clothes; its files have the same names.

    They are looked for in `root/FashionMNIST/raw`, then in `root`.
    """

    source = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
    classes: ClassVar[list[str]] = [
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ]
