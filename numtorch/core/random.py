"""Random generators: `Generator`, the default one, and the functions that seed it.

The CPU generator is MT19937 with torch's seeding, so that a seed gives torch's numbers, and its
state has the layout of torch's: states can be exchanged with torch's `get_state` and `set_state`,
and checkpoints that hold them load. The kernels in ops/random/ draw from `state` and `spare` in
place. A CUDA generator is a seed and an offset into the counter of Philox4x32-10.
"""

import contextlib
import os
from _thread import allocate_lock  # threading takes 0.7 ms to import

import numpy as np

from .device import CPU, device, resolve
from .dtype import uint8
from .errors import kind
from .interp import runtime
from .spec import Spec
from .tensor import Tensor, wrap

DEFAULT_SEED = 67280421310721  # of a new Generator; the default generator starts from a random seed
WORDS = 624
LEGACY_SIZE = 5048  # states of torch < 1.6: without the last two fields
LAYOUT = np.dtype(
    [
        ("seed", "<u8"),
        ("left", "<i4"),
        ("seeded", "<i4"),
        ("next", "<u8"),
        ("words", "<u8", WORDS),
        ("normal_x", "<f8"),
        ("normal_y", "<f8"),
        ("normal_rho", "<f8"),
        ("normal_is_valid", "<i4"),
        ("_", "<i4"),
        ("float_normal", "<f4"),
        ("float_is_valid", "?"),
        ("__", "V3"),
    ]
)
CUDA_LAYOUT = np.dtype([("seed", "<u8"), ("offset", "<u8")])


def _as_seed(seed) -> int:
    """A seed as an unsigned 64-bit number; negative ones wrap."""
    if isinstance(seed, bool) or not hasattr(type(seed), "__index__"):
        raise RuntimeError(f"manual_seed expected a long, but got {type(seed).__name__}")
    seed = seed.__index__()
    if not -(1 << 63) <= seed < 1 << 64:
        raise ValueError(
            f"Overflow when unpacking long long: the seed {seed} has more than 64 bits"
        )
    return seed % (1 << 64)


class Generator:
    """A source of random numbers on one device.

    `state`: the 624 words of MT19937, and the position of the next one (0: the words are still
    those of the seed). `spare`: whether a normal number is left over (1.0 or 0.0), and which.
    `offset`: on CUDA, how many times four numbers each thread has drawn, times four.
    """

    def __init__(self, device="cpu") -> None:  # noqa: A002 (torch's name)
        self._device = resolve(device)
        if self._device is not CPU:
            runtime["memory"](self._device).check_available(self._device.index)
        self.lock = allocate_lock()
        self.state = np.zeros(WORDS + 1, np.uint32)
        self.spare = np.zeros(2)
        self._float_spare = (0.0, False)
        self.offset = 0
        self.manual_seed(DEFAULT_SEED)

    @property
    def device(self) -> device:
        """Where tensors that are filled from this generator must be."""
        return self._device

    def manual_seed(self, seed: int) -> "Generator":
        """Start the sequence that belongs to `seed`."""
        self._seed = seed = _as_seed(seed)
        if self._device is not CPU:
            self.offset = 0
            return self
        words, word = [], seed & 0xFFFFFFFF
        for i in range(1, WORDS + 1):
            words.append(word)
            word = (1812433253 * (word ^ (word >> 30)) + i) & 0xFFFFFFFF
        with self.lock:
            self.state[:WORDS] = words
            self.state[WORDS] = 0
            self.spare[:] = 0
            self._float_spare = (0.0, False)
        return self

    def initial_seed(self) -> int:
        """The seed that the sequence started from."""
        return self._seed

    def seed(self) -> int:
        """Start from a random seed of the operating system, and return it."""
        self.manual_seed(int.from_bytes(os.urandom(8), "little"))
        return self._seed

    def get_offset(self) -> int:
        """The position in the sequence of a CUDA generator."""
        if self._device is CPU:
            raise RuntimeError("CPU Generator does not use offset")
        return self.offset

    def set_offset(self, offset: int) -> "Generator":
        """Move a CUDA generator to a position, a multiple of 4."""
        if self._device is CPU:
            raise RuntimeError("CPU Generator does not use offset")
        if offset % 4:
            raise RuntimeError(f"offset must be a multiple of 4, but got {offset}")
        self.offset = offset
        return self

    def take(self, calls: int) -> tuple[int, int]:
        """Seed and offset of a CUDA kernel whose threads draw `calls` times four numbers each."""
        with self.lock:
            offset = self.offset
            self.offset += 4 * calls
        return self._seed, offset

    # -- state -------------------------------------------------------------------------------------
    def get_state(self) -> Tensor:
        """The state as a uint8 tensor, byte for byte as torch's: 5056 for the CPU, 16 for CUDA."""
        record = np.zeros(1, LAYOUT if self._device is CPU else CUDA_LAYOUT)
        record["seed"] = self._seed
        if self._device is CPU:
            with self.lock:
                at = int(self.state[WORDS])
                record["left"], record["seeded"], record["next"] = (
                    1 if at == 0 else WORDS + 1 - at,
                    1,
                    at,
                )
                record["words"] = self.state[:WORDS]
                record["normal_is_valid"], record["normal_y"] = self.spare
                record["float_normal"], record["float_is_valid"] = self._float_spare
        else:
            record["offset"] = self.offset
        return wrap(record.view(np.uint8), Spec.of((record.dtype.itemsize,), uint8))

    def set_state(self, new_state: Tensor) -> "Generator":
        """Continue from a state that `get_state` gave, here or in torch."""
        if not isinstance(new_state, Tensor):
            raise TypeError(f"expected a torch.ByteTensor, but got {type(new_state).__name__}")
        if (
            new_state._spec.dtype is not uint8
            or new_state._spec.device is not CPU
            or new_state._spec.ndim != 1
        ):
            raise TypeError("RNG state must be a torch.ByteTensor")
        data = np.ascontiguousarray(new_state._array)
        if self._device is CPU:
            self._set_cpu_state(data)
        elif data.size in (8, 16):
            record = np.pad(data, (0, 16 - data.size)).view(CUDA_LAYOUT)[0]
            self._seed, self.offset = int(record["seed"]), int(record["offset"])
        else:
            raise RuntimeError("RNG state is wrong size")
        return self

    def _set_cpu_state(self, data: np.ndarray) -> None:
        if data.size not in (LAYOUT.itemsize, LEGACY_SIZE):
            raise RuntimeError(
                f"Expected a CPUGeneratorImplState of size {LAYOUT.itemsize} but found the input "
                f"RNG state size to be {data.size}"
            )
        if data.size == LEGACY_SIZE:
            data = np.pad(data, (0, LAYOUT.itemsize - data.size))
        record = data.view(LAYOUT)[0]
        left, at = int(record["left"]), int(record["next"])
        if record["seeded"] != 1 or not 0 < left <= WORDS or at > WORDS:
            raise RuntimeError("Invalid mt19937 state")
        with self.lock:
            self._seed = int(record["seed"])
            self.state[:WORDS] = record["words"]
            self.state[WORDS] = WORDS if left == 1 and at else at
            self.spare[:] = (
                bool(record["normal_is_valid"]),
                record["normal_y"] if record["normal_is_valid"] else 0.0,
            )
            self._float_spare = float(record["float_normal"]), bool(record["float_is_valid"])

    def clone_state(self) -> "Generator":
        """A new generator in the same state."""
        return Generator(self._device).set_state(self.get_state())

    def graphsafe_get_state(self) -> "Generator":
        """A generator that holds the present state."""
        return self.clone_state()

    def graphsafe_set_state(self, state: "Generator") -> "Generator":
        """Continue from another generator's state."""
        return self.set_state(state.get_state())

    def __reduce__(self):
        return Generator, (self._device,), self.get_state()

    def __setstate__(self, state: Tensor) -> None:
        self.set_state(state)


default_generator = Generator()
default_generator.seed()
_cuda_generators: dict[int | None, Generator] = {}
_cuda_seed = [DEFAULT_SEED]


def default_for(dev: device) -> Generator:
    """The generator that is used on a device when none is given."""
    if dev is CPU:
        return default_generator
    found = _cuda_generators.get(dev.index)
    if found is None:
        found = _cuda_generators[dev.index] = Generator(dev).manual_seed(_cuda_seed[0])
    return found


def resolve_generator(generator, dev: device, name: str) -> Generator:
    """A `generator=` argument, or the device's default; RuntimeError when it belongs to another
    device.
    """
    if generator is None:
        return default_generator if dev is CPU else default_for(dev)
    if not isinstance(generator, Generator):
        raise TypeError(
            f"{name}(): argument 'generator' must be torch.Generator, not {kind(generator)}"
        )
    if generator._device.type != dev.type:
        raise RuntimeError(
            f"Expected a '{dev.type}' device type for generator but found "
            f"'{generator._device.type}' ({name})"
        )
    return generator


def seed_cuda(seed: int) -> None:
    """Seed the default generators of all CUDA devices, also of those that are not in use yet."""
    _cuda_seed[0] = _as_seed(seed)
    for generator in _cuda_generators.values():
        generator.manual_seed(seed)


def manual_seed(seed: int) -> Generator:
    """Seed the default generators of all devices, and return the CPU's."""
    seed = int(seed)
    seed_cuda(seed)
    return default_generator.manual_seed(seed)


def seed() -> int:
    """Seed the default generators with a random number, and return it."""
    chosen = default_generator.seed()
    seed_cuda(chosen)
    return chosen


def initial_seed() -> int:
    """The seed of the CPU's default generator."""
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """The state of the CPU's default generator, as a uint8 tensor."""
    return default_generator.get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Set the state of the CPU's default generator."""
    default_generator.set_state(new_state)


@contextlib.contextmanager
def fork_rng(
    devices=None,
    enabled: bool = True,
    _caller="fork_rng",
    _devices_kw="devices",
    device_type="cuda",
):
    """Restore the default generators' states when the block ends. `devices`: CUDA ones, by default
    all in use.
    """
    if not enabled:
        yield
        return
    indices = list(_cuda_generators) if devices is None else [resolve_index(d) for d in devices]
    generators = [default_generator, *(default_for(device("cuda", i)) for i in indices)]
    states = [g.get_state() for g in generators]
    try:
        yield
    finally:
        for generator, state in zip(generators, states, strict=True):
            generator.set_state(state)


def resolve_index(dev) -> int:
    """A CUDA device, given as a number, a string or a device, as its number."""
    return resolve(dev).index or 0
