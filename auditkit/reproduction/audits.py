"""The audits behind the tables: which claims, on how much data, of which procedures."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from auditkit.claims.claim import (
    Claim,
    DataClaim,
    ForgetClaim,
    ModelClaim,
    ProcedureClaim,
    RunsClaim,
    TrainingClaim,
)
from auditkit.claims.criteria import Criteria
from auditkit.data import load
from auditkit.reproduction.paper_attack import AttackModel
from auditkit.training.records import Records
from auditkit.unlearning.sisa import places

Procedures = Mapping[str, ProcedureClaim]


def _by(name: str, **options: object) -> ProcedureClaim:
    return ProcedureClaim(name=name, options=options)


FADED: Procedures = {
    "FFR": _by("fnn-ffr"),
    "VFR ordered": _by("fnn-ordered"),
    "VFR random": _by("fnn-random"),
    "VFR rank": _by("fnn-rank"),
    "VFR top-K": _by("fnn-top"),
}
"""The paper's variants as published: the gate is left on."""

STATES: Procedures = {
    "FFR, gate off": _by("fnn-ffr", state="gate off"),
    "VFR rank, gate off": _by("fnn-rank", state="gate off"),
    "FFR, folded and repaired": _by("fnn-ffr", state="folded and repaired", learn="retain"),
    "VFR rank, folded and repaired": _by("fnn-rank", state="folded and repaired", learn="retain"),
}
"""What is left of the memory when the gate is off, and when it is made part of the weights and
never again learnt with: as published, each turn learns on the forget records too."""

OTHERS: Procedures = {
    "no-op": _by("noop"),
    "retrain": _by("retrain"),
    "fine-tune": _by("fine-tune"),
    "gradient ascent": _by("gradient-ascent"),
    "NegGrad+": _by("neggrad-plus"),
    "random labels": _by("random-labels"),
    "SCRUB": _by("scrub"),
    "bad teacher": _by("bad-teacher"),
    "SSD": _by("ssd"),
    "SalUn": _by("salun"),
    "CF-k": _by("cf-k"),
    "EU-k": _by("eu-k"),
}
OURS: Procedures = {
    "FNN, folded": _by("fnn"),
    "FNN-erase": _by("fnn-erase"),
    "short retraining": _by("fnn-erase", t=1e6),
}
"""Short retraining is the yardstick of FNN-erase: everything has faded, so it is FNN-erase's repair
from fresh weights."""


@dataclass(frozen=True)
class Audit:
    """One table: a claim, but for the procedure, and the procedures. attack: how the paper's attack
    learns."""

    claim: Claim
    procedures: Procedures
    attack: AttackModel = "logistic regression"


def audits(size: str, source: str) -> dict[str, Audit]:
    """The tables of one data set, by name. size: one of `auditkit.reproduction.sizes.SIZES`."""
    found = {"paper": _paper(size, source), "procedures": _procedures(size, source)}
    if size != "tiny":
        return {**found, "sisa": _sisa(source)}
    return {
        name: replace(audit, procedures={key: by for key, by in audit.procedures.items() if key in TRIED})
        for name, audit in found.items()
    }


TRIED = ("no-op", "retrain", "VFR rank", "VFR rank, gate off", "FNN-erase")
"""The procedures of the size tiny."""


HALVED = {
    "mnist": "auditkit.reproduction.halved:mnist",
    "fashion-mnist": "auditkit.reproduction.halved:fashion_mnist",
}

PAPER: Mapping[str, tuple[DataClaim, int, int]] = {
    "tiny": (DataClaim(train=120, control=40, test=60, population=0), 4, 5),
    "reduced": (DataClaim(train=600, control=200, test=2000, population=0), 15, 5),
    "full": (DataClaim(train=50_000, control=8000, test=10_000, population=0), 10, 5),
}
"""size -> how many records play which part, epochs, runs an arm"""


def _paper(size: str, source: str) -> Audit:
    """The paper's claim table, on its network. Few runs can settle no more than wide margins; and
    attacks need no shadow models here, as to train them would take longer than all the rest."""
    data, epochs, per_arm = PAPER[size]
    where = HALVED.get(source, source) if size == "reduced" else source
    claim = Claim(
        name=f"{source}-paper",
        seed=5,
        data=data.model_copy(update={"source": where}),
        forget=ForgetClaim(fraction=0.2),
        model=ModelClaim(name="cnn"),
        training=TrainingClaim(epochs=epochs, batch_size=64, learning_rate=0.001),
        runs=RunsClaim(per_arm=per_arm, shadow=0),
        criteria=Criteria(
            residual_memory=0.5,
            attack_gap=0.1,
            accuracy=0.03,
            attacks=("loss", "modified-entropy", "gap"),
            jitter=(1.0,),
            recoveries=(),
        ),
    )
    first = {"fine-tune": OTHERS["fine-tune"]}
    return Audit(claim, {**first, **FADED, **STATES, "FNN-erase": OURS["FNN-erase"]})


PROCEDURES: Mapping[str, tuple[DataClaim, int, RunsClaim]] = {
    "tiny": (DataClaim(train=120, control=40, test=60, population=40), 6, RunsClaim(per_arm=5, shadow=4)),
    "reduced": (DataClaim(train=2000, control=400, test=2000, population=4000), 30, RunsClaim()),
    "full": (DataClaim(train=2000, control=400, test=2000, population=4000), 30, RunsClaim(per_arm=40)),
}


def _procedures(size: str, source: str) -> Audit:
    """All procedures on a perceptron that remembers, held to all that an audit asks by default."""
    data, epochs, runs = PROCEDURES[size]
    claim = Claim(
        name=f"{source}-procedures",
        seed=5,
        data=data.model_copy(update={"source": source}),
        forget=ForgetClaim(fraction=0.1),
        training=TrainingClaim(epochs=epochs, batch_size=64, learning_rate=0.001),
        runs=runs,
        criteria=Criteria(residual_memory=0.5) if size == "tiny" else Criteria(),
    )
    faded = {key: by for key, by in {**FADED, **STATES}.items() if key == "FFR" or key.startswith("VFR rank")}
    return Audit(claim, {**OTHERS, **faded, **OURS})


SHARDS = 5


def _sisa(source: str) -> Audit:
    """SISA needs models that were trained for it: a claim of its own, about records of one
    shard."""
    data, epochs, _ = PROCEDURES["reduced"]
    training = TrainingClaim(
        epochs=epochs, batch_size=64, learning_rate=0.001, train="auditkit.unlearning.sisa:train"
    )
    recipe = training.model_dump(include={"epochs", "batch_size", "learning_rate"})
    loaded = load(source)
    forget = data.train // 10
    shards, _slices = places(Records(torch.from_numpy(loaded.x), torch.from_numpy(loaded.y)), SHARDS, 1)
    ids = tuple(loaded.ids[np.flatnonzero(shards.numpy() == 0)[:forget]].tolist())
    options = {"shape": list(loaded.x.shape[1:]), "classes": loaded.n_classes, "shards": SHARDS, **recipe}
    claim = Claim(
        name=f"{source}-sisa",
        seed=5,
        data=data.model_copy(update={"source": source}),
        forget=ForgetClaim(ids=ids),
        model=ModelClaim(name="auditkit.unlearning.sisa:build", options=options),
        training=training,
        runs=RunsClaim(per_arm=12, shadow=8),
    )
    return Audit(claim, {"no-op": OTHERS["no-op"], "SISA": _by("sisa")})
