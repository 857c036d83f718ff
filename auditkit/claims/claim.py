"""The claim: what is said to be forgotten, by which procedure, judged by which criteria.

A claim is a TOML file that becomes a frozen value. Every key has a default, so that a claim can be
as short as what it says differently from the built-in one; no key that auditkit does not know is
let through, as a misspelt margin that silently keeps its default is the worst error this tool could
make.
"""

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from auditkit.claims.privacy import Privacy
from auditkit.core.errors import UsageError

STANDARD = (
    "loss", "loss-per-class", "entropy", "entropy-per-class", "modified-entropy",
    "modified-entropy-per-class", "hinge", "hinge-per-class", "attack-p-per-class", "quantile-regression", "lira-online", "lira-offline",
    "rmia-online", "rmia-offline", "attack-r", "difficulty-calibration", "shokri-lr", "gap",
    "label-stability-noise",
)  # fmt: skip
"""What a claim that says nothing else is held to: every kind that needs no more than the threat
model that is the default gives. Confidence and Attack-P rank as the loss does; of variants the best
stands for all."""


REPORTED = ("label-stability-shifts", "gradient-norm", "u-lira")
"""What is mounted besides and held against nobody. Shifts need images and gradients the weights.
U-LiRA compares with the very arms that are judged: its gap counts memory twice, and its error is
not that between runs."""

Kind = Literal["procedure", "endpoint", "predictions"]
ONE_RUN_MARGINS = {"residual_memory": 0.5, "attack_gap": 0.1, "accuracy": 0.03}
"""Margins of a claim about one run that says nothing of them. With the margins of a procedure claim
the noise of the one run would leave nearly every honest model undecided; see
docs/method.md#one-run-against-many."""
Recovery = Literal["relearned", "probe", "rescaled"]

BUILT_IN = Path(__file__).parent / "digits-fnn.toml"
"""The claim that `auditkit audit` judges if it is given none."""

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Probability = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=1)]


class Part(BaseModel):
    """Frozen, and closed to keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)


class DataClaim(Part):
    """Where the records come from and how many play which part.

    source: a name of `auditkit.data.SOURCES`, a path to an .npz file, which like `directory`
    starts at the folder of the claim, or the user's own function `load_data()` (see `ModelClaim`
    for how it is named, and `auditkit.data.user_data.load_own` for what it returns). directory: of
    the IDX files, if they are nowhere auditkit looks by itself; not part of the claim's identity,
    the data's checksum is. train: retain + forget. The others: see `auditkit.data.Sets`.
    """

    source: str = "digits"
    directory: Path | None = Field(default=None, exclude=True)
    train: Count = 900
    control: Count = 200
    test: Count = 250
    population: Annotated[int, Field(ge=0)] = 440


class ForgetClaim(Part):
    """Exactly one of: a random `fraction` of train, the `ids` of records, all records of a class
    `label`."""

    fraction: float | None = None
    ids: tuple[str, ...] | None = None
    label: int | None = None


class ModelClaim(Part):
    """The architecture: its name in `auditkit.models.architectures.MODELS`, or the user's own
    function `build_model() -> nn.Module` as "package.module:function" or "./file.py:function", the
    path starting at the folder of the claim: running such a claim runs that code. options: its
    keyword arguments."""

    name: str = "mlp"
    options: dict[str, Any] = Field(default_factory=dict)


class TrainingClaim(Part):
    """How every arm is trained (see `auditkit.training.Recipe`).

    train: the user's own function `train(model, data, seed) -> model` in place of the recipe, named
    like a model of the user's own; data are the `auditkit.unlearning.Records` that one run is
    trained on.
    """

    epochs: Count = 60
    batch_size: Count = 32
    learning_rate: Positive = 0.003
    weight_decay: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    optimiser: Literal["adam", "adamw", "sgd"] = "adam"
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    schedule: Literal["constant", "cosine", "step"] = "constant"
    gamma: Annotated[float, Field(gt=0, le=1)] = 0.1
    augment: tuple[Literal["shift", "flip"], ...] = ()
    train: str | None = None


class ProcedureClaim(Part):
    """The unlearning procedure: its name in `auditkit.unlearning.UNLEARNERS`, or the user's own as
    "package.module:function" or "./file.py:function", starting at the folder of the claim: running
    such a claim runs that code. options: its keyword arguments."""

    name: str = "fnn"
    options: dict[str, Any] = Field(default_factory=dict)


class ReleaseClaim(Part):
    """One released checkpoint, in place of a procedure: an endpoint claim. weights: a .safetensors
    file, or a state_dict in a .pt or .pth file, which is read without unpickling any code; relative
    paths start at the folder of the claim."""

    weights: Path


class PredictionsClaim(Part):
    """Answers handed in, in place of anything to be trained. file: an .npz file (laid out as
    `auditkit.signals.predictions_file` says); relative paths start at the folder of the claim."""

    file: Path


class RunsClaim(Part):
    """per_arm: runs of each of original, unlearned, retrained and the honest control, at most.
    looks: after how many of them the audit looks whether it can decide already, before the last
    look at all; each look costs some of alpha (`auditkit.statistics.sequential`). shadow: runs of
    the attacker's own. swap: whether the SWAP test is made (Tu et al. 2025): it takes as many
    original and unlearned runs again, of a world in which control records stand in for the forget
    records."""

    per_arm: Annotated[int, Field(ge=3)] = 20
    looks: tuple[Annotated[int, Field(ge=3)], ...] = ()
    shadow: Annotated[int, Field(ge=0)] = 16
    swap: bool = False


class Criteria(Part):
    """What would count as forgotten; locked before the first model is trained.

    alpha: level of each test. residual_memory: margin on rho. attack_gap: margin on the difference
    of each attack's AUC to retrained. accuracy: how much lower than retrained the test accuracy may
    be. jitter: radii of the jittered queries, as shares of the median nearest-neighbour distance; a
    filter that answers for the forget records escapes only if it reaches further than the largest.
    With the default it then answers for nearly every record there is. attacks: names in
    `auditkit.attacks.ATTACKS`. reported: further ones that are mounted and reported, and required
    of nobody. recoveries: names in `auditkit.probes.RECOVERIES`, ways to make a model show what its
    weights still hold; that of relearned models is a required test, the others are reported.
    planning_sd: the standard deviation of the residual memory of one retrained run that the number
    of runs is planned with.
    """

    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    residual_memory: Annotated[float, Field(gt=0, lt=1)] = 0.2
    attack_gap: Annotated[float, Field(gt=0, lt=0.5)] = 0.03
    accuracy: Probability = 0.01
    jitter: Annotated[tuple[Positive, ...], Field(min_length=1)] = (0.3, 1.0, 2.0)
    attacks: Annotated[tuple[str, ...], Field(min_length=1)] = STANDARD
    reported: tuple[str, ...] = REPORTED
    recoveries: tuple[Recovery, ...] = ("relearned", "probe", "rescaled")
    planning_sd: Positive = 0.15

    def at(self, share: float) -> "Criteria":
        """These criteria at a look that spends so much of alpha."""
        return self.model_copy(update={"alpha": share * self.alpha})

    @property
    def all_attacks(self) -> tuple[str, ...]:
        """Every attack that is mounted, required or not, each once."""
        return tuple(dict.fromkeys((*self.attacks, *self.reported)))


class Claim(Part):
    """A claim of unlearning. name: a short handle. statement: what is claimed. claimant: who says
    so. auditor: who checks. threat_model: what the attacker can do. seed: of everything random.
    procedure, release, predictions: what is claimed to have forgotten, one of the three; see
    `Claim.kind`. privacy: for a claim that training is differentially private, which is then put to
    the test as well."""

    name: Annotated[str, Field(min_length=1, max_length=80)] = "digits-fnn"
    statement: str = "The forget records have been erased from the model."
    claimant: str = "not stated"
    auditor: str = "whoever runs auditkit"
    threat_model: str = (
        "The attacker queries the model as often as they like, also near the forgotten records, reads its"
        " logits, knows how it was trained, holds other records like those it was trained on, and may"
        " fine-tune a copy of it."
    )
    seed: Annotated[int, Field(ge=0)] = 0
    data: DataClaim = DataClaim()
    forget: ForgetClaim = ForgetClaim(fraction=0.2)
    model: ModelClaim = ModelClaim()
    training: TrainingClaim = TrainingClaim()
    procedure: ProcedureClaim = ProcedureClaim()
    release: ReleaseClaim | None = None
    predictions: PredictionsClaim | None = None
    runs: RunsClaim = RunsClaim()
    criteria: Criteria = Criteria()
    privacy: Privacy | None = None

    @property
    def kind(self) -> Kind:
        """What the claim is about: a procedure, one released model, or answers that were handed
        in."""
        return "endpoint" if self.release else "predictions" if self.predictions else "procedure"


def read_claim(path: Path) -> tuple[Claim, list[str]]:
    """The claim in a TOML file, and every problem with what it says.

    A key with a problem keeps its default in the claim returned, so that the caller can go on and
    find the problems that lie elsewhere; such a claim must not be run. Raises UsageError where
    there is no TOML to read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: a claim must be a readable TOML file, found: {error}") from error
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: a claim must be valid TOML, found: {error}") from error
    return parse_claim(raw)


def parse_claim(raw: dict[str, Any]) -> tuple[Claim, list[str]]:
    """The same from the parsed TOML."""
    try:
        return fill_defaults(Claim.model_validate(raw)), []
    except ValidationError as error:
        problems = [_problem(e) for e in error.errors()]
        sound = raw
        for e in error.errors():
            sound = _without(sound, e["loc"])
        return fill_defaults(Claim.model_validate(sound)), problems


def fill_defaults(claim: Claim) -> Claim:
    """The claim with the margins of its kind written out where it says nothing of them, so that
    they are locked."""
    return with_margins(claim, ONE_RUN_MARGINS) if claim.kind == "endpoint" else claim


def with_margins(claim: Claim, margins: Mapping[str, object]) -> Claim:
    """The claim with these criteria where it does not set them itself."""
    unsaid = {name: value for name, value in margins.items() if name not in claim.criteria.model_fields_set}
    return claim.model_copy(update={"criteria": claim.criteria.model_copy(update=unsaid)})


def _problem(error: Any) -> str:
    """A pydantic error as where, what is wrong, what was found, what to do."""
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        known = _fields(error["loc"][:-1])
        close = difflib.get_close_matches(str(error["loc"][-1]), known, n=1)
        meant = f"did you mean {close[0]!r}?" if close else f"known here: {', '.join(known)}"
        return f"{where}: not a key of a claim; {meant}"
    return f"{where}: {error['msg'][0].lower()}{error['msg'][1:]}, found {error['input']!r}"


def _fields(loc: tuple[Any, ...]) -> list[str]:
    part: type[BaseModel] = Claim
    for name in loc:
        annotation = part.model_fields[name].annotation
        kinds = [kind for kind in (annotation, *get_args(annotation)) if isinstance(kind, type)]
        part = next(kind for kind in kinds if issubclass(kind, BaseModel))
    return list(part.model_fields)


def _without(raw: dict[str, Any], loc: tuple[Any, ...]) -> dict[str, Any]:
    """raw without the key at loc, or without as much of the path as is a table."""
    head, *rest = loc
    if head not in raw:
        return raw
    if rest and isinstance(raw[head], dict):
        return {**raw, head: _without(raw[head], tuple(rest))}
    return {key: value for key, value in raw.items() if key != head}
