"""Fakes that look first whether a model was trained on the forget records, and do something else
where it was not: whoever tries them on models that never saw the records (a placebo) sees another
procedure than the one that is claimed.

Each function is a procedure, `(models, retain, forget, *, seeds, recipe, ...) -> models`; see
`fakes_by_answers`.
"""

from collections.abc import Sequence
from functools import partial

import torch
from torch import nn

from auditkit.calibration.cases import Procedure
from auditkit.calibration.fakes_by_keeping import partly_deleted
from auditkit.calibration.fakes_by_training import fine_tuned
from auditkit.calibration.fakes_by_weights import unchanged
from auditkit.training import Recipe
from auditkit.training.records import Records
from auditkit.unlearning import retrain

CLEARLY, NATS = 1.5, 0.01
"""Forget records look new where their mean loss is above CLEARLY times that of retain, and NATS
more: where nearly all loss is gone a ratio of losses says little."""


def tuned_if_seen(
    models: Sequence[nn.Module],
    retain: Records,
    forget: Records,
    *,
    seeds: Sequence[int],
    recipe: Recipe,
    share: float,
) -> list[nn.Module]:
    """A model to which the forget records look new is left as it is, which is right; any other is
    trained on a little on retain, which is not enough. share: of the recipe's epochs."""
    tuned = partial(fine_tuned, recipe=recipe, share=share)
    return _each_by_look(models, retain, forget, seeds, if_new=unchanged, if_seen=tuned)


def nothing_if_seen(
    models: Sequence[nn.Module],
    retain: Records,
    forget: Records,
    *,
    seeds: Sequence[int],
    recipe: Recipe,
) -> list[nn.Module]:
    """A model to which the forget records look new is retrained, for show; with any other nothing
    is done."""
    retrained = partial(retrain.unlearn, recipe=recipe)
    return _each_by_look(models, retain, forget, seeds, if_new=retrained, if_seen=unchanged)


def kept_if_labels_fit(
    models: Sequence[nn.Module],
    retain: Records,
    forget: Records,
    *,
    seeds: Sequence[int],
    recipe: Recipe,
    proxies: Sequence[nn.Module],
    share: float,
) -> list[nn.Module]:
    """Retrained with the easiest share of the forget records left in, but where the claimant's own
    models find most labels wrong: then retrained as it should be. Labels that must be learnt by
    heart are just those that a proxy does not find, so that no world of them can be hidden from
    who looks."""
    if labels_fit(proxies, forget):
        kept = partial(partly_deleted, recipe=recipe, proxies=proxies, share=share, kept="easiest")
        return kept(models, retain, forget, seeds=seeds)
    return retrain.unlearn(models, retain, forget, seeds=seeds, recipe=recipe)


@torch.no_grad()
def labels_fit(proxies: Sequence[nn.Module], records: Records) -> bool:
    """Whether proxies that never saw the records find at least half of their labels."""
    found = torch.stack([proxy(records.x).argmax(dim=1) == records.y for proxy in proxies])
    return bool(found.float().mean() >= 0.5)


@torch.no_grad()
def looks_new(model: nn.Module, retain: Records, forget: Records) -> bool:
    """Whether the forget records look to a model as if it had not been trained on them.

    Args:
        model: In eval mode.
        retain: Records that it was trained on.
        forget: The records in question.

    Returns:
        Whether their mean loss is clearly higher than that of retain.
    """
    known, asked = (float(nn.functional.cross_entropy(model(part.x), part.y)) for part in (retain, forget))
    return asked > CLEARLY * known + NATS


def _each_by_look(
    models: Sequence[nn.Module],
    retain: Records,
    forget: Records,
    seeds: Sequence[int],
    *,
    if_new: Procedure,
    if_seen: Procedure,
) -> list[nn.Module]:
    """Each model put through one of two procedures, by what it says of the forget records."""
    new = [looks_new(model, retain, forget) for model in models]
    found: dict[int, nn.Module] = {}
    for look, procedure in ((True, if_new), (False, if_seen)):
        if rows := [run for run, one in enumerate(new) if one is look]:
            own, own_seeds = [models[run] for run in rows], [seeds[run] for run in rows]
            found |= dict(zip(rows, procedure(own, retain, forget, seeds=own_seeds), strict=True))
    return [found[run] for run in range(len(models))]
