"""Devices: `cpu`, `cuda`, `cuda:1`."""

import re


class device:  # noqa: N801 (torch's name)
    """Where a tensor's memory is. `device("cuda:1")`, `device("cuda", 1)` or `device(1)`."""

    __slots__ = ("index", "type")
    index: int | None
    type: str
    _known: dict = {}

    def __new__(cls, type="cpu", index=None):  # noqa: A002 (torch's name)
        if isinstance(type, device):
            return type
        if isinstance(type, int) and not isinstance(type, bool) and index is None:
            type, index = "cuda", type
        if not isinstance(type, str):
            raise TypeError(f"device(): argument 'type' must be str, not {type.__class__.__name__}")
        match = re.fullmatch(r"([a-z_]+)(?::(\d+))?", type)
        if match is None:
            raise RuntimeError(f"Invalid device string: '{type}'")
        if match[1] not in ("cpu", "cuda"):
            raise RuntimeError(
                f"Expected one of cpu, cuda device type at start of device string: {match[1]}"
            )
        if match[2] is not None:
            if index is not None:
                raise RuntimeError(
                    f"type (string) must not include an index because index was passed "
                    f"explicitly: {type}"
                )
            index = int(match[2])
        key = match[1], index
        found = cls._known.get(key)
        if found is None:
            found = cls._known[key] = object.__new__(cls)
            found.type, found.index = key
        return found

    def __repr__(self) -> str:
        index = "" if self.index is None else f", index={self.index}"
        return f"device(type='{self.type}'{index})"

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __reduce__(self):
        return (device, (self.type, self.index))


CPU = device("cpu")


def resolve(value) -> device:
    """The device that memory is allocated on: `cuda` becomes `cuda:0`; None is the CPU."""
    if value is None or value is CPU:
        return CPU
    found = device(value)
    if found.type == "cpu":
        return CPU
    return found if found.index is not None else device("cuda", 0)
