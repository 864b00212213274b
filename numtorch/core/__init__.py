"""L0: plain Python about tensors (dtypes, devices, shapes, specs, the op contract); no numba, no
arrays.
"""
