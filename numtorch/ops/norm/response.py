"""Local response normalization: each channel divided by what its neighbours hold."""

from ..pad import pad
from ..pool import avg_pool2d, avg_pool3d


def local_response_norm(input, size, alpha=1e-4, beta=0.75, k=1.0):
    """input / (k + alpha * mean of the squares of `size` channels around)^beta. (N, C, ...) -> (N,
    C, ...)

    Source: Krizhevsky et al., 2012.
    """
    shape = tuple(input._spec.shape)
    if len(shape) < 3:
        raise ValueError(
            f"Expected 3D or higher dimensionality input (got {len(shape)} dimensions)"
        )
    if not input._spec.numel:
        return input
    squares, around = input * input, (size // 2, (size - 1) // 2)
    if len(shape) == 3:
        squares = pad(squares.unsqueeze(1), (0, 0, *around))
        mean = avg_pool2d(squares, (size, 1), 1)
    else:
        squares = pad(squares.view(shape[0], 1, shape[1], shape[2], -1), (0, 0, 0, 0, *around))
        mean = avg_pool3d(squares, (size, 1, 1), 1)
    return input / (mean.view(shape) * alpha + k).pow(beta)
