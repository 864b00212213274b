"""Convolutions: bound by FMA, depthwise ones by memory."""

from ..case import Case, backward, forward, normal


def transposed(n, c, h, w, o, k, stride=1, padding=0):
    """The same for a transposed convolution."""
    x, weight = normal(n, c, h, w), normal(c, o, k, k)
    oh, ow = ((size - 1) * stride - 2 * padding + k for size in (h, w))
    flops = 2.0 * x.size * o * k * k
    moved = 4.0 * (x.size + weight.size + n * o * oh * ow)
    name = f"conv_transpose2d {n}x{c}x{h}x{w} {k}x{k}->{o} s{stride}"

    def run(lib, a, b):
        return lib.nn.functional.conv_transpose2d(a, b, None, stride, padding)

    both = backward(run, x, weight, leaves=2)
    return [
        Case(name, "conv", forward(run, x, weight), moved, flops),
        Case(f"{name}, backward", "conv", both, 3 * moved, 3 * flops),
    ]


def conv(n, c, h, w, o, k, stride=1, padding=0, groups=1, dilation=1, quick=False, last=False):
    """A forward case and a forward + backward case; of images with channels last, if `last`."""
    x, weight = normal(n, c, h, w), normal(o, c // groups, k, k)
    reach = dilation * (k - 1) - 2 * padding
    oh, ow = (h - reach - 1) // stride + 1, (w - reach - 1) // stride + 1
    flops = 2.0 * n * o * oh * ow * (c // groups) * k * k
    moved = 4.0 * (x.size + weight.size + n * o * oh * ow)
    name = f"conv2d {n}x{c}x{h}x{w} {k}x{k}->{o}"
    name += f" s{stride}" if stride > 1 else ""
    name += f" d{dilation}" if dilation > 1 else ""
    name += " depthwise" if groups == c > 1 else f" g{groups}" if groups > 1 else ""

    def run(lib, a, b):
        if last:
            a = a.permute(0, 3, 1, 2)
        return lib.nn.functional.conv2d(a, b, None, stride, padding, dilation, groups)

    if last:
        name, x = f"{name}, channels last", normal(n, h, w, c)
    both = backward(run, x, weight, leaves=2)
    return [
        Case(name, "conv", forward(run, x, weight), moved, flops, quick),
        Case(f"{name}, backward", "conv", both, 3 * moved, 3 * flops),
    ]


CASES = [
    *conv(64, 1, 28, 28, 6, 5, padding=2, quick=True),
    *conv(64, 6, 14, 14, 16, 5, quick=True),
    *conv(16, 64, 56, 56, 64, 3, padding=1, quick=True),
    *conv(16, 128, 28, 28, 128, 3, padding=1),
    *conv(16, 256, 14, 14, 256, 3, padding=1),
    *conv(8, 512, 7, 7, 512, 3, padding=1),
    *conv(8, 96, 35, 35, 96, 3, padding=1),
    *conv(1, 256, 14, 14, 256, 3, padding=1),
    *conv(8, 3, 160, 160, 64, 7, 2, 3),
    *conv(16, 256, 28, 28, 64, 1),
    *conv(16, 64, 28, 28, 256, 1),
    *conv(8, 256, 28, 28, 512, 1, 2),
    *conv(1, 256, 14, 14, 256, 1),
    *conv(8, 64, 28, 28, 64, 3, padding=2, dilation=2),
    *conv(8, 64, 28, 28, 64, 3, padding=3, dilation=3),
    *conv(8, 64, 56, 56, 128, 3, 2, 1),
    *conv(16, 256, 14, 14, 512, 3, 2, 1),
    *conv(8, 64, 28, 28, 64, 3, padding=1, groups=4),
    *conv(8, 256, 14, 14, 256, 3, padding=1, groups=32),
    *conv(3, 31, 29, 31, 37, 5, padding=2),
    *conv(16, 128, 28, 28, 128, 3, padding=1, groups=128, quick=True),
    *conv(16, 128, 28, 28, 128, 3, 2, 1, groups=128),
    *conv(4, 32, 112, 112, 32, 3, padding=1, groups=32),
    *conv(16, 240, 14, 14, 240, 5, padding=2, groups=240),
    *conv(4, 144, 56, 56, 144, 5, 2, 2, groups=144),
    *conv(1, 64, 37, 37, 64, 3, padding=1, groups=64),
    *conv(8, 64, 28, 28, 64, 3, padding=1, groups=64, last=True),
    *conv(8, 240, 14, 14, 240, 5, padding=2, groups=240, last=True),
    *conv(4, 256, 28, 28, 64, 1, last=True),
    *conv(4, 320, 23, 23, 15, 1),
    *conv(1, 1024, 14, 14, 256, 1),
    *conv(2, 64, 64, 64, 1, 7, padding=3),
    *conv(1, 3, 224, 224, 768, 16, 16),
    *conv(32, 512, 4, 4, 100, 4),
    *transposed(32, 100, 1, 1, 512, 4),
    *transposed(8, 64, 14, 14, 32, 4, 2, 1),
    *transposed(1, 191, 16, 16, 155, 5, 2),
]
