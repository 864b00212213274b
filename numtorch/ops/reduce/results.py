"""Results with names: tuples that print as torch's (`torch.return_types.max`)."""

import operator


def named_results(name: str, fields: str) -> type:
    """A tuple type with the given fields, called torch.return_types.NAME in print."""
    names = tuple(fields.split())

    def show(self):
        parts = ",\n".join(f"{field}={value!r}" for field, value in zip(names, self, strict=True))
        return f"torch.return_types.{name}(\n{parts})"

    def pickled(self):
        return type(self), (tuple(self),)

    scope = {"__slots__": (), "__repr__": show, "__reduce__": pickled, "_fields": names}
    scope["__doc__"] = f"The results of `{name}`: ({', '.join(names)})."
    scope.update((field, property(operator.itemgetter(i))) for i, field in enumerate(names))
    made = type(name, (tuple,), scope)
    made.__module__ = __name__
    RESULTS[name] = made
    return made


RESULTS: dict[str, type] = {}  # what numtorch.return_types holds


def __getattr__(name: str):
    """The types are found here by pickle."""
    if name in RESULTS:
        return RESULTS[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
