"""A pytest plugin: keep only the tests that a run without torch has skipped."""

import importlib.util


def uses_torch(item) -> bool:
    """Whether a test asks for the fixture `torch`, or its file is about parity."""
    return "torch" in getattr(item, "fixturenames", ()) or "parity" in item.path.name


def pytest_collection_modifyitems(config, items) -> None:
    """Deselect the others."""
    if importlib.util.find_spec("torch") is None:
        raise RuntimeError("these tests need torch: pip install -e '.[parity]'")
    config.hook.pytest_deselected(items=[i for i in items if not uses_torch(i)])
    items[:] = [i for i in items if uses_torch(i)]
