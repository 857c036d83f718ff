"""The claim: what is said to be forgotten, by which procedure, judged by which criteria.

A claim is a TOML file that becomes a frozen value. Every key has a default, so that a claim can be
as short as what it says differently from the built-in one; no key that auditkit does not know is
let through, as a misspelt margin that silently keeps its default is the worst error this tool could
make.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from auditkit.claims.criteria import Criteria
from auditkit.claims.part import Count, Part, Positive
from auditkit.claims.privacy import Privacy

Kind = Literal["procedure", "endpoint", "predictions"]
BUILT_IN = Path(__file__).parent / "digits-fnn.toml"
"""The claim that `auditkit audit` judges if it is given none."""


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
    paths start at the folder of the claim. procedure: by which it is said to be made, where that is
    handed over too: it is run on retrained models, as a placebo, so that what it does to any model
    is not taken for memory."""

    weights: Path
    procedure: ProcedureClaim | None = None


class PredictionsClaim(Part):
    """Answers handed in, in place of anything to be trained. file: an .npz file (laid out as
    `auditkit.signals.predictions_file` says); relative paths start at the folder of the claim."""

    file: Path


class RunsClaim(Part):
    """per_arm: runs of each of original, unlearned, retrained and the honest control, at most.
    looks: after how many of them the audit looks whether it can decide already, before the last
    look at all; each look costs some of alpha (`auditkit.statistics.sequential`). shadow: runs of
    the attacker's own. stress: whether the audit may go on to the stress world, in which the forget
    records carry wrong labels, where nothing else stands in the way of support than that too few
    forget records show any memory: it takes as many original, unlearned and placebo runs again.
    swap: whether the SWAP test is made (Tu et al. 2025): it takes as many
    original and unlearned runs again, of a world in which control records stand in for the forget
    records."""

    per_arm: Annotated[int, Field(ge=3)] = 20
    looks: tuple[Annotated[int, Field(ge=3)], ...] = ()
    shadow: Annotated[int, Field(ge=0)] = 16
    stress: bool = True
    swap: bool = False


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

    @property
    def made_by(self) -> ProcedureClaim | None:
        """The procedure that can be run: the one claimed, or the one that a released model was made
        by; None where none is at hand."""
        if self.release:
            return self.release.procedure
        return None if self.predictions else self.procedure
