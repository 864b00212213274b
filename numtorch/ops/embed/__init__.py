"""Look-up tables: embedding and one_hot (tables.py), sums and maxima of bags of rows (bags.py)."""

from .bags import embedding_bag
from .tables import embedding, embedding_renorm_, one_hot

__all__ = ["embedding_renorm_"]
METHODS: dict = {}
FUNCTIONAL = ["embedding", "embedding_bag", "one_hot"]
