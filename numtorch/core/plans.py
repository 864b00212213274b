"""The memo tables that make the eager path short, and how they are emptied.

A plan is what an op has decided for given input specs (and attributes): the output's spec and the
function that computes it. Whatever changes such a decision (the thread count, a fork, a switch in
`numtorch.backends`) clears them.
"""

_tables: list[dict] = []
LIMIT = 4096  # plans of one op; programs with ever new shapes must not grow without bound


def register(table: dict) -> dict:
    """Have `clear_plans` empty this table, too."""
    _tables.append(table)
    return table


def clear_plans() -> None:
    """Forget every plan; compiled kernels stay."""
    for table in _tables:
        table.clear()
