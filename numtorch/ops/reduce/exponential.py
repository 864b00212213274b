"""exp for arguments that are not positive, written so that LLVM vectorizes the loops it is used in.

np.exp is a call for each element: 4 to 6 ns against 0.5 to 1 here. Polynomials: Cephes, expf.c and
exp.c (Moshier). About 1 ulp; results that float32 (float64) holds only as denormals are 0. NaN
stays NaN.
"""

import numpy as np

from ...backends.cpu.jit import inline

F, D = np.float32, np.float64


@inline
def exp32(x):
    """exp(x) of a float32 x <= 0."""
    low = F(-87.33654)
    y = low if x < low else x
    n = np.floor(y * F(1.44269504) + F(0.5))
    r = y - n * F(0.693359375) + n * F(2.12194440e-4)
    p = F(1.9875691500e-4)
    p = p * r + F(1.3981999507e-3)
    p = p * r + F(8.3334519073e-3)
    p = p * r + F(4.1665795894e-2)
    p = p * r + F(1.6666665459e-1)
    p = p * r + F(5.0000001201e-1)
    p = p * r * r + r + F(1)
    power = np.int32((np.int32(n) + np.int32(127)) << np.int32(23)).view(np.float32)
    return F(0) if x < low else p * power


@inline
def exp64(x):
    """exp(x) of a float64 x <= 0."""
    low = D(-708.3964185322641)
    y = low if x < low else x
    n = np.floor(y * D(1.4426950408889634) + D(0.5))
    r = y - n * D(6.93145751953125e-1) - n * D(1.42860682030941723212e-6)
    s = r * r
    p = D(1.26177193074810590878e-4)
    p = p * s + D(3.02994407707441961300e-2)
    p = (p * s + D(9.99999999999999999910e-1)) * r
    q = D(3.00198505138664455042e-6)
    q = q * s + D(2.52448340349684104192e-3)
    q = q * s + D(2.27265548208155028766e-1)
    q = q * s + D(2.00000000000000000005)
    power = np.int64((np.int64(n) + np.int64(1023)) << np.int64(52)).view(np.float64)
    return D(0) if x < low else (D(1) + D(2) * (p / (q - p))) * power
