"""The note on an error that says which layer raised it."""

# What a wrong shape, dtype, index or attribute raises. Not Exception: StopIteration,
# KeyboardInterrupt and the like are signals and pass without a note.
LAYER_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)


def note_layer(error, module):
    """Write the layer's path, as seen from `module`, into the error's note.

    Every call between the layer and the model passes here; each rewrites the note with its longer
    path, so the one that the user reads starts at the outermost model.
    """
    place = getattr(error, "_layer", None)
    if place is None:
        error._layer = module, len(getattr(error, "__notes__", ()))
        error.add_note(f"in {describe(module)}")
        return
    layer, index = place
    for path, inner in module.named_modules():
        if inner is layer and path:
            error.__notes__[index] = f"in layer '{path}' of {type(module).__name__}: " + describe(
                layer
            )
            return


def describe(module):
    """A module's class and settings, without its children."""
    extra = module.extra_repr().replace("\n", ", ")
    return f"{type(module).__name__}({extra})"
