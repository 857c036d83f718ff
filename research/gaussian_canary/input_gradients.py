"""The direction in which a record's loss grows fastest with its input: what the Gaussian canary is
read from.

Pawelczyk, Di, Lu, Kamath, Sekhari & Neel (ICLR 2025, arXiv:2406.17216), Algorithm 1.
"""

import numpy as np
import numpy.typing as npt
import torch
from torch import nn


def input_gradients(
    model: nn.Module, x: torch.Tensor, y: torch.Tensor, *, chunk: int = 512
) -> npt.NDArray[np.float64]:
    """The gradient of minus the margin phi with respect to each record, in eval mode: float64
    (records, *shape).

    x: (records, *shape), the clean inputs; y: int64 (records,), on any device: they go to where the
    model is. The cross-entropy is log(1 + exp(-phi)), so that its gradient is this one times 1 -
    p_y: it points the same way, and the test looks only at the direction. But in float32 1 - p_y is
    0 where the model is sure, as it is of what it was trained on, while phi goes on growing. Zeros
    where the answer has no gradient at all, as that of a model that answers with labels only. No
    gradient is left with the weights.
    """
    model.eval()
    device = next((parameter.device for parameter in model.parameters()), x.device)
    parts = [
        _gradient(model, inputs.to(device), labels.to(device)).cpu()
        for inputs, labels in zip(x.split(chunk), y.split(chunk), strict=True)
    ]
    return torch.cat(parts).double().numpy()


def _gradient(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    x = x.detach().requires_grad_()
    with torch.enable_grad():
        logits = model(x)
        if not logits.requires_grad:
            return torch.zeros_like(x)
        labelled = nn.functional.one_hot(y, logits.shape[1]).bool()
        others = logits.masked_fill(labelled, -torch.inf).logsumexp(dim=1)
        loss = (others - logits[labelled]).sum()
    [gradient] = torch.autograd.grad(loss, x, allow_unused=True, materialize_grads=True)
    return gradient
