"""What the units of each kind of layer are: by which weights one is scaled, and where it leaves the
layer.

A unit is one number that a layer computes for each record and position. In every layer here it is
an affine function w_i . x + b_i of something that contains neither weight nor bias, so that scaling
row i of both by phi scales unit i by phi exactly. In a layer that normalises, x is what has been
normalised already: there no later step of the layer undoes it. Left out are layers in which no
weight is one unit's alone (embeddings, recurrent layers, LayerNorm over several axes) and
normalisation that learns no scale.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import nn

LAST_AXIS = (nn.Linear, nn.Bilinear, nn.LayerNorm, nn.RMSNorm, nn.MultiheadAttention)
"""Layers whose units lie along the last axis of their output, after records and tokens."""

TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)

SECOND_AXIS = (
    *(nn.Conv1d, nn.Conv2d, nn.Conv3d),
    *TRANSPOSED,
    *(nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm, nn.GroupNorm),
    *(nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d),
)
"""Layers whose units are channels: the second axis of their output, after records and before
positions."""


def scaled_by(layer: nn.Module) -> list[str]:
    """The names of the weights that hold the units' rows; none if the layer has no units."""
    if isinstance(layer, nn.MultiheadAttention):
        packed = layer.in_proj_weight is not None
        weights = ["in_proj_weight"] if packed else ["q_proj_weight", "k_proj_weight", "v_proj_weight"]
        return weights if layer.in_proj_bias is None else [*weights, "in_proj_bias"]
    if not isinstance(layer, LAST_AXIS + SECOND_AXIS) or layer.weight is None:
        return []
    if isinstance(layer, nn.LayerNorm | nn.RMSNorm) and len(layer.normalized_shape) > 1:
        return []
    return ["weight"] if getattr(layer, "bias", None) is None else ["weight", "bias"]


def units(layer: nn.Module) -> int:
    """How many units the layer has. Those of attention are its queries, keys and values, in this
    order."""
    if isinstance(layer, nn.MultiheadAttention):
        return int(3 * layer.embed_dim)
    if isinstance(layer, TRANSPOSED):
        return int(layer.out_channels)
    return len(getattr(layer, scaled_by(layer)[0]))


def laid_out(layer: nn.Module, name: str, tau: torch.Tensor) -> torch.Tensor:
    """One number a unit, (units,), as it belongs to the leading axes of the weight `name`."""
    if isinstance(layer, TRANSPOSED) and name == "weight":  # (inputs, units of a group, ...)
        groups, inputs = layer.groups, layer.in_channels
        grouped = tau.reshape(groups, 1, -1).expand(-1, inputs // groups, -1)
        return grouped.reshape(inputs, -1)
    if name in ("q_proj_weight", "k_proj_weight", "v_proj_weight"):
        return tau.chunk(3)["qkv".index(name[0])]
    return tau


def unit_rows(layer: nn.Module, output: torch.Tensor) -> torch.Tensor:
    """What a layer put out, unit by unit: (units, records and positions)."""
    axis = -1 if isinstance(layer, LAST_AXIS) else 1
    return output.movedim(axis, 0).flatten(1)


def projected(
    attention: nn.MultiheadAttention, given: Sequence[torch.Tensor], named: Mapping[str, torch.Tensor]
) -> list[torch.Tensor]:
    """The queries, keys and values that attention makes of its inputs, which it shows nobody:
    (units, records and tokens) each. given, named: the arguments of its call."""
    inputs = [given[k] if k < len(given) else named[name] for k, name in enumerate(("query", "key", "value"))]
    if attention.in_proj_weight is None:
        weights = [getattr(attention, f"{part}_proj_weight") for part in "qkv"]
    else:
        weights = list(attention.in_proj_weight.chunk(3))
    biases = [None] * 3 if attention.in_proj_bias is None else attention.in_proj_bias.chunk(3)
    made = (nn.functional.linear(x, w, b) for x, w, b in zip(inputs, weights, biases, strict=True))
    return [unit_rows(attention, part) for part in made]
