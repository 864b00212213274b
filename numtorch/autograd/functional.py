"""Derivatives of functions, in one call: vjp, jvp, jacobian, hessian, vhp, hvp.

`func` takes tensors and returns a tensor or a tuple of them; `inputs` is a tensor or a tuple of
them, and results are nested like both. With `create_graph` results can be differentiated again.
With `strict`, an input on which an output does not depend is an error; else its derivative is
zeros.
"""

from ..core.tensor import Tensor
from ..ops.create import zeros, zeros_like
from ..ops.join import stack
from . import api, forward_ad
from .grad_mode import enable_grad, is_grad_enabled, set_grad_enabled
from .vmap import vmap

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]


# -- arguments and results -------------------------------------------------------------------------
def _tensors(value, what: str, caller: str) -> tuple[bool, tuple]:
    """Whether a value is a tuple, and the value as a tuple of tensors."""
    many = isinstance(value, tuple)
    values = value if many else (value,)
    for i, v in enumerate(values):
        if not isinstance(v, Tensor):
            where = f"value at index {i}" if many else f"given {what}"
            raise TypeError(
                f"The {what} given to {caller} must be either a Tensor or a tuple of Tensors but "
                f"the {where} has type {type(v)}."
            )
    return many, values


def _fresh(tensors, create_graph: bool, requires_grad: bool) -> tuple:
    """Other Tensors with the same values: what the function knows of the given ones by itself
    counts as constant.
    """
    return tuple(
        t.view_as(t)
        if create_graph and t.requires_grad
        else t.detach().requires_grad_(requires_grad)
        for t in tensors
    )


def _finished(value, create_graph: bool, many):
    """Nested results as the caller gets them: `many` says of each level whether it is a tuple."""
    if not many:
        return value if create_graph else value.detach()
    if many[0]:
        return tuple(_finished(v, create_graph, many[1:]) for v in value)
    return _finished(value[0], create_graph, many[1:])


def _called(func, inputs, caller: str, strict: bool) -> tuple[bool, tuple]:
    many, outputs = _tensors(func(*inputs), "outputs of the user-provided function", caller)
    if strict:
        for i, out in enumerate(outputs):
            if not out.requires_grad:
                raise RuntimeError(
                    f"Output {i} of the user-provided function does not require gradients. The "
                    "outputs must be computed in a differentiable manner from the input when "
                    "running in strict mode."
                )
    return many, outputs


def _vector(v, like, many: bool, caller: str, create_graph: bool, missing: str):
    """The given v as a tuple of tensors like those of `like`; None where it may be left out."""
    if v is None:
        if len(like) != 1 or like[0].numel() != 1:
            raise RuntimeError(f"The vector v can only be None if {missing}.")
        return None
    _, v = _tensors(v, "v", caller)
    v = _fresh(v, create_graph, False)
    if len(v) != len(like):
        if many:
            raise RuntimeError(
                f"v is a tuple of invalid length: should be {len(like)} but got {len(v)}."
            )
        raise RuntimeError("The given v should contain a single Tensor.")
    for i, (a, b) in enumerate(zip(v, like, strict=True)):
        if a.shape != b.shape:
            entry = f"Entry {i} in " if many else ""
            raise RuntimeError(f"{entry}v has invalid size: should be {b.shape} but got {a.shape}.")
    return v


ONE_OUTPUT = "the user-provided function returns a single Tensor with a single element"
ONE_INPUT = "the input to the user-provided function is a single Tensor with a single element"


def _grad(outputs, inputs, v=None, **options) -> tuple:
    """api.grad that leaves out the outputs without a gradient."""
    v = (None,) * len(outputs) if v is None else v
    pairs = [(o, g) for o, g in zip(outputs, v, strict=True) if o is not None and o.requires_grad]
    if not pairs:
        return (None,) * len(inputs)
    outs, starts = zip(*pairs, strict=True)
    return api.grad(outs, inputs, starts, allow_unused=True, **options)


def _filled(grads, like, strict: bool, create_graph: bool, missing: str, of: str) -> tuple:
    """Zeros for missing gradients, or the errors of strict mode."""
    for i, g in enumerate(grads):
        if strict and g is None:
            raise RuntimeError(missing.format(i))
        if strict and create_graph and not g.requires_grad:
            raise RuntimeError(
                f"The {of} of the user-provided function is independent of input {i}. This is not "
                "allowed in strict mode when create_graph=True."
            )
    return tuple(zeros_like(x) if g is None else g for g, x in zip(grads, like, strict=True))


INDEPENDENT = (
    "The {of} of the user-provided function is independent of input {{}}. This is not allowed in "
    "strict mode."
)


# -- products --------------------------------------------------------------------------------------
def vjp(func, inputs, v=None, create_graph=False, strict=False):
    """(func(inputs), v times the Jacobian of func): tensors like the inputs. `v`: like the outputs,
    may be left out for a single number.
    """
    with enable_grad():
        many_in, inputs = _tensors(inputs, "inputs", "vjp")
        inputs = _fresh(inputs, create_graph, True)
        many_out, outputs = _called(func, inputs, "vjp", strict)
        v = _vector(v, outputs, many_out, "vjp", create_graph, ONE_OUTPUT)
    with set_grad_enabled(create_graph or is_grad_enabled()):
        grads = _grad(outputs, inputs, v, create_graph=create_graph)
        result = _filled(
            grads, inputs, strict, create_graph, INDEPENDENT.format(of="output"), "jacobian"
        )
    return (
        _finished(outputs, create_graph, (many_out,)),
        _finished(result, create_graph, (many_in,)),
    )


def jvp(func, inputs, v=None, create_graph=False, strict=False):
    """(func(inputs), the Jacobian of func times v): tensors like the outputs. `v`: like the inputs,
    may be left out for a single number.

    Computed as the derivative of the vjp, which is linear in its vector; `forward_ad` and
    `func.jvp` need one pass only.
    """
    with enable_grad():
        many_in, inputs = _tensors(inputs, "inputs", "jvp")
        inputs = _fresh(inputs, create_graph, True)
        v = _vector(v, inputs, many_in, "jvp", create_graph, ONE_INPUT)
        many_out, outputs = _called(func, inputs, "jvp", strict)
        probes = tuple(zeros_like(t).requires_grad_() for t in outputs)
        pulled = _grad(outputs, inputs, probes, create_graph=True)
        if strict:
            _require(
                pulled,
                "The gradient with respect to input {} is independent of the inputs "
                "of the user-provided function. This is not allowed in strict mode.",
            )
    with set_grad_enabled(create_graph or is_grad_enabled()):
        grads = _grad(pulled, probes, v, create_graph=create_graph)
        missing = (
            "The gradient with respect to the input is independent of entry {} in the grad_outputs "
            "when using the double backward trick to compute forward mode gradients. This is not "
            "allowed in strict mode."
        )
        result = _filled(grads, outputs, strict, create_graph, missing, "jacobian")
    return (
        _finished(outputs, create_graph, (many_out,)),
        _finished(result, create_graph, (many_out,)),
    )


def _require(grads, text: str) -> None:
    """Errors of strict mode for gradients that are missing, or cannot be differentiated."""
    for i, g in enumerate(grads):
        if g is None:
            raise RuntimeError(
                f"The output of the user-provided function is independent of input {i}. This is "
                "not allowed in strict mode."
            )
        if not g.requires_grad:
            raise RuntimeError(text.format(i))


LINEAR = (
    "While computing the hessian, found that the jacobian of the user-provided function with "
    "respect to input {} is independent of the input. This is not allowed in strict mode. You "
    "should ensure that your function is twice differentiable and that the jacobian depends on the "
    "inputs (this would be violated by a linear function for example)."
)


def _first_derivative(func, inputs, v, caller: str, create_graph: bool, strict: bool):
    """What vhp and hvp have in common: (inputs, v, output, gradient, whether inputs are many)."""
    many, inputs = _tensors(inputs, "inputs", caller)
    inputs = _fresh(inputs, create_graph, True)
    v = _vector(v, inputs, many, caller, create_graph, ONE_INPUT)
    several, outputs = _called(func, inputs, caller, strict)
    if several:
        raise RuntimeError(f"The function given to {caller} should return a single Tensor")
    if outputs[0].numel() != 1:
        raise RuntimeError(
            f"The Tensor returned by the function given to {caller} should contain a single element"
        )
    gradient = _grad(outputs, inputs, create_graph=True)
    if strict:
        _require(gradient, LINEAR)
    return inputs, v, outputs[0], gradient, many


def vhp(func, inputs, v=None, create_graph=False, strict=False):
    """(func(inputs), v times the Hessian of func), for a func that returns a single number."""
    with enable_grad():
        inputs, v, output, gradient, many = _first_derivative(
            func, inputs, v, "vhp", create_graph, strict
        )
    with set_grad_enabled(create_graph or is_grad_enabled()):
        grads = _grad(gradient, inputs, v, create_graph=create_graph)
        result = _filled(
            grads, inputs, strict, create_graph, INDEPENDENT.format(of="jacobian"), "hessian"
        )
    return _finished(output, create_graph, ()), _finished(result, create_graph, (many,))


def hvp(func, inputs, v=None, create_graph=False, strict=False):
    """(func(inputs), the Hessian of func times v), for a func that returns a single number. The
    Hessian is symmetric where func's second derivatives are continuous: vhp is the faster one.
    """
    with enable_grad():
        inputs, v, output, gradient, many = _first_derivative(
            func, inputs, v, "hvp", create_graph, strict
        )
        probes = tuple(zeros_like(t).requires_grad_() for t in inputs)
        pulled = _grad(gradient, inputs, probes, create_graph=True)
    with set_grad_enabled(create_graph or is_grad_enabled()):
        grads = _grad(pulled, probes, v, create_graph=create_graph)
        missing = (
            "The hessian of the user-provided function is independent of entry {} in the "
            "grad_jacobian. This is not allowed in strict mode as it prevents from using the "
            "double backward trick to replace forward mode AD."
        )
        result = _filled(grads, inputs, strict, create_graph, missing, "hessian")
    return _finished(output, create_graph, ()), _finished(result, create_graph, (many,))


# -- matrices --------------------------------------------------------------------------------------
def jacobian(
    func, inputs, create_graph=False, strict=False, vectorize=False, strategy="reverse-mode"
):
    """The derivative of each output by each input, of shape output.shape + input.shape: a tensor,
    or a tuple of them for several inputs, in a tuple for several outputs.

    Reverse mode takes a backward pass for each element of the outputs, or one in all with
    `vectorize`; forward mode, for `vectorize` only, computes all columns in one forward pass.
    """
    if strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError(
            'Expected strategy to be either "forward-mode" or "reverse-mode". Hint: If your '
            'function has more outputs than inputs, "forward-mode" tends to be more performant. '
            'Otherwise, prefer to use "reverse-mode".'
        )
    if strategy == "forward-mode":
        if create_graph:
            raise NotImplementedError(
                "torch.autograd.functional.jacobian: `create_graph=True` and "
                '`strategy="forward-mode"` are not supported together (yet). Please either set '
                '`create_graph=False` or `strategy="reverse-mode"`.'
            )
        return _by_columns(func, inputs, strict, vectorize)
    with enable_grad():
        many_in, inputs = _tensors(inputs, "inputs", "jacobian")
        inputs = _fresh(inputs, create_graph, True)
        many_out, outputs = _called(func, inputs, "jacobian", strict)
        if vectorize:
            if strict:
                raise RuntimeError(
                    "torch.autograd.functional.jacobian: `strict=True` and `vectorized=True` are "
                    "not supported together. Please either set `strict=False` or "
                    "`vectorize=False`."
                )
            result = _at_once(outputs, inputs, create_graph)
        else:
            result = tuple(
                _by_rows(i, out, inputs, create_graph, strict) for i, out in enumerate(outputs)
            )
    return _finished(result, create_graph, (many_out, many_in))


def _by_rows(index: int, out: Tensor, inputs, create_graph: bool, strict: bool) -> tuple:
    """One output's derivatives, by one backward pass for each of its elements."""
    columns: list[list] = [[] for _ in inputs]
    for element in out.reshape(-1).unbind() if out.numel() else ():
        grads = _grad((element,), inputs, retain_graph=True, create_graph=create_graph)
        for k, (g, x) in enumerate(zip(grads, inputs, strict=True)):
            if strict and g is None:
                raise RuntimeError(
                    f"Output {index} of the user-provided function is independent of input {k}. "
                    "This is not allowed in strict mode."
                )
            if strict and create_graph and not g.requires_grad:
                raise RuntimeError(
                    "The jacobian of the user-provided function is independent of input "
                    f"{index}. This is not allowed in strict mode when create_graph=True."
                )
            columns[k].append(zeros_like(x) if g is None else g)
    return tuple(
        stack(rows).view(out.shape + x.shape)
        if rows
        else zeros(out.shape + x.shape, dtype=x.dtype, device=x.device)
        for rows, x in zip(columns, inputs, strict=True)
    )


def _basis(tensors) -> tuple:
    """For each tensor the rows of a unit matrix that counts the elements of all of them."""
    counts = [t.numel() for t in tensors]
    rows, first = [], 0
    for t, n in zip(tensors, counts, strict=True):
        part = zeros(sum(counts), n, dtype=t.dtype, device=t.device)
        part.diagonal(-first).fill_(1)
        rows.append(part)
        first += n
    return tuple(rows)


def _at_once(outputs, inputs, create_graph: bool) -> tuple:
    """All derivatives by one backward pass of a batch of gradients."""
    flat = tuple(o.reshape(-1) for o in outputs)
    grads = _grad(flat, inputs, _basis(outputs), create_graph=create_graph, is_grads_batched=True)
    counts = [o.numel() for o in outputs]
    by_input = []
    for g, x in zip(grads, inputs, strict=True):
        if g is None:
            g = zeros_like(x).expand(sum(counts), *x.shape)
        parts = g.split(counts)
        by_input.append([p.reshape(o.shape + x.shape) for p, o in zip(parts, outputs, strict=True)])
    return tuple(zip(*by_input, strict=True))


def _by_columns(func, inputs, strict: bool, vectorize: bool):
    """The Jacobian by one forward pass of a batch of tangents."""
    if strict:
        raise RuntimeError(
            "torch.autograd.functional.jacobian: `strict=True` and `strategy="
            '"forward-mode"` are not supported together (yet). Please either set `strict=False` or '
            '`strategy="reverse-mode"`.'
        )
    if not vectorize:
        raise NotImplementedError(
            "Computing Jacobian using forward-AD or forward-over-reverse Hessian isonly "
            "implemented for `vectorize=True`."
        )
    many_in, inputs = _tensors(inputs, "inputs", "jacobian")
    shapes: list = []

    def push(tangents):
        with forward_ad.dual_level():
            duals = [
                forward_ad.make_dual(x, t.view_as(x)) for x, t in zip(inputs, tangents, strict=True)
            ]
            many_out, outputs = _tensors(func(*duals), "outputs", "None")
            pairs = [forward_ad.unpack_dual(o) for o in outputs]
            shapes[:] = many_out, [o.shape for o in outputs]
            return tuple(zeros_like(p) if t is None else t for p, t in pairs)

    columns = vmap(push)(_basis(inputs))
    many_out, out_shapes = shapes
    counts = [x.numel() for x in inputs]
    result = [
        [
            part.movedim(0, -1).reshape(shape + x.shape)
            for part, x in zip(column.split(counts), inputs, strict=True)
        ]
        for column, shape in zip(columns, out_shapes, strict=True)
    ]
    return _finished(result, True, (many_out, many_in))


def hessian(
    func,
    inputs,
    create_graph=False,
    strict=False,
    vectorize=False,
    outer_jacobian_strategy="reverse-mode",
):
    """The second derivatives of a func that returns a single number: of shape input.shape twice, or
    a tuple of tuples for several inputs. The options are those of the outer of two Jacobians.
    """
    many, _ = _tensors(inputs, "inputs", "hessian")
    if outer_jacobian_strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError('Expected strategy to be either "forward-mode" or "reverse-mode".')

    def single(*given):
        several, outputs = _called(func, given, "hessian", strict)
        if several:
            raise RuntimeError("The function given to hessian should return a single Tensor")
        if outputs[0].numel() != 1:
            raise RuntimeError(
                "The Tensor returned by the function given to hessian should contain a single "
                "element"
            )
        return outputs[0].squeeze()

    def gradient(*given):
        if outer_jacobian_strategy == "forward-mode":
            given = tuple(t.requires_grad_() for t in given)
        rows = jacobian(single, given, create_graph=True)
        if strict:
            _require(rows, LINEAR)
        return rows

    given = inputs if many else (inputs,)
    return _unnested(
        jacobian(
            gradient,
            given,
            create_graph=create_graph,
            strict=strict,
            vectorize=vectorize,
            strategy=outer_jacobian_strategy,
        ),
        many,
    )


def _unnested(matrix, many: bool):
    return matrix if many else matrix[0][0]
