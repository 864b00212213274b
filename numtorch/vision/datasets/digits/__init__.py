"""1,797 handwritten digits, 8x8, that come with the package (45 KB; see LICENSE.txt)."""

from pathlib import Path
from typing import ClassVar

from ....core.dtype import int64, uint8
from ..idx import read_idx
from ..images import GrayImages

__all__ = ["Digits"]

FOLDER = Path(__file__).parent
TRAIN = 1437  # the first four fifths of the file; the last 360 images are the test set
FULL = 16  # the files hold counts of the dark pixels in blocks of 4x4


class Digits(GrayImages):
    """Real digits that need no download: 1,437 to train, 360 to test.

    Images are (8, 8) of bytes from 0 to 255: 255 / 16 times the published 0..16, rounded. The
    order is that of the published file, not shuffled.
    """

    classes: ClassVar[list[str]] = [str(digit) for digit in range(10)]

    def __init__(self, train=True, transform=None, target_transform=None) -> None:
        super().__init__(None, transform, target_transform)
        self.train = train
        part = slice(None, TRAIN) if train else slice(TRAIN, None)
        counts = read_idx(FOLDER / "images-idx3-ubyte.gz")[part].to(int64)
        self.data = ((counts * 255 + FULL // 2) // FULL).to(uint8)
        self.targets = read_idx(FOLDER / "labels-idx1-ubyte.gz")[part].to(int64)
