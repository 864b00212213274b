"""Handles of registered hooks."""


class RemovableHandle:
    """What registering a hook returns: `remove()` takes the hook away again, and so does leaving a
    `with` block.

    `extra_dict`: further dicts, or a list of them, that hold something under the same id.
    """

    _next_id = 0

    def __init__(self, hooks_dict: dict, *, extra_dict=()) -> None:
        self.hooks_dict = hooks_dict
        self.extra = (extra_dict,) if isinstance(extra_dict, dict) else tuple(extra_dict or ())
        self.id = RemovableHandle._next_id
        RemovableHandle._next_id += 1

    def remove(self) -> None:
        """Take the hook away."""
        for hooks in (self.hooks_dict, *self.extra):
            hooks.pop(self.id, None)

    def __enter__(self):
        return self

    def __exit__(self, *exc) -> None:
        self.remove()
