"""Attention: each query's mean of the values, weighted by the softmax of its products with keys."""

from .product import scaled_dot_product_attention as scaled_dot_product_attention

__all__: list[str] = []
METHODS: dict = {}
FUNCTIONAL = ["scaled_dot_product_attention"]
