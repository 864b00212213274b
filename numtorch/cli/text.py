"""Plain text tables."""

import json


def rows(facts: dict[str, str], as_json: bool = False) -> str:
    """Facts one below the other."""
    if as_json:
        return json.dumps(facts, indent=1)
    width = max(map(len, facts))
    return "\n".join(f"{name:<{width}}  {value}" for name, value in facts.items())


def table(head: list[str], body: list[list[str]], left: int = 1) -> str:
    """Columns aligned: the first `left` to the left, the others to the right."""
    widths = [max(len(row[i]) for row in [head, *body]) for i in range(len(head))]

    def line(cells) -> str:
        pairs = enumerate(zip(cells, widths, strict=True))
        return "  ".join(f"{c:<{w}}" if i < left else f"{c:>{w}}" for i, (c, w) in pairs).rstrip()

    return "\n".join([line(head), "  ".join("-" * w for w in widths), *map(line, body)])
