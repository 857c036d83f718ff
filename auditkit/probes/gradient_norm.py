"""Gradient norm: how much a record would still change the model.

Nasr, Shokri & Houmansadr, "Comprehensive Privacy Analysis of Deep Learning" (S&P 2019), section
III: the gradient of a record's own loss is the white-box attacker's best feature, as training has
made it small for members. The gradients of single records come from Opacus.
"""

import numpy as np
import torch
from torch import nn

from auditkit.probes.copies import plain_copy
from auditkit.probes.errors import NotObservable
from auditkit.statistics.margins import Floats
from auditkit.training.opacus_log import log_left_alone

NUMBERS = 2**24
"""Numbers that the gradients of one chunk of records may hold together (64 MB)."""


def gradient_norms(model: nn.Module, x: torch.Tensor, y: torch.Tensor, seed: int) -> Floats:
    """How steep each record's own loss is: the norm of the gradient of its cross-entropy with
    respect to all parameters. A gate is folded first, so that the weights count that are used.

    Args:
        model: In eval mode, giving logits (n, classes). It is left as it was.
        x: float32 (n, *shape), where the model is.
        y: int64 (n,), the labels.
        seed: Not looked at: nothing is drawn.

    Returns:
        float64 (n,), L2 norms, in nats a unit of weight.

    Raises:
        NotObservable: If Opacus cannot tell the records' gradients apart, as with batch norm.
    """
    del seed
    with log_left_alone():
        from opacus.grad_sample import GradSampleModule

    copied = plain_copy(model).requires_grad_(True)
    for module in copied.modules():
        # Opacus records only layers that are in training mode. Those are the ones with weights of
        # their own: dropout has none, and stays off.
        module.training = any(True for _ in module.parameters(recurse=False))
    n = max(1, NUMBERS // sum(p.numel() for p in copied.parameters()))
    chunks = zip(x.split(n), y.split(n), strict=True)
    try:
        # A layer that still draws will be refused, but may have drawn.
        with torch.random.fork_rng(devices=[x.device] if x.is_cuda else []):
            sampler = GradSampleModule(copied, loss_reduction="sum")
            return np.concatenate([_norms(model, sampler, *chunk).cpu().numpy() for chunk in chunks])
    except (NotObservable, torch.OutOfMemoryError):
        raise
    except Exception as error:  # whatever layer Opacus cannot do
        raise NotObservable(
            "gradients of single records need layers that treat each record by itself; Opacus found: "
            f"{str(error)[:200]}"
        ) from error


def _norms(model: nn.Module, sampler: nn.Module, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    sampler.zero_grad(set_to_none=True)  # else Opacus keeps a list of the gradients of all chunks
    with torch.enable_grad():
        # Inputs that need a gradient themselves spare a warning about the first layer's hook.
        logits = sampler(x.detach().clone().requires_grad_())
        with torch.no_grad():
            if not torch.allclose(logits, model(x), rtol=1e-3, atol=1e-4):
                raise NotObservable("the model answers otherwise where its layers are in training mode")
        nn.functional.cross_entropy(logits, y, reduction="sum").backward()
    squares = torch.zeros(len(x), dtype=torch.float64, device=x.device)
    for parameter in sampler.parameters():
        gradient = getattr(parameter, "grad_sample", None)  # None for a weight that is not used
        if gradient is not None:
            squares += gradient.flatten(1).double().square().sum(dim=1)
    return squares.sqrt()
