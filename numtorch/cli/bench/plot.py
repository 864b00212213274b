"""A bar chart of a run."""

import importlib.util


def available() -> bool:
    """Whether matplotlib (extra `bench`) is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def draw(result: dict, path: str) -> None:
    """One bar for each case: its share of the ceiling; and ours/torch where torch ran."""
    import matplotlib  # noqa: PLC0415 (an extra)

    matplotlib.use("Agg")
    from matplotlib import pyplot  # noqa: PLC0415 (an extra)

    rows = result["cases"]
    panels = [("share of the ceiling", "share")]
    panels += [("time, ours / torch", "ratio")] if "ratio" in rows[0] else []
    size = (6 * len(panels), 1 + 0.22 * len(rows))
    figure, axes = pyplot.subplots(1, len(panels), figsize=size, squeeze=False)
    names = [r["case"] for r in rows]
    for axis, (title, key) in zip(axes[0], panels, strict=True):
        axis.barh(names, [r[key] for r in rows])
        axis.axvline(1, color="black", linewidth=0.8)
        axis.set_title(title)
        axis.invert_yaxis()
    for axis in axes[0][1:]:
        axis.set_yticks([])
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
