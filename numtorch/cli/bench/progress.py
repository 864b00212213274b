"""A progress bar where a person watches: nothing in files and pipes."""

import sys


def bar(loader, label: str, out=sys.stdout, width: int = 30):
    """Iterate over a loader, showing how far it is; the line is cleared at the end."""
    if not out.isatty():
        yield from loader
        return
    total = len(loader)
    for i, item in enumerate(loader):
        full = width * i // total
        out.write(f"\r{label} [{'#' * full}{'.' * (width - full)}] {i}/{total}")
        out.flush()
        yield item
    out.write("\r" + " " * (len(label) + width + 16) + "\r")
    out.flush()
