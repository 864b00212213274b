"""Attention: two products of queries with keys forward, five with the backward pass, each of
2 * L * S * E operations a head; and the step of a small GPT.
"""

from ..case import Case, backward, forward, integers, normal


def _attend(lib, q, k, v):
    return lib.nn.functional.scaled_dot_product_attention(q, k, v)


def _causal(lib, q, k, v):
    return lib.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)


def _padded(lib, q, k, v, mask):
    return lib.nn.functional.scaled_dot_product_attention(q, k, v, mask)


def pair(name, function, shape, share=1.0, mask=()):
    """The cases of one shape (B, H, L, E): forward, then forward and backward.

    `share` is how much of the scores is wanted.
    """
    b, h, length, depth = shape
    flops = 4.0 * b * h * length * length * depth * share
    data = [normal(*shape)] * 3 + [normal(*m) for m in mask]
    moved = 4.0 * data[0].size
    text = f"attention {name}" + "x".join(map(str, shape))
    return [
        Case(text, "attention", forward(function, *data), 4 * moved, flops),
        Case(
            f"{text}, backward", "attention", backward(function, *data, leaves=3), 12 * moved,
            3.5 * flops,
        ),
    ]  # fmt: skip


def one_query(b, h, length, depth):
    """The case of one new token that looks at `length` others."""
    rows = normal(b, h, length, depth)
    return Case(
        f"attention, one query {b}x{h}x{length}x{depth}", "attention",
        forward(_attend, normal(b, h, 1, depth), rows, rows), 8.0 * rows.size,
        4.0 * b * h * length * depth,
    )  # fmt: skip


def gpt(layers, heads, size, words, batch, length):
    """A case's `make`: a training step of a decoder that predicts the next token (as nanoGPT)."""

    def make(lib, tensor):
        nn, attend = lib.nn, lib.nn.functional.scaled_dot_product_attention
        lib.manual_seed(0)
        tokens, target = (tensor(integers(words, batch, length)) for _ in range(2))

        class Block(nn.Module):
            def __init__(self):
                super().__init__()
                self.norm1, self.norm2 = nn.LayerNorm(size), nn.LayerNorm(size)
                self.packed, self.joined = nn.Linear(size, 3 * size), nn.Linear(size, size)
                self.wide, self.narrow = nn.Linear(size, 4 * size), nn.Linear(4 * size, size)
                self.gelu = nn.GELU(approximate="tanh")

            def forward(self, x):
                q, k, v = (
                    t.view(batch, length, heads, size // heads).transpose(1, 2)
                    for t in self.packed(self.norm1(x)).split(size, 2)
                )
                y = attend(q, k, v, is_causal=True).transpose(1, 2).reshape(batch, length, size)
                x = x + self.joined(y)
                return x + self.narrow(self.gelu(self.wide(self.norm2(x))))

        embed, place = nn.Embedding(words, size), nn.Embedding(length, size)
        blocks = nn.Sequential(*[Block() for _ in range(layers)])
        norm, head = nn.LayerNorm(size), nn.Linear(size, words, bias=False)
        model = nn.ModuleList([embed, place, blocks, norm, head]).to(tokens.device)
        optimizer = lib.optim.AdamW(model.parameters(), 1e-3)
        where = lib.arange(length, device=tokens.device)
        criterion = nn.CrossEntropyLoss()

        def run():
            optimizer.zero_grad()
            scores = head(norm(blocks(embed(tokens) + place(where))))
            criterion(scores.view(-1, words), target.view(-1)).backward()
            optimizer.step()

        return run

    return make


LAYER = 12 * 192 * 192 + 2 * 128 * 192  # multiply-adds of a token in one block
GPT_FLOPS = 6.0 * 8 * 128 * (3 * LAYER + 192 * 512)
CASES = [
    one_query(4, 8, 512, 64),
    *pair("", _attend, (4, 8, 256, 64)),
    *pair("causal ", _causal, (4, 8, 256, 64), 0.5),
    *pair("", _attend, (1, 12, 1024, 64)),
    *pair("causal ", _causal, (1, 12, 1024, 64), 0.5),
    *pair("", _attend, (8, 4, 128, 32)),
    *pair("causal ", _causal, (8, 4, 128, 32), 0.5),
    *pair("odd ", _attend, (3, 5, 211, 37)),
    *pair("masked ", _padded, (4, 8, 256, 64), 1.0, [(4, 1, 256, 256)]),
    Case("GPT step, 3 layers of 192, 8x128 tokens", "steps", gpt(3, 6, 192, 512, 8, 128), 0.0,
         GPT_FLOPS),
]  # fmt: skip
