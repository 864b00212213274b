"""What a device is: memory, threads, jit flags and kernel caches. Knows numba, knows no
operator.
"""

from . import cpu as cpu
