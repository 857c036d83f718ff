"""What a teacher says of some records, and how far a student is from it."""

import torch
from torch import nn


@torch.no_grad()
def taught(teacher: nn.Module, x: torch.Tensor, *, chunk: int = 512) -> torch.Tensor:
    """The teacher's logits on x, (records, classes), in eval mode. A teacher does not change, and
    so is asked once."""
    teacher.eval()
    return torch.cat([teacher(part) for part in x.split(chunk)])


def divergence(teacher: torch.Tensor, student: torch.Tensor, temperature: float) -> torch.Tensor:
    """The mean over records of T^2 KL(softmax(teacher / T) || softmax(student / T)), in nats: a
    scalar >= 0.

    teacher, student: logits, (records, classes). T^2 keeps gradients of one size at any temperature
    (Hinton, Vinyals & Dean, arXiv:1503.02531, section 2).
    """
    wanted = (teacher / temperature).log_softmax(dim=1)
    answered = (student / temperature).log_softmax(dim=1)
    return temperature**2 * nn.functional.kl_div(answered, wanted, reduction="batchmean", log_target=True)
