"""Normalization: batch, layer, group, instance, RMS and local response norm."""

from .batch import batch_norm as batch_norm
from .batch import instance_norm as instance_norm
from .batch import native_batch_norm
from .group import group_norm, native_group_norm
from .layer import layer_norm, native_layer_norm
from .length import normalize as normalize
from .length import rms_norm
from .response import local_response_norm as local_response_norm

__all__ = [
    "group_norm",
    "layer_norm",
    "native_batch_norm",
    "native_group_norm",
    "native_layer_norm",
    "rms_norm",
]
METHODS: dict = {}
FUNCTIONAL = [
    "batch_norm",
    "group_norm",
    "instance_norm",
    "layer_norm",
    "local_response_norm",
    "normalize",
    "rms_norm",
]
