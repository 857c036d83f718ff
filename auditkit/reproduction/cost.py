"""What a procedure costs, as a share of retraining."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from auditkit.claims.claim import ProcedureClaim
from auditkit.core import user_code as named
from auditkit.statistics.margins import Ints
from auditkit.study.study import Study
from auditkit.training import fit, initialise
from auditkit.training.records import Records
from auditkit.unlearning.binding import bind_procedure

SHORT = 2.0
"""Seconds; what takes less is timed again, and the median of TIMES taken."""
TIMES = 3


@dataclass(frozen=True)
class Cost:
    """flops: floating-point operations of all matrix products and convolutions of one run of a
    procedure, by torch's own count; seconds: what one run took here, alone and on as many threads
    as the process has."""

    flops: int
    seconds: float


def cost_of(study: Study, procedure: ProcedureClaim) -> Cost:
    """What the procedure costs on one model of the study. What it does must not depend on how well
    the model was trained: it is tried out on a fresh one."""
    unlearn = bind_procedure(procedure.name, study.folder, dict(procedure.options), study.recipe)
    retain, forget = _records(study, study.sets.retain), _records(study, study.sets.forget)
    return counted(lambda: unlearn([_fresh(study)], retain, forget, [0]))


def cost_of_retraining(study: Study) -> Cost:
    """What it costs to train one model of the study from scratch on retain, as its arms are
    trained."""
    own, retain = study.claim.training.train, _records(study, study.sets.retain)
    if own:
        train = named.resolve(own, study.folder, {}, "training.train")
        return counted(lambda: train(_fresh(study), retain, 0))
    return counted(lambda: fit([_fresh(study)], retain.x, retain.y, study.recipe, seeds=[0]))


def _records(study: Study, rows: Ints) -> Records:
    return Records(torch.from_numpy(study.data.x[rows]), torch.from_numpy(study.data.y[rows]))


def _fresh(study: Study) -> nn.Module:
    return initialise(study.build, 0).eval()


def counted(call: Callable[[], object]) -> Cost:
    """The cost of a call."""
    with FlopCounterMode(display=False) as counter:
        call()
    times = [_timed(call)]  # without the counter, which takes time itself
    if times[0] < SHORT:
        times += [_timed(call) for _ in range(TIMES - 1)]
    return Cost(counter.get_total_flops(), statistics.median(times))


def _timed(call: Callable[[], Any]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started
