"""Program → a PyTorch module: the NumPy code, the C code, and around them what PyTorch calls.

In: a program, a style, what the header says. Out: a file that depends on NumPy and PyTorch alone,
with the functions of the NumPy target, `states(params, inputs, initial, constants)` on tensors,
and a `torch.nn.Module` named after the cell. Tensors go through the C code that the file carries
where there is a compiler.
"""

from __future__ import annotations

import ast
import builtins
import re

from numeric.compiler.array_names import is_ours
from numeric.compiler.program import Program
from numeric.compiler.target import Header, Style
from numeric.compiler.to_numpy import module as to_numpy
from numeric.compiler.to_numpy.own_names import free
from numeric.compiler.to_torch.native import IMPORTS, IN_NUMPY, carried

_IMPORT = "import numpy as np\n"


def emit(program: Program, style: Style, header: Header) -> str:
    """The source of a cell's file."""
    source = to_numpy.emit(program, style, header)
    imports = f"{IMPORTS if header.carried else ''}{_IMPORT}import torch\n"
    source = source.replace(_IMPORT, imports, 1).rstrip("\n") + "\n"
    native = IN_NUMPY
    if header.carried:
        native = carried(header.carried, header.name, header.declared)
    sizes = _sizes(header)
    name = class_name(header.name)
    first = next(iter(header.declared["STATES"].values()))[0].split("+")[0]
    text = _LAYER.format(
        results="(*STATES, *OUTPUTS)" if header.declared.get("OUTPUTS") else "STATES",
        cell=header.name, sizes=", ".join(("self", *sizes.values())),
        name=f"{name}Cell" if name in _bound(source + native) else name,
        shape=", ".join(f'"{size}": {argument}' for size, argument in sizes.items()),
        first=first if first.isdigit() else f'self.sizes["{first}"]',
    )  # fmt: skip
    return source + text + native


def emit_network(program: Program, style: Style, header: Header, lead: tuple[str, ...]) -> str:
    """The source of a network's file.

    Raises:
        ValueError: there is none: PyTorch joins the layers itself.
    """
    raise ValueError("target torch: cells only; join layers of the emitted module in PyTorch")


def class_name(cell: str) -> str:
    """`gru_reset_after` → `GruResetAfter`."""
    return "".join(part[:1].upper() + part[1:] for part in cell.split("_")) or "Cell"


def _bound(source: str) -> set[str]:
    """The names that a file binds at its top level, and Python's own."""
    found = {*dir(builtins), "_OnceMore", "_ThroughTime", "_through_time", "states"}
    for node in ast.parse(source).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            found |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return found


def _sizes(header: Header) -> dict[str, str]:
    """The sizes that make the parameters' and states' shapes, and what each is called as given.

    The first state's comes first; a name that the class itself uses gets an underscore.
    """
    groups = ("STATES", "INPUTS", "PARAMETERS")
    names = [
        part
        for group in groups for dims in header.declared[group].values() for size in dims
        for part in re.findall(r"[A-Za-z_]\w*", size)
    ]  # fmt: skip
    return {
        size: free(f"{size}_", names) if size == "self" or is_ours(size) else size
        for size in dict.fromkeys(names)
    }


_LAYER = '''

class _OnceMore(torch.autograd.Function):
    """The gradients, as what must not be differentiated again."""

    @staticmethod
    def forward(ctx, work, *tensors):
        return work()

    @staticmethod
    def backward(ctx, *cotangents):
        raise RuntimeError(
            "{cell}: its gradients have no gradients of their own; call backward or autograd.grad "
            "without create_graph, or take second derivatives of the equations in PyTorch"
        )


class _ThroughTime(torch.autograd.Function):
    """The states of every step; their gradients are `backward`'s."""

    @staticmethod
    def forward(ctx, names, constants, *tensors):
        groups, left = [], iter(tensors)
        for own in names:
            groups.append({{name: next(left).detach().contiguous().numpy() for name in own}})
        run, ctx.pull = _passes(tensors[0].dtype)
        found, tape = run(*groups, constants)
        results = tuple(torch.from_numpy(np.ascontiguousarray(found[name])) for name in {results})
        ctx.names, ctx.tape, ctx.params = names, tape, groups[0]
        ctx.set_materialize_grads(False)  # a state that no loss reads counts as zero
        ctx.save_for_backward(*tensors, *results)  # a change of them before backward is noticed
        return results

    @staticmethod
    def backward(ctx, *cotangents):
        saved = ctx.saved_tensors

        def work():
            given = {{
                name: np.ascontiguousarray(cotangent.detach().numpy())
                for name, cotangent in zip({results}, cotangents) if cotangent is not None
            }}
            found = ctx.pull(ctx.params, ctx.tape, given)
            groups = (found["params"], found["inputs"], found["initial"])
            return tuple(
                torch.from_numpy(np.ascontiguousarray(group[name]))
                for own, group in zip(ctx.names, groups) for name in own
            )

        given = [cotangent for cotangent in cotangents if cotangent is not None]
        return (None, None, *_OnceMore.apply(work, *given, *saved))


def _through_time(*given):
    """The call that torch.compile leaves as it is: what is behind it is not PyTorch's."""
    run = _ThroughTime.apply
    if torch.compiler.is_compiling():
        run = torch.compiler.disable(run)
    return run(*given)


def states(params, inputs, initial=None, constants=None):
    """The states of every step, by name: tensors that PyTorch differentiates by `backward`.

    Shapes: inputs (T, B, m), initial (B, n), states (T, B, n). On the CPU, in float32 or float64.
    """
    groups = (params, inputs, initial or {{}})
    names = tuple(tuple(group) for group in groups)
    tensors = [group[name] for group, own in zip(groups, names) for name in own]
    for tensor in tensors:
        if not isinstance(tensor, torch.Tensor) or tensor.device.type != "cpu":
            is_one = isinstance(tensor, torch.Tensor)
            where = tensor.device if is_one else type(tensor).__name__
            raise ValueError(f"{cell}: expected tensors on the cpu, came {{where}}")
        if tensor.dtype not in (torch.float32, torch.float64):
            raise ValueError(f"{cell}: expected float32 or float64, came {{tensor.dtype}}")
    fixed = {{
        name: value.detach().numpy() if isinstance(value, torch.Tensor) else value
        for name, value in (constants or {{}}).items()
    }}
    return dict(zip({results}, _through_time(names, fixed, *tensors)))


class {name}(torch.nn.Module):
    """The cell {cell!r} over whole sequences, with parameters of its own.

    Called with the inputs in their order, (T, B, m) each, and perhaps the states before the first
    step and the constants, by name; gives the states of every step by name, (T, B, n).
    """

    def __init__({sizes}, *, dtype=None):
        super().__init__()
        self.sizes = {{{shape}}}
        self.attributes = {{}}  # a parameter's, with an underscore where modules have it already
        for name, dims in PARAMETERS.items():
            own = name
            while hasattr(self, own) or (own != name and own in PARAMETERS):
                own += "_"
            self.attributes[name] = own
            shape = [sum(int(self.sizes.get(part, part)) for part in dim.split("+"))
                     for dim in dims]
            setattr(self, own, torch.nn.Parameter(torch.empty(shape, dtype=dtype)))
        self.reset_parameters()

    def reset_parameters(self):
        """Every entry uniform in ±1/√n, as PyTorch's own layers."""
        bound = max({first}, 1) ** -0.5
        for parameter in self.parameters():
            torch.nn.init.uniform_(parameter, -bound, bound)

    def forward(self, *inputs, initial=None, constants=None):
        if len(inputs) != len(INPUTS):
            raise ValueError(f"{cell}: expected the inputs {{', '.join(INPUTS)}}, "
                             f"came {{len(inputs)}}")
        params = {{name: getattr(self, own) for name, own in self.attributes.items()}}
        return states(params, dict(zip(INPUTS, inputs)), initial, constants)

    def extra_repr(self):
        return ", ".join(f"{{name}}={{size}}" for name, size in self.sizes.items())
'''
