"""A study: a claim that has passed all checks, with its data and its sets."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np

from auditkit.claims.claim import Claim
from auditkit.claims.read import fill_defaults
from auditkit.core.errors import UsageError
from auditkit.core.ids import (
    HONEST,
    ORIGINAL,
    PLACEBO,
    RETRAINED,
    SHADOW,
    STRESS,
    SWAPPED_ORIGINAL,
    SWAPPED_UNLEARNED,
    UNLEARNED,
    VARIANT,
    ArmKey,
    World,
)
from auditkit.core.progress import Reporter
from auditkit.core.user_code import code_digest
from auditkit.data import (
    Dataset,
    ForgetRequest,
    NearDuplicates,
    Sets,
    draw_sets,
    load,
    near_duplicates,
)
from auditkit.data.halves import shadow_halves
from auditkit.data.stand_ins import draw_stand_ins, wrong_labels
from auditkit.data.stratified import Indices
from auditkit.models.architectures import Build, builder
from auditkit.study.checkpoint import Checkpoint, load_checkpoint
from auditkit.study.checks import claim_problems, data_problems, duplicate_warnings
from auditkit.training import Recipe, run_seed
from auditkit.unlearning.binding import states_of

SETS = ("retain", "forget", "control", "test", "population")
TRAINED = (ORIGINAL, RETRAINED, HONEST, VARIANT, SHADOW, SWAPPED_ORIGINAL)
"""Arms trained from scratch, in this order."""
SHADOW_HALVES = "shadow half"
"""The name of the stream of seeds by which records are divided between shadow runs."""


@dataclass(frozen=True, eq=False)
class Study:
    """A claim that has passed all checks, with the data it is about, and the released model of an
    endpoint claim."""

    claim: Claim
    folder: Path
    data: Dataset
    sets: Sets
    duplicates: NearDuplicates
    released: Checkpoint | None = None

    @property
    def recipe(self) -> Recipe:
        """How every arm is trained."""
        return Recipe(**self.claim.training.model_dump(exclude={"train"}))

    @property
    def warnings(self) -> list[str]:
        """What the reader of the verdict must know about the data."""
        return duplicate_warnings(self.duplicates, len(self.sets.forget))

    @property
    def build(self) -> Build:
        """Builds a fresh model of the claim's architecture for this data; can be sent to a
        worker."""
        return builder(self.claim.model, self.folder, self.data.x.shape[1:], self.data.n_classes)

    @property
    def own_code(self) -> dict[str, str]:
        """name in the claim -> SHA-256 of the code behind it, for each function of the user's
        own."""
        claim = self.claim
        made_by = claim.made_by.name if claim.made_by else ""
        names = (claim.model.name, claim.training.train or "", made_by)
        return {name: code_digest(name, self.folder) for name in names if ":" in name}

    @property
    def states(self) -> tuple[str, ...]:
        """The states in which the procedure's models can be seen; none for most procedures."""
        if self.released:
            return ()
        return states_of(self.claim.procedure.name)

    @property
    def state(self) -> str:
        """The state that the claim is about, of a procedure that has several: the last, if it says
        nothing."""
        return str(self.claim.procedure.options.get("state", self.states[-1]))

    @property
    def trained(self) -> tuple[ArmKey, ...]:
        """The arms of this claim that are trained from scratch."""
        there = {SWAPPED_ORIGINAL: self.claim.runs.swap, VARIANT: self._varied}
        return tuple(arm for arm in TRAINED if there.get(arm, True))

    @property
    def _varied(self) -> bool:
        """Whether the auditor can retrain by another recipe: not by training of the user's own."""
        return not self.released and not self.claim.training.train and self.claim.training.epochs > 1

    @property
    def stressed(self) -> bool:
        """Whether the audit may go on to the stress world, in which the procedure is run again."""
        return self.claim.kind == "procedure" and self.claim.runs.stress

    def recipe_of(self, arm: ArmKey) -> Recipe:
        """How the runs of an arm are trained: those of the variant for half the epochs."""
        if arm != VARIANT:
            return self.recipe
        return replace(self.recipe, epochs=self.recipe.epochs // 2)

    @property
    def placebo(self) -> bool:
        """Whether the procedure is at hand, so that it can be applied to retrained runs too."""
        return self.claim.made_by is not None

    @cached_property
    def stand_ins(self) -> Indices:
        """What the placebo is asked to forget: test records, which no run ever sees."""
        seed = run_seed(self.claim.seed, "stand-ins of the placebo", 0)
        return draw_stand_ins(self.data.y, self.sets.forget, self.sets.test, seed)

    @property
    def swapped_in(self) -> Indices:
        """The control records that take the place of the forget records in the swapped world, as
        many: they are trained on there and then to be forgotten, and the forget records are never
        seen."""
        rng = np.random.default_rng(run_seed(self.claim.seed, "stand-ins", 0))
        return np.sort(rng.permutation(self.sets.control)[: len(self.sets.forget)])

    def labels(self, world: World) -> Indices:
        """(records of the data set,): what records are trained with, asked about, and named with in
        a request, in this world."""
        return self._wrong_labels if world == "stress" else self.data.y

    @cached_property
    def _wrong_labels(self) -> Indices:
        """Wrong ones of forget records and of stand-ins, the same for every run."""
        named = np.concatenate([self.sets.forget, self.stand_ins])
        seed = run_seed(self.claim.seed, "wrong labels", 0)
        return wrong_labels(self.data.y, named, self.data.n_classes, seed)

    def forgotten(self, arm: ArmKey) -> Indices:
        """The records that an unlearned or placebo arm, whatever its state, is made to forget."""
        if arm.kind == "placebo":
            return self.stand_ins
        return self.swapped_in if arm.world == "swapped" else self.sets.forget

    def members(self, arm: ArmKey) -> Indices:
        """The records each run of an arm is trained on: (runs, n), positions in the data set."""
        if arm == SHADOW:
            return shadow_halves(self.sets, _seeds(self.claim, SHADOW_HALVES, self.claim.runs.shadow))
        trained_on = [self.sets.retain]
        if arm.kind == "original":
            trained_on.append(self.forgotten(arm))
        return np.tile(np.concatenate(trained_on), (self.claim.runs.per_arm, 1))


def asked_records(study: Study) -> Indices:
    """The records every model is asked about, as positions in the data set: one set after the
    other."""
    return np.concatenate([getattr(study.sets, name) for name in SETS])


def run_seeds(claim: Claim, arm: ArmKey) -> list[int]:
    """The seed of each run of an arm."""
    return _seeds(claim, str(arm), claim.runs.shadow if arm == SHADOW else claim.runs.per_arm)


def _seeds(claim: Claim, stream: str, n: int) -> list[int]:
    return [run_seed(claim.seed, stream, i) for i in range(n)]


def between_looks(claim: Claim, arm: ArmKey) -> list[range]:
    """The runs of an arm, those that are new at each look together; shadow runs are all needed at
    the first."""
    ends = [claim.runs.shadow] if arm == SHADOW else [*claim.runs.looks, claim.runs.per_arm]
    return [range(a, b) for a, b in pairwise([0, *ends])]


def prepare(claim: Claim, folder: Path, problems: Sequence[str], tell: Reporter) -> Study:
    """Load the data, draw the sets, and refuse whatever cannot be audited: UsageError with every
    problem, those already found in the claim's file first. A data set that cannot be had raises its
    own error."""
    if claim.predictions:
        raise UsageError(
            *problems,
            "predictions: a claim about answers trains nothing, and there is nothing to plan; audit it, or"
            " lock it",
        )
    claim = fill_defaults(claim)
    problems = [*problems, *claim_problems(claim, folder)]
    source, directory = claim.data.source, claim.data.directory
    try:
        with tell.downloads() as progress:
            given = directory and folder / directory.expanduser()
            data = load(source, given, folder=folder, progress=progress)
    except UsageError as error:
        raise UsageError(*problems, *error.problems) from error
    problems += data_problems(claim, data, folder)
    released, unfit = load_checkpoint(claim, data, folder)
    problems += unfit
    if problems:
        raise UsageError(*problems)
    sets = draw_sets(data, ForgetRequest(**claim.forget.model_dump()), **sizes(claim), seed=claim.seed)
    near = near_duplicates(data.x[sets.forget], data.x[sets.retain])
    return Study(claim, folder, data, sets, near, released)


def sizes(claim: Claim) -> dict[str, int]:
    """How many records of each kind are drawn."""
    part = claim.data
    return {"train": part.train, "control": part.control, "test": part.test, "population": part.population}


def seeds_of(study: Study) -> dict[str, list[str]]:
    """arm -> the seed of each of its runs, in decimal."""
    claim = study.claim
    made = [
        UNLEARNED,
        *([PLACEBO] if study.placebo else []),
        *([SWAPPED_UNLEARNED] if claim.runs.swap else []),
        *(arm.within(STRESS) for arm in (ORIGINAL, UNLEARNED, PLACEBO) if study.stressed),
    ]
    streams = {str(arm): run_seeds(claim, arm) for arm in (*study.trained, *made)}
    streams[SHADOW_HALVES] = _seeds(claim, SHADOW_HALVES, claim.runs.shadow)
    return {name: [str(seed) for seed in seeds] for name, seeds in streams.items()}
