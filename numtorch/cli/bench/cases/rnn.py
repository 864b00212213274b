"""Recurrent networks: bound by FMA, and by the latency of one step after the other."""

from ..case import Case, normal

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def network(name, steps, batch, features, hidden, layers=1, quick=False):
    """A forward case without recording and a forward + backward case, for all parameters."""
    x = normal(steps, batch, features)
    rows, width = GATES[name] * hidden, features + hidden + (layers - 1) * 2 * hidden
    flops = 2.0 * steps * batch * rows * width
    moved = 4.0 * (rows * width + steps * batch * (features + layers * hidden))

    def prepared(lib, tensor):
        lib.manual_seed(0)
        given = tensor(x)
        return getattr(lib.nn, name)(features, hidden, layers).to(given.device), given

    def forward(lib, tensor):
        model, given = prepared(lib, tensor)

        def run():
            with lib.no_grad():
                model(given)

        return run

    def backward(lib, tensor):
        model, given = prepared(lib, tensor)
        ones = lib.ones_like(model(given)[0].detach())

        def run():
            for p in model.parameters():
                p.grad = None
            model(given)[0].backward(ones)

        return run

    title = f"{name} {layers}x{hidden} of {features}, {steps} steps, batch {batch}"
    return [
        Case(title, "rnn", forward, moved, flops, quick),
        Case(f"{title}, backward", "rnn", backward, 3 * moved, 3 * flops, quick),
    ]


def cell(name, batch, size):
    """One step by hand: forward and backward."""
    x, rows = normal(batch, size), GATES[name.removesuffix("Cell")] * size

    def make(lib, tensor):
        lib.manual_seed(0)
        given = tensor(x)
        model = getattr(lib.nn, name)(size, size).to(given.device)

        def run():
            for p in model.parameters():
                p.grad = None
            found = model(given)
            (found[0] if isinstance(found, tuple) else found).sum().backward()

        return run

    flops, moved = 12.0 * batch * rows * size, 24.0 * (rows + batch) * size
    return Case(f"{name} {batch}x{size}, backward", "rnn", make, moved, flops)


CASES = [
    *network("LSTM", 64, 32, 128, 128, 2, quick=True),
    *network("GRU", 64, 32, 128, 128, 2),
    *network("RNN", 64, 32, 128, 128, 2),
    *network("LSTM", 35, 20, 512, 512),
    *network("GRU", 35, 20, 512, 512),
    *network("LSTM", 17, 7, 37, 53),
    *network("GRU", 101, 1, 31, 61),
    cell("LSTMCell", 32, 128),
    cell("LSTMCell", 7, 53),
    cell("GRUCell", 32, 128),
    cell("RNNCell", 32, 128),
]
