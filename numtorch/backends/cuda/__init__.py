"""NVIDIA GPUs: flat arrays, kernels in Python, a simulator and a dry mode without a GPU."""
