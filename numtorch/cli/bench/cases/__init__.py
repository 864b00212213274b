"""Benchmark cases, one file for each room of numtorch/ops."""
