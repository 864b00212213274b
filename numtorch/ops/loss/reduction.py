"""What a loss does with its values: the `reduction` argument, and torch's two old flags."""

import warnings

CODES = {"none": 0, "mean": 1, "sum": 2}
NONE, MEAN, SUM = CODES.values()


def code_of(reduction: str, size_average=None, reduce=None) -> int:
    """A reduction as a number; ValueError for what is none."""
    if size_average is not None or reduce is not None:
        reduction = legacy(size_average, reduce)
    code = CODES.get(reduction)
    if code is None:
        raise ValueError(f"{reduction} is not a valid value for reduction")
    return code


def legacy(size_average, reduce) -> str:
    """The reduction that torch's two old flags mean; warns."""
    summed = "sum" if size_average is False else "mean"
    reduction = "none" if reduce is False else summed
    warnings.warn(
        "size_average and reduce args will be deprecated, "
        f"please use reduction='{reduction}' instead.",
        stacklevel=4,
    )
    return reduction


def finish(values, code: int):
    """Reduce a loss's values."""
    if code == MEAN:
        return values.mean()
    return values.sum() if code == SUM else values


def warn_sizes(input, target) -> None:
    """torch's warning for a target that is broadcast."""
    if input._spec.shape != target._spec.shape:
        warnings.warn(
            f"Using a target size ({target.shape}) that is different to the input size "
            f"({input.shape}). This will "
            "likely lead to incorrect results due to broadcasting. Please ensure they have the "
            "same size.",
            stacklevel=3,
        )
