"""Attention: each query's mean of the values, weighted by the softmax of its products with keys."""

from .multihead import multi_head_attention_forward as multi_head_attention_forward
from .product import scaled_dot_product_attention as scaled_dot_product_attention

__all__: list[str] = []
METHODS: dict = {}
FUNCTIONAL = ["multi_head_attention_forward", "scaled_dot_product_attention"]
