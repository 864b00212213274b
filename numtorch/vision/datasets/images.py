"""What the image datasets have in common."""

from pathlib import Path
from typing import ClassVar

from PIL import Image

from ...utils.data import Dataset

__all__ = ["GrayImages", "VisionDataset"]


class VisionDataset(Dataset):
    """A dataset with a folder, a transform of its images and a transform of its targets."""

    def __init__(self, root=None, transform=None, target_transform=None) -> None:
        self.root = str(Path(root).expanduser()) if isinstance(root, str) else root
        self.transform = transform
        self.target_transform = target_transform

    def extra_repr(self) -> str:
        """More lines for `repr`."""
        return ""

    def __repr__(self) -> str:
        body = [f"Number of datapoints: {len(self)}"]
        if self.root is not None:
            body.append(f"Root location: {self.root}")
        body += self.extra_repr().splitlines()
        transforms = {"Transform: ": self.transform, "Target transform: ": self.target_transform}
        shown = {head: value for head, value in transforms.items() if value is not None}
        lines = [f"Dataset {type(self).__name__}"]
        lines += ["    " + line for line in body + ["StandardTransform"] * bool(shown)]
        for head, value in shown.items():
            # Not indented like the rest, and aligned under its first line: torchvision's layout.
            lines.append(head + repr(value).replace("\n", "\n" + " " * len(head)))
        return "\n".join(lines)


class GrayImages(VisionDataset):
    """Images in memory: `data` is uint8 (N, H, W), `targets` int64 (N,).

    A sample is (PIL image of mode L, int), both after their transforms.
    """

    data: object
    targets: object
    train: bool
    classes: ClassVar[list[str]]

    @property
    def class_to_idx(self) -> dict:
        """The number of each class name."""
        return {name: i for i, name in enumerate(self.classes)}

    def __getitem__(self, index):
        image, target = Image.fromarray(self.data[index].numpy()), int(self.targets[index])
        if self.transform is not None:
            image = self.transform(image)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return image, target

    def __len__(self) -> int:
        return len(self.data)

    def extra_repr(self) -> str:
        """Which part of the dataset this is."""
        return f"Split: {'Train' if self.train else 'Test'}"
