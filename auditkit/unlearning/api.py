"""Unlearning by one call, of a model that was built and trained elsewhere."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, default_collate

from auditkit.core.errors import UsageError
from auditkit.core.user_code import describe_error
from auditkit.training import Recipe
from auditkit.training.records import Records
from auditkit.unlearning.binding import bind_procedure, option_problems, resolve, wants_recipe

Given = Sequence[Any] | Dataset[Any] | DataLoader[Any]
"""Records as a caller has them: a pair (x, y) of tensors or arrays, or a data set or loader of such
pairs."""


def forget(
    model: nn.Module,
    retain: Given,
    forget: Given,
    *,
    procedure: str = "fnn",
    seed: int,
    recipe: Recipe | None = None,
    **options: Any,
) -> nn.Module:
    """A copy of a model that has been put through an unlearning procedure. That the procedure has
    run says nothing of whether anything is forgotten: that is what an audit is for.

    Args:
        model: Any module that answers records (n, *shape) with logits (n, classes), on any device.
            It is left as it was.
        retain: The records to keep, (x, y) with labels y (n,), as tensors or arrays, or as a data
            set or loader that is read as a whole.
        forget: The records to forget, likewise.
        procedure: A key of `auditkit.unlearning.UNLEARNERS`, or the name of your own as in a claim.
        seed: At least 0. What is random depends on it alone.
        recipe: How the model was trained, for procedures that train.
        options: Those of the procedure, as in a claim's [procedure.options].

    Returns:
        The unlearned model, in eval mode, on the device of `model`.

    Raises:
        UsageError: With every problem, for what cannot be used.
        AuditError: If a procedure of your own fails.
    """
    if problems := _problems(procedure, model, seed, recipe, options):
        raise UsageError(*problems)
    device = next((weight.device for weight in model.parameters()), torch.device("cpu"))
    kept, gone = _records(retain, "retain", device), _records(forget, "forget", device)
    if kept.x.shape[1:] != gone.x.shape[1:] or kept.x.dtype != gone.x.dtype:
        raise UsageError(
            f"retain and forget must hold records of one shape and type, found {kept.x.dtype}"
            f" {tuple(kept.x.shape[1:])} and {gone.x.dtype} {tuple(gone.x.shape[1:])}"
        )
    _check_answers(model, kept, gone)
    # Only a procedure that asks for no recipe gets this one, and so never sees it.
    trained_by = recipe or Recipe(epochs=0, batch_size=1, learning_rate=0.0)
    (unlearned,) = bind_procedure(procedure, Path(), options, trained_by)([model], kept, gone, [seed])
    return unlearned


def _problems(
    name: str, model: nn.Module, seed: int, recipe: Recipe | None, options: dict[str, Any]
) -> list[str]:
    """What cannot be used of all but the records; UsageError if there is no such procedure."""
    procedure = resolve(name, Path())
    problems = option_problems(procedure, options)
    if recipe is None and wants_recipe(procedure):
        problems.append(
            f"the procedure {name!r} trains: say how, e.g. recipe=auditkit.Recipe(epochs=5,"
            " batch_size=64, learning_rate=1e-3), best as the model was trained"
        )
    if not isinstance(seed, int) or seed < 0:
        problems.append(f"seed must be a whole number, at least 0, found {seed!r}")
    if not any(weight.requires_grad for weight in model.parameters()):
        problems.append(
            "the model must have weights that can be trained, found none; set requires_grad on some"
        )
    return problems


def _records(given: Given, name: str, device: torch.device) -> Records:
    """The records on the device; UsageError unless they are so many x as y, one at least."""
    if isinstance(given, DataLoader):
        batches = list(given)
        x, y = (torch.cat([torch.as_tensor(batch[k]) for batch in batches]) for k in (0, 1))
    elif hasattr(given, "__getitem__") and isinstance(given, Dataset):
        pairs = [(given[i][0], given[i][1]) for i in range(len(given))]  # type: ignore[arg-type]
        x, y = default_collate(pairs)
    elif isinstance(given, list | tuple) and len(given) == 2:
        x, y = (torch.as_tensor(part) for part in given)
    else:
        raise UsageError(
            f"{name} must be a pair (x, y), a torch Dataset or a DataLoader of such; found"
            f" {type(given).__name__}"
        )
    if len(x) != len(y) or len(x) == 0 or y.dim() != 1 or y.is_floating_point():
        raise UsageError(
            f"{name} must have one whole-numbered label in y for each record in x, and one record at least;"
            f" found x {tuple(x.shape)}, y {y.dtype} {tuple(y.shape)}"
        )
    return Records(x.to(device), y.to(device, torch.int64))


@torch.no_grad()
def _check_answers(model: nn.Module, retain: Records, forget: Records) -> None:
    """Raise UsageError unless the model answers with logits of all classes among the labels."""
    labels = torch.cat([retain.y, forget.y])
    try:
        answers = copy.deepcopy(model).eval()(forget.x[:2])
    except Exception as error:
        raise UsageError(
            f"the model must answer the records, {forget.x.dtype} {tuple(forget.x.shape)}; it fails with"
            f" {describe_error(error)}; give records as it was trained on"
        ) from error
    if not isinstance(answers, torch.Tensor):
        raise UsageError(
            f"the model must answer with a tensor of logits, found {type(answers).__name__}: wrap it in a"
            " module whose forward returns the logits alone, as in examples/foreign_model.py"
        )
    n = min(2, len(forget.x))
    if answers.dim() != 2 or len(answers) != n or not answers.is_floating_point():
        raise UsageError(
            f"the model must answer {n} records with logits ({n}, classes), found {answers.dtype} "
            f"{tuple(answers.shape)}"
        )
    if labels.min() < 0 or labels.max() >= answers.shape[1]:
        raise UsageError(
            f"labels must be 0 to {answers.shape[1] - 1}, as the model answers with {answers.shape[1]}"
            f" classes; found {int(labels.min())} to {int(labels.max())}"
        )
