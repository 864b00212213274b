"""One program under both libraries."""

import numtorch


def outcome(program, lib):
    """What a program gives, or the exception that it raises."""
    try:
        return program(lib)
    except Exception as error:  # noqa: BLE001 (whatever torch raises is to be raised)
        return error


def agree(torch, program, text: bool = True) -> None:
    """Run `program(lib)` with numtorch and with torch: same result or same exception.

    `text`: of exceptions, the message must begin alike, too (numtorch may add a hint).
    """
    got, want = outcome(program, numtorch), outcome(program, torch)
    if isinstance(want, Exception):
        assert type(got) is type(want), (got, want)
        if text:
            assert str(got).startswith(str(want)[:60].rstrip(".")), (got, want)
    elif isinstance(got, Exception):
        raise got
    else:
        assert got == want
