"""The released model of an endpoint claim: read without running anything that its file might
hold."""

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import nn

from auditkit.claims.claim import Claim
from auditkit.core.user_code import describe_error
from auditkit.data import Dataset
from auditkit.models.architectures import answer, builder
from auditkit.training import initialise

SHOWN = 3
"""How many weights that do not fit a message names."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A checkpoint. sha256: of its file. weights: name -> tensor, as the claim's model has them."""

    sha256: str
    weights: Mapping[str, torch.Tensor]

    def stacked(self) -> dict[str, torch.Tensor]:
        """The weights as those of a stack of one run: name -> (1, ...)."""
        return {name: tensor[None].contiguous() for name, tensor in self.weights.items()}


def load_checkpoint(claim: Claim, data: Dataset, folder: Path) -> tuple[Checkpoint | None, list[str]]:
    """The checkpoint that a claim names, and why it cannot be audited. (None, []) for a claim that
    names none."""
    if claim.release is None:
        return None, []
    path = folder / claim.release.weights.expanduser()
    key = f"release.weights = {str(claim.release.weights)!r}"
    try:
        content = path.read_bytes()
        weights = _read(content, path.suffix)
    except OSError as error:
        return None, [f"{key}: must be a file that can be read, found: {error.strerror}; correct the path"]
    except _Unreadable as error:
        return None, [f"{key}: {error}"]
    try:
        model: object = initialise(builder(claim.model, folder, data.x.shape[1:], data.n_classes), claim.seed)
    except (Exception, SystemExit):  # noqa: BLE001 -- said by the checks of the model itself
        return None, []
    if not isinstance(model, nn.Module):
        return None, []
    if flaw := _unfit(model, weights, data):
        remedy = "name the architecture that it was trained with, or the right file"
        return None, [f"{key}: must fit the claim's model {claim.model.name!r}, found {flaw}; {remedy}"]
    fitted = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
    return Checkpoint(hashlib.sha256(content).hexdigest(), fitted), []


class _Unreadable(Exception):  # noqa: N818 -- becomes a problem of the claim
    """Why a file holds no weights that may be read."""


def _read(content: bytes, suffix: str) -> Mapping[str, torch.Tensor]:
    """The weights in the bytes of a checkpoint. _Unreadable where there are none."""
    try:
        if suffix == ".safetensors":
            return safetensors.torch.load(content)
        if suffix in (".pt", ".pth"):
            found = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        else:
            raise _Unreadable(
                f"must be a .safetensors, .pt or .pth file, found {suffix or 'no ending'!r}; save the"
                " state_dict as one"
            )
    except _Unreadable:
        raise
    except Exception as error:  # whatever a damaged or hostile file makes the readers raise
        raise _Unreadable(
            f"must hold weights that can be read without running code, found: {describe_error(error)[:200]};"
            " save the state_dict with safetensors.torch.save_file"
        ) from error
    if not isinstance(found, Mapping) or not all(
        isinstance(tensor, torch.Tensor) for tensor in found.values()
    ):
        raise _Unreadable(
            f"must hold a state_dict, name -> tensor, found {type(found).__name__}; save model.state_dict()"
        )
    return dict(found)


def _unfit(model: nn.Module, weights: Mapping[str, torch.Tensor], data: Dataset) -> str | None:
    """Why the weights are not those of a model that answers the data with finite logits; None if
    they are."""
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    if expected != found:
        differing = sorted(name for name in expected.keys() | found if expected.get(name) != found.get(name))
        named = [
            f"{name}: {found.get(name, 'absent')} in the file, {expected.get(name, 'absent')} in the model"
            for name in differing[:SHOWN]
        ]
        more = f" and {len(differing) - SHOWN} more" if len(differing) > SHOWN else ""
        return "; ".join(named) + more
    if infinite := [name for name, tensor in weights.items() if not torch.isfinite(tensor.float()).all()]:
        return f"NaN or infinity in {', '.join(infinite[:SHOWN])}"
    model.load_state_dict(dict(weights))  # in the model's own kind of numbers
    if not np.isfinite(answer(model, torch.from_numpy(data.x[[0, -1]]))).all():
        return "answers that are not finite"
    return None
