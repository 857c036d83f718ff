"""The forgetting layer: neurons whose weights fade along the Ebbinghaus curve.

Source: Hatua, Nguyen, Cano & Sung, "Machine Unlearning using Forgetting Neural Networks"
(arXiv:2410.22374); the idea of parameters that fade is Cano-Cordoba, Sarma & Subirana (CBMM Memo
071, 2017). Unit i of a layer computes

    h_i(t) = sigma( phi(t; tau_i) * (w_i . x + b_i) ),     phi(t; tau) = exp(-t / tau).

Since phi >= 0 and the gate multiplies the whole pre-activation, it is the same as scaling row i of
(W, b) by phi_i. So the gate is a *parametrization* of W and b: switched on it attenuates
activations, and removing it while keeping the scaled weights (`fold`) makes forgetting permanent.
Which layers have such rows: `auditkit.unlearning.layer_units`; which fade, and why: docs/beyond.md.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack

import torch
from torch import nn
from torch.nn.utils import parametrize
from torch.utils.hooks import RemovableHandle

from auditkit.core.errors import UsageError
from auditkit.unlearning.layer_units import laid_out, projected, scaled_by, unit_rows, units

CHUNK = 1024
"""Records that are asked for their activations at a time."""


def retention(t: float, tau: torch.Tensor) -> torch.Tensor:
    """phi(t; tau) = exp(-t/tau), what is left of a memory after time t >= 0.

    tau: time constants, >= 0, any shape; the result has that shape, in [0, 1]. phi(0; tau) = 1 for
    every tau, 0 included; phi(t; 0) = 0 for t > 0; phi(t; inf) = 1.
    """
    if t < 0:
        raise ValueError(f"t must be >= 0, got {t}")
    return torch.ones_like(tau) if t == 0 else torch.exp(-t / tau)


class Forgetting(nn.Module):
    """Scales row i of a weight or bias by phi(t; tau_i). t = 0 is the identity."""

    tau: torch.Tensor
    t: torch.Tensor

    def __init__(self, tau: torch.Tensor) -> None:
        super().__init__()
        # Each parametrization holds its own tau: torch.func de-duplicates a shared one.
        self.register_buffer("tau", tau.clone())
        self.register_buffer("t", torch.zeros(()))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """rows: (units, ...), returned with row i scaled by phi(t; tau_i); with more axes in tau,
        by them too."""
        phi = retention(float(self.t), self.tau)
        return rows * phi.reshape(*phi.shape, *[1] * (rows.dim() - phi.dim()))


def attach(layer: nn.Module, tau: torch.Tensor) -> None:
    """Put a gate with time constants `tau`, (units,), on every unit of a layer, switched off (t =
    0)."""
    if why := _unfit(layer):
        raise ValueError(f"{type(layer).__name__} cannot fade: {why}")
    if tau.shape != (units(layer),):
        raise ValueError(
            f"tau must give one time constant for each of {units(layer)} units, got {tuple(tau.shape)}"
        )
    for name in scaled_by(layer):
        parametrize.register_parametrization(layer, name, Forgetting(laid_out(layer, name, tau)))


def set_time(model: nn.Module, t: float) -> None:
    """Set the clock of every gate in the model; t = 0 switches them off."""
    for module in model.modules():
        if isinstance(module, Forgetting):
            module.t.fill_(t)


def fold(model: nn.Module) -> nn.Module:
    """Remove every gate and leave the weights as the gates scaled them; returns the model, which is
    then an ordinary one that computes exactly what it computed with its gates at their time."""
    for module in list(model.modules()):
        if parametrize.is_parametrized(module):
            for name, behind in list(module.parametrizations.items()):  # type: ignore[operator, union-attr]
                if any(isinstance(gate, Forgetting) for gate in behind):
                    parametrize.remove_parametrizations(module, name, leave_parametrized=True)
    return model


def gateable(model: nn.Module) -> list[str]:
    """The names of the layers that fade if none are named, in the order of the model: every layer
    that has units of its own, frozen or not. Not: one with a weight that is another layer's too, or
    is computed from others."""
    shared = _shared(model)
    return [name for name, module in model.named_modules() if not _unfit(module, shared)]


def _shared(model: nn.Module) -> frozenset[int]:
    """Identities of the weights that several layers have."""
    owned = Counter(id(weight) for module in model.modules() for weight in module.parameters(recurse=False))
    return frozenset(weight for weight, layers in owned.items() if layers > 1)


def _unfit(layer: nn.Module, shared: frozenset[int] = frozenset()) -> str:
    """Why a layer can carry no gate; "" if it can. shared: identities of weights that it has in
    common with others."""
    names = scaled_by(layer)
    if not names:
        return "it has no units with weights of their own"
    for name in names:
        weight = _weight(layer, name)
        if weight is None:
            return f"its {name} is computed from other weights"
        if id(weight) in shared:
            return f"its {name} is another layer's too, which would fade with it"
    return ""


def _weight(layer: nn.Module, name: str) -> nn.Parameter | None:
    """The layer's weight, behind the gate if it has one; None if it is anything but a parameter or
    a gated one."""
    if parametrize.is_parametrized(layer, name):
        behind = layer.get_submodule(f"parametrizations.{name}")
        gates = (isinstance(gate, Forgetting) for gate in behind.children())
        return behind.get_parameter("original") if all(gates) else None
    return layer._parameters.get(name)


@torch.no_grad()
def mean_activations(model: nn.Module, layers: Sequence[str], x: torch.Tensor) -> dict[str, torch.Tensor]:
    """The mean over records, and over positions or tokens, of each unit's activation, in eval mode:
    layer name -> (units,), in the order in which the model calls them. A layer that it does not
    call is left out.

    x: (records, *shape). The layer that is called last, which gives the logits, is read as it is. A
    hidden one is read after a ReLU, by how much its units fire: exact where a ReLU follows; GELU
    and its like pass nearly the same; where nothing rectifies, it is half of the mean magnitude
    plus half of the mean. Raises UsageError for layers that cannot fade, or if none of them is
    called.
    """
    _check(model, layers)
    seen: dict[str, list[tuple[torch.Tensor, torch.Tensor, int]]] = {}
    last = ""

    def read(name: str, *blocks: torch.Tensor) -> None:
        nonlocal last
        last = name
        if name in layers:
            plain = torch.cat([rows.mean(dim=1) for rows in blocks])
            fired = torch.cat([rows.relu().mean(dim=1) for rows in blocks])
            seen.setdefault(name, []).append((plain, fired, blocks[0].shape[1]))

    device = next(model.parameters()).device
    with ExitStack() as after:
        after.callback(torch.backends.mha.set_fastpath_enabled, torch.backends.mha.get_fastpath_enabled())
        torch.backends.mha.set_fastpath_enabled(False)  # there, torch's transformer layers are not called
        for name, module in model.named_modules():
            if scaled_by(module):
                after.callback(_watch(model, name, read).remove)
        model.eval()
        for part in x.split(CHUNK):
            model(part.to(device))
    if not seen:
        raise UsageError(f"the model calls none of the layers that are to fade: {', '.join(layers)}")
    means = {}
    for name, parts in seen.items():
        means[name] = _mean([(plain if name == last else fired, n) for plain, fired, n in parts])
    return means


def _check(model: nn.Module, layers: Sequence[str]) -> None:
    """Raise UsageError unless every one of the layers can fade."""
    modules, shared = dict(model.named_modules()), _shared(model)
    unfit = {name: _unfit(modules[name], shared) if name in modules else "there is none" for name in layers}
    problems = [f"the layer {name!r} cannot fade: {why}" for name, why in unfit.items() if why]
    if not layers:
        problems = ["the model has no layer that can fade: none that has units of its own"]
    if problems:
        can = ", ".join(gateable(model)) or "none"
        raise UsageError(*(f"{problem}; layers that can: {can}" for problem in problems))


def _watch(model: nn.Module, name: str, read: Callable[..., None]) -> RemovableHandle:
    """Have `read` told the name and what was put out, (units, records and positions) of some units
    after others, whenever a layer is called."""
    above = name.rpartition(".")[0]
    layer, owner = model.get_submodule(name), model.get_submodule(above)
    if isinstance(layer, nn.MultiheadAttention):
        return layer.register_forward_hook(
            lambda attention, given, named, _: read(name, *projected(attention, given, named)),
            with_kwargs=True,
        )
    if isinstance(owner, nn.MultiheadAttention):  # it uses the weights of out_proj, and does not call it
        return owner.register_forward_hook(lambda _m, _i, output: read(name, unit_rows(layer, output[0])))
    return layer.register_forward_hook(lambda _m, _i, output: read(name, unit_rows(layer, output)))


def _mean(parts: Sequence[tuple[torch.Tensor, int]]) -> torch.Tensor:
    """The mean of means, each with what it is the mean of so many of."""
    total = sum(n for _, n in parts)
    return (
        parts[0][0] if len(parts) == 1 else torch.stack([mean * (n / total) for mean, n in parts]).sum(dim=0)
    )
