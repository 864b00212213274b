"""Shared set-up: deterministic hypothesis, warnings as the tests expect them, torch where it is
installed.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "2")

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "ci",
    deadline=None,
    derandomize=True,
    max_examples=40,
    suppress_health_check=list(HealthCheck),
    database=None,
)
settings.load_profile("ci")


@pytest.fixture(scope="session")
def torch():
    """The installed torch; tests that ask for it are skipped without the extra `parity`."""
    module = pytest.importorskip("torch", reason="parity with torch needs the extra `parity`")
    module.set_num_threads(1)
    return module
