"""`numtorch bench`: train a CNN on real digits, then time kernels beside the machine's ceilings."""
