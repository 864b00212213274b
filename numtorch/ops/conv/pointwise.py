"""Convolutions that are products of matrices as their tensors lie: nothing is copied or unfolded.

- 1x1 kernels of stride 1 (pointwise): for each image, (O, C) times (C, pixels); of images with
  channels last, a linear layer: pixels are rows, and so are its gradients.
- Kernels as large as the image (dense): there is one output for each image and output channel, so
  this is a linear layer, images are rows, and so are its gradients.
- Kernels as large as the stride, without padding (patches): the input's gradient is, for each
  image, (O, C * kernel) transposed times (O, pixels), whose rows are then interleaved.
"""

import math

from ..matmul.cpu import linear_op, rows_op
from ..matmul.gemm import products


def is_dense(sizes, groups: int) -> bool:
    """Whether axes (see `planes.geometry`) have kernels that cover the image, once."""
    return groups == 1 and all(
        size == kernel and padding == 0 and count == 1 and (dilation == 1 or kernel == 1)
        for size, count, kernel, _, padding, dilation in sizes
    )


def matrix(spec):
    """A tensor's Spec as a matrix with a row for each image or output channel."""
    return spec.like((spec.shape[0], math.prod(spec.shape[1:])))


def dense(input, weight, bias, out):
    """The convolution as a linear layer."""
    return linear(*map(matrix, (input, weight)), bias, matrix(out))


def linear(x, w, bias, y):
    """A function of (input, weight, bias, output), for matrices."""
    if bias is not None:
        return linear_op(x, w, bias, y)
    run = rows_op(x, w, y, ta=False, tb=True)
    return lambda x, w, b, y: run(x, w, y)


def dense_input_grad(grad, weight, out):
    """(N, O) times (O, C * kernel)."""
    return rows_op(*map(matrix, (grad, weight, out)), ta=False, tb=False)


def dense_weight_grad(grad, input, out):
    """(N, O) transposed, times (N, C * kernel)."""
    return rows_op(*map(matrix, (grad, input, out)), ta=True, tb=False)


def pixel_rows(spec):
    """The Spec of images with channels last as a matrix with a row for each pixel."""
    return spec.like((spec.numel // spec.shape[1], spec.shape[1]))


def pixels(input, weight, bias, out):
    """The 1x1 convolution of images with channels last as a linear layer."""
    return linear(pixel_rows(input), matrix(weight), bias, pixel_rows(out))


def pixels_input_grad(grad, weight, out):
    """(pixels, O) times (O, C)."""
    return rows_op(pixel_rows(grad), matrix(weight), pixel_rows(out), ta=False, tb=False)


def pixels_weight_grad(grad, input, out):
    """(pixels, O) transposed, times (pixels, C)."""
    return rows_op(pixel_rows(grad), pixel_rows(input), matrix(out), ta=True, tb=False)


def is_pointwise(axes, kernel_size) -> bool:
    """Whether a 1x1 kernel reads, along axes as in `plan.py`, the output's own place."""
    return math.prod(kernel_size) == 1 and all(
        (a.step, a.begin, a.shift, a.outputs) == (1, (0,), (0,), a.size) for a in axes
    )


def correlate(x, weight, bias, out_channels, groups, steps):
    """A function of (input, weight, bias, output), like that of `cpu.py`, for pointwise axes."""
    images, channels = x.shape[0], x.shape[1] // groups
    pixels = math.prod(x.shape[2:])
    columns = x.like((images, groups, channels, pixels))
    results = x.like((images, groups, out_channels, pixels))
    turned = steps[2] > 1  # the input's gradient: channels are the rows of the weight
    shape = (channels, out_channels) if turned else (out_channels, channels)
    run = products(weight.like((groups, *shape)), columns, results, turned, row_bias=bias)
    if bias is None:
        return lambda x, w, b, y: run(w, x, y)
    return lambda x, w, b, y: run(w, x, b, y)


def are_patches(sizes) -> bool:
    """Whether axes (see `planes.geometry`) cut the image into patches, of one output each."""
    return all(
        (size, stride, padding) == (count * kernel, kernel, 0) and (dilation == 1 or kernel == 1)
        for size, count, kernel, stride, padding, dilation in sizes
    )


def patches(grad, weight, groups):
    """A function of (gradient, weight, None, result): (N, C, *kernel, *pixels)."""
    images, out_channels = grad.shape[0], grad.shape[1] // groups
    taps, pixels = math.prod(weight.shape[1:]), math.prod(grad.shape[2:])
    kernels = weight.like((groups, out_channels, taps))
    columns = grad.like((images, groups, out_channels, pixels))
    run = products(kernels, columns, grad.like((images, groups, taps, pixels)), True)
    return lambda g, w, _, y: run(w, g, y)
