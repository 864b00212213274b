"""Instance normalization: `InstanceNorm1d`, `InstanceNorm2d`, `InstanceNorm3d`."""

import warnings

from .. import functional
from .batchnorm import NormBase

__all__ = ["InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d"]


class _InstanceNorm(NormBase):
    """Normalizes each channel of each sample; in evaluation by running statistics, if kept."""

    spatial = 0  # dimensions behind the channels

    def __init__(
        self,
        num_features,
        eps=1e-5,
        momentum=0.1,
        affine=False,
        track_running_stats=False,
        device=None,
        dtype=None,
        *,
        bias=True,
    ):
        super().__init__(
            num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias
        )

    def forward(self, input):
        """(N, C, *) -> (N, C, *)."""
        unbatched, batched = self.spatial + 1, self.spatial + 2
        if input.ndim not in (unbatched, batched):
            raise ValueError(f"expected {unbatched}D or {batched}D input (got {input.ndim}D input)")
        at = input.ndim - unbatched
        if input.shape[at] != self.num_features:
            if self.affine:
                raise ValueError(
                    f"expected input's size at dim={at} to match num_features "
                    f"({self.num_features}), but got: {input.shape[at]}."
                )
            warnings.warn(
                f"input's size at dim={at} does not match num_features. You can silence this "
                "warning by not passing in num_features, which is not used because affine=False",
                stacklevel=2,
            )
        if at == 0:
            return self._normalized(input.unsqueeze(0)).squeeze(0)
        return self._normalized(input)

    def _normalized(self, input):
        return functional.instance_norm(
            input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            self.momentum if self.momentum is not None else 0.0,
            self.eps,
        )

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, *args):
        # torch before 0.4 kept running statistics even where they were not used
        if local_metadata.get("version") is None and not self.track_running_stats:
            names = ("running_mean", "running_var")
            found = [f"{prefix}{name}" for name in names if f"{prefix}{name}" in state_dict]
            if found:
                error_msgs = args[-1]
                error_msgs.append(
                    "Unexpected running stats buffer(s) "
                    + " and ".join(f'"{key}"' for key in found)
                    + f" for {type(self).__name__} with track_running_stats=False."
                )
                for key in found:
                    state_dict.pop(key)
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *args)


class InstanceNorm1d(_InstanceNorm):
    """Instance normalization of sequences (Ulyanov et al., 2016).

    (N, C, L) -> (N, C, L), or both without N
    """

    spatial = 1


class InstanceNorm2d(_InstanceNorm):
    """Instance normalization of images (Ulyanov et al., 2016).

    (N, C, H, W) -> (N, C, H, W), or both without N
    """

    spatial = 2


class InstanceNorm3d(_InstanceNorm):
    """Instance normalization of volumes (Ulyanov et al., 2016).

    (N, C, D, H, W) -> (N, C, D, H, W), or both without N
    """

    spatial = 3
