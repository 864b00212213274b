"""GPU convolution: a thread owns an output element, a block owns a weight. Axes are (depth, height,
width).
"""

import math

import numpy as np

from ...backends.cuda import memory
from ...backends.cuda.blocks import block_sum
from ...backends.cuda.jit import THREADS, cuda, grid, kernel
from ...backends.registry import contiguous


def three(values, fill: int) -> tuple[int, ...]:
    """The sizes of one to three spatial axes as (depth, height, width)."""
    return (fill,) * (3 - len(values)) + tuple(values)


def geometry(size, out_size, kernel_size, stride, padding, dilation):
    """Six rows of three numbers on the device: input, output, kernel, stride, padding in front,
    dilation.
    """
    before = [p for p, _ in padding]
    rows = (
        three(size, 1),
        three(out_size, 1),
        three(kernel_size, 1),
        three(stride, 1),
        three(before, 0),
        three(dilation, 1),
    )
    return memory.from_host(np.array(rows, np.int64).ravel())


@kernel
def forward(x, weight, bias, out, n, channels, out_channels, groups, geo):
    """out[n, o, p] = bias[o] + sum over c, k of weight[o, c, k] * x[n, c, p * stride + k * dilation
    - padding].

    One thread owns every gridsize-th output.
    """
    depth, height, width = geo[0], geo[1], geo[2]
    out_d, out_h, out_w = geo[3], geo[4], geo[5]
    kd, kh, kw = geo[6], geo[7], geo[8]
    per_group = out_channels // groups
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):
        w0 = i % out_w * geo[11] - geo[14]
        h0 = i // out_w % out_h * geo[10] - geo[13]
        d0 = i // (out_w * out_h) % out_d * geo[9] - geo[12]
        o = i // (out_w * out_h * out_d) % out_channels
        image = i // (out_w * out_h * out_d * out_channels) * groups + o // per_group
        total = out.dtype.type(0)
        if bias is not None:
            total = bias[o]
        for c in range(channels):
            plane = image * channels + c
            tap = (o * channels + c) * kd * kh * kw
            for a in range(kd):
                d = d0 + a * geo[15]
                for b in range(kh):
                    h = h0 + b * geo[16]
                    if d >= 0 and d < depth and h >= 0 and h < height:
                        row = ((plane * depth + d) * height + h) * width
                        for e in range(kw):
                            w = w0 + e * geo[17]
                            if w >= 0 and w < width:
                                total += weight[tap + e] * x[row + w]
                    tap += kw
        out[i] = total


@kernel
def input_gradient(g, weight, out, n, channels, out_channels, groups, geo):
    """out[n, c, q] = sum over o, k of weight[o, c, k] * g[n, o, (q + padding - k * dilation) /
    stride].

    One thread owns every gridsize-th input element; taps whose quotient is not a whole output do
    not reach it.
    """
    depth, height, width = geo[0], geo[1], geo[2]
    out_d, out_h, out_w = geo[3], geo[4], geo[5]
    kd, kh, kw = geo[6], geo[7], geo[8]
    sd, sh, sw = geo[9], geo[10], geo[11]
    per_group = out_channels // groups
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):
        w0 = i % width + geo[14]
        h0 = i // width % height + geo[13]
        d0 = i // (width * height) % depth + geo[12]
        plane = i // (width * height * depth)
        c = plane % channels
        group = plane // channels % groups
        image = plane // (channels * groups)
        total = out.dtype.type(0)
        for o in range(group * per_group, (group + 1) * per_group):
            tap = (o * channels + c) * kd * kh * kw
            for a in range(kd):
                d = d0 - a * geo[15]
                for b in range(kh):
                    h = h0 - b * geo[16]
                    if (
                        d >= 0
                        and h >= 0
                        and d % sd == 0
                        and h % sh == 0
                        and d // sd < out_d
                        and h // sh < out_h
                    ):
                        row = (
                            ((image * out_channels + o) * out_d + d // sd) * out_h + h // sh
                        ) * out_w
                        for e in range(kw):
                            w = w0 - e * geo[17]
                            if w >= 0 and w % sw == 0 and w // sw < out_w:
                                total += weight[tap + e] * g[row + w // sw]
                    tap += kw
        out[i] = total


@kernel
def weight_gradient(g, x, out, n, images, channels, out_channels, groups, geo):
    """out[o, c, k] = sum over n, p of g[n, o, p] * x[n, c, p * stride + k * dilation - padding].

    A block owns every gridDim-th weight; its threads share the images' pixels.
    """
    parts = cuda.shared.array(THREADS, x.dtype)
    depth, height, width = geo[0], geo[1], geo[2]
    out_d, out_h, out_w = geo[3], geo[4], geo[5]
    kd, kh, kw = geo[6], geo[7], geo[8]
    pixels = out_d * out_h * out_w
    for i in range(cuda.blockIdx.x, n, cuda.gridDim.x):
        w0 = i % kw * geo[17] - geo[14]
        h0 = i // kw % kh * geo[16] - geo[13]
        d0 = i // (kw * kh) % kd * geo[15] - geo[12]
        c = i // (kw * kh * kd) % channels
        o = i // (kw * kh * kd * channels)
        group = o // (out_channels // groups)
        total = out.dtype.type(0)
        for p in range(cuda.threadIdx.x, images * pixels, THREADS):
            image, pixel = p // pixels, p % pixels
            w = w0 + pixel % out_w * geo[11]
            h = h0 + pixel // out_w % out_h * geo[10]
            d = d0 + pixel // (out_w * out_h) * geo[9]
            if d >= 0 and d < depth and h >= 0 and h < height and w >= 0 and w < width:
                plane = (image * groups + group) * channels + c
                value = x[((plane * depth + d) * height + h) * width + w]
                total += g[(image * out_channels + o) * pixels + pixel] * value
        total = block_sum(parts, total)
        if cuda.threadIdx.x == 0:
            out[i] = total


@contiguous
def convolution_op(input, weight, bias, out, *, stride, padding, dilation, groups):
    """Every output in a thread of its own."""
    n = out.numel
    geo = geometry(input.shape[2:], out.shape[2:], weight.shape[2:], stride, padding, dilation)
    facts = n, weight.shape[1], weight.shape[0], groups, geo
    launch = forward.compile(input, weight, bias, out, *facts)[grid(n)]
    return lambda x, w, b, y: launch(x, w, b, y, *facts)


@contiguous
def convolution_input_grad(grad, weight, out, *, size, stride, padding, dilation, groups):
    """Every input element in a thread of its own."""
    n = out.numel
    geo = geometry(size, grad.shape[2:], weight.shape[2:], stride, padding, dilation)
    facts = n, weight.shape[1], weight.shape[0], groups, geo
    launch = input_gradient.compile(grad, weight, out, *facts)[grid(n)]
    return lambda g, w, y: launch(g, w, y, *facts)


@contiguous
def convolution_weight_grad(grad, input, out, *, kernel_size, stride, padding, dilation, groups):
    """Every weight in a block of its own."""
    n = math.prod(out.shape)
    geo = geometry(input.shape[2:], grad.shape[2:], kernel_size, stride, padding, dilation)
    facts = n, input.shape[0], out.shape[1], out.shape[0], groups, geo
    launch = weight_gradient.compile(grad, input, out, *facts)[grid(n, 1)[0], THREADS]
    return lambda g, x, y: launch(g, x, y, *facts)
