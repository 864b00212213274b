"""Batch normalization: `BatchNorm1d`, `BatchNorm2d`, `BatchNorm3d`."""

from ...core.dtype import int64
from ...ops.create import empty, ones, tensor, zeros
from .. import functional, init
from ..parameter import Parameter
from .module import Module

__all__ = ["BatchNorm1d", "BatchNorm2d", "BatchNorm3d"]


class NormBase(Module):
    """What batch and instance normalization share: scale, shift and running statistics."""

    _version = 2  # since 2 the state holds num_batches_tracked

    def __init__(
        self,
        num_features,
        eps=1e-5,
        momentum=0.1,
        affine=True,
        track_running_stats=True,
        device=None,
        dtype=None,
        *,
        bias=True,
    ):
        super().__init__()
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        place = {"device": device, "dtype": dtype}
        for name, wanted in (("weight", affine), ("bias", affine and bias)):
            param = Parameter(empty(num_features, **place)) if wanted else None
            self.register_parameter(name, param)
        if track_running_stats:
            self.register_buffer("running_mean", zeros(num_features, **place))
            self.register_buffer("running_var", ones(num_features, **place))
            self.register_buffer("num_batches_tracked", tensor(0, dtype=int64, device=device))
        else:
            for name in ("running_mean", "running_var", "num_batches_tracked"):
                self.register_buffer(name, None)
        self.reset_parameters()

    def reset_running_stats(self):
        """Forget the statistics seen in training."""
        if self.track_running_stats:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self):
        """Forget the statistics, scale by 1 and shift by 0."""
        self.reset_running_stats()
        if self.affine:
            init.ones_(self.weight)
            if self.bias is not None:
                init.zeros_(self.bias)

    def extra_repr(self):
        """The settings."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, "
            f"affine={self.affine}, bias={self.bias is not None}, "
            f"track_running_stats={self.track_running_stats}"
        )

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, *args):
        key = f"{prefix}num_batches_tracked"
        old = (local_metadata.get("version") or 1) < 2
        if old and self.track_running_stats and key not in state_dict:
            state_dict[key] = self.num_batches_tracked
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *args)


class _BatchNorm(NormBase):
    """Normalizes each channel over the batch; in evaluation by the statistics seen in training."""

    dimensions = ()  # how many an input may have
    expected = ""  # the same in words

    def _check_input_dim(self, input):
        if input.ndim not in self.dimensions:
            raise ValueError(f"expected {self.expected} input (got {input.ndim}D input)")

    def forward(self, input):
        """(N, C, *) -> (N, C, *)."""
        self._check_input_dim(input)
        training, momentum = self.training, self.momentum
        mean, var = self.running_mean, self.running_var
        if training and self.track_running_stats and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if momentum is None:  # the plain mean over all batches
                momentum = 1.0 / float(self.num_batches_tracked)
        if training and not self.track_running_stats:
            mean = var = None  # present only because someone set them: leave them alone
        use_batch = training or (mean is None and var is None)
        return functional.batch_norm(
            input, mean, var, self.weight, self.bias, use_batch, momentum or 0.0, self.eps
        )


class BatchNorm1d(_BatchNorm):
    """Batch normalization of vectors or sequences (Ioffe and Szegedy, 2015).

    (N, C) or (N, C, L) -> the same
    """

    dimensions = (2, 3)
    expected = "2D or 3D"


class BatchNorm2d(_BatchNorm):
    """Batch normalization of images (Ioffe and Szegedy, 2015).

    (N, C, H, W) -> (N, C, H, W)
    """

    dimensions = (4,)
    expected = "4D"


class BatchNorm3d(_BatchNorm):
    """Batch normalization of volumes (Ioffe and Szegedy, 2015).

    (N, C, D, H, W) -> (N, C, D, H, W)
    """

    dimensions = (5,)
    expected = "5D"
