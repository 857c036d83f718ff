"""What can be known to be wrong with the model of a claim, its training and its procedure, before
anything is trained; see `auditkit.study.checks`."""

import inspect
from pathlib import Path

import numpy as np
import torch
from torch import nn

from auditkit.claims.claim import Claim
from auditkit.core.errors import UsageError
from auditkit.core.user_code import describe_error, option_problems, resolve
from auditkit.data import Dataset
from auditkit.models.architectures import MODELS, Build, answer, builder
from auditkit.models.images import image_size
from auditkit.training import initialise
from auditkit.unlearning.binding import model_problems as procedure_model_problems
from auditkit.unlearning.binding import option_problems as procedure_option_problems
from auditkit.unlearning.binding import resolve as resolve_procedure


def model_problems(claim: Claim, folder: Path) -> list[str]:
    """Whether there is such a model, and whether it takes these options."""
    model = claim.model
    try:
        function = resolve(model.name, folder, MODELS, "model.name")
    except UsageError as error:
        return list(error.problems)
    given = len(("shape", "classes")) if model.name in MODELS else 0
    return option_problems(function, model.options, "model", positional=given)


def build_problems(claim: Claim, data: Dataset, folder: Path) -> list[str]:
    """Whether the model can be built for this data, and answers two of its records with finite
    logits."""
    if model_problems(claim, folder):
        return []
    shape, classes = data.x.shape[1:], data.n_classes
    try:
        flaw = _flaw(builder(claim.model, folder, shape, classes), data, claim.seed)
    except (Exception, SystemExit) as error:  # noqa: BLE001 -- the model may be the user's own
        flaw = describe_error(error)
    if flaw is None and claim.privacy:
        return _not_private(claim, builder(claim.model, folder, shape, classes))
    if flaw is None:
        return []
    problem = (
        f"model.name = {claim.model.name!r} must build a model that answers records of shape {shape} with one"
        f" finite logit for each of {classes} classes; found {flaw}; mend it, or name another"
    )
    return [problem]


def fit_problems(claim: Claim, data: Dataset, folder: Path) -> list[str]:
    """Whether the procedure can be put to a model as it is built for this data."""
    made_by = claim.made_by
    if made_by is None or model_problems(claim, folder) or procedure_problems(claim, folder):
        return []
    procedure = resolve_procedure(made_by.name, folder)
    build = builder(claim.model, folder, data.x.shape[1:], data.n_classes)
    return procedure_model_problems(procedure, made_by.options, initialise(build, 0))


def _not_private(claim: Claim, build: Build) -> list[str]:
    """Why Opacus cannot train the model as the claim says."""
    from auditkit.dp.dp_sgd import module_problems, noise_needed

    assert claim.privacy is not None
    problems = module_problems(initialise(build, claim.seed))
    try:
        noise_needed(claim.privacy, claim.privacy.batches(claim.data.train))
    except UsageError as error:
        problems += error.problems
    return problems


def _flaw(build: Build, data: Dataset, seed: int) -> str | None:
    """What is wrong with a model or its answer on two records, if it raises nothing; None if
    nothing is."""
    model: object = initialise(build, seed)
    if not isinstance(model, nn.Module):
        return f"no torch.nn.Module but {type(model).__name__}"
    if not any(parameter.requires_grad for parameter in model.parameters()):
        return "a model with nothing to train"
    logits = answer(model, torch.from_numpy(data.x[[0, -1]]))
    if logits.shape != (2, data.n_classes):
        return f"for two records logits of shape {logits.shape}"
    return None if np.isfinite(logits).all() else f"the logits {logits[0].tolist()}"


def augment_problems(claim: Claim, data: Dataset) -> list[str]:
    """Whether records that are to be augmented are images."""
    if not claim.training.augment:
        return []
    try:
        image_size(data.x.shape[1:])
    except ValueError as error:
        return [f"training.augment: {error}; set it to []"]
    return []


def train_problems(claim: Claim, folder: Path) -> list[str]:
    """Whether the user's own training is there, and can be called as it will be."""
    name = claim.training.train
    if name is None:
        return []
    try:
        function = resolve(name, folder, {}, "training.train")
        inspect.signature(function).bind("model", "data", 0)
    except UsageError as error:
        return list(error.problems)
    except (TypeError, ValueError) as error:
        problem = (
            f"training.train = {name!r}: it must be train(model, data, seed), found: {error}; mend its"
            " parameters"
        )
        return [problem]
    return []


def private_training_problems(claim: Claim) -> list[str]:
    """Whether the training that is claimed to be private is one that the audit can repeat."""
    if claim.privacy and claim.training.train:
        problem = (
            "privacy is claimed of training that auditkit repeats with Opacus, found training.train = "
            f"{claim.training.train!r}, which it cannot; remove one of the two"
        )
        return [problem]
    return []


def procedure_problems(claim: Claim, folder: Path) -> list[str]:
    """Whether there is such a procedure, and whether it takes these options."""
    problems, made_by = release_problems(claim) if claim.release else [], claim.made_by
    if made_by is None:
        return problems
    try:
        procedure = resolve_procedure(made_by.name, folder)
    except UsageError as error:
        return [*problems, *error.problems]
    return [*problems, *procedure_option_problems(procedure, made_by.options)]


def release_problems(claim: Claim) -> list[str]:
    """Whether a claim about a released model says nothing that only a procedure can be asked."""
    problems = []
    if "procedure" in claim.model_fields_set:
        problems.append(
            "a claim is about a procedure or about a released model, found both; remove one of them,"
            " or name the procedure that the model was made by under [release.procedure]"
        )
    if claim.runs.swap:
        problems.append(
            "runs.swap takes a procedure that can be run again on other records, found a released model; set"
            " it to false"
        )
    return problems
