"""Random compositions of func's transforms: the results are torch's."""

import warnings

import numpy as np
import pytest

import numtorch as nt

from . import transforms

GROUPS = 40
EACH = 25
MAY_FAIL = 2  # programs of a group that torch itself does not run


@pytest.mark.parametrize("group", range(GROUPS))
def test_torch_gives_the_same(group, torch):
    compared, seed = 0, group * (EACH + MAY_FAIL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        while compared < EACH:
            seed += 1
            assert seed < (group + 1) * (EACH + MAY_FAIL), "torch runs too few of these programs"
            text = transforms.make(seed)[0].text
            try:
                wanted, recorded = transforms.run(torch, seed)
            except RuntimeError:
                continue
            got, also = transforms.run(nt, seed)
            assert got.shape == wanted.shape and also == recorded, f"seed {seed}: {text}"
            finite = np.abs(wanted[np.isfinite(wanted)])
            scale = max(1.0, float(finite.max()) if finite.size else 1.0)
            np.testing.assert_allclose(got, wanted, 1e-6, 1e-8 * scale, err_msg=f"{seed}: {text}")
            compared += 1
