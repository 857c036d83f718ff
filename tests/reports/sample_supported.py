"""A complete audit, made up, that supports its claim."""

from auditkit.core.ids import (
    EXACT,
    HONEST,
    ORIGINAL,
    PLACEBO,
    RETRAINED,
    UNLEARNED,
    VARIANT,
    Jitter,
)
from auditkit.evidence.schema import (
    AgreedBy,
    Agreement,
    ArmSummary,
    BeforeAfter,
    ClassMemory,
    DataSummary,
    Drift,
    DriftLine,
    Evidence,
    Look,
    NotChecked,
    Number,
    RecoveredMemory,
    ResidualMemory,
    Scope,
    State,
    SwapLine,
    Verdict,
)
from tests.reports.sample_controls import CONTROLS, EXPOSURE
from tests.reports.sample_parts import (
    ATTACKS,
    CLAIM,
    FINDINGS,
    FORGOT,
    LIKE_RETRAINED,
    STAYED,
    accuracy,
    auc,
    rho,
)

SUPPORTED = Evidence(
    schema=2,
    lock_sha256="3f7c0b8e2d5a4f6191c2e7d08b6a5f4c3e2d1c0b9a8f7e6d5c4b3a2918070605",
    claim=CLAIM,
    scope=Scope(
        "procedure",
        ("What the procedure, as the auditor ran it, leaves behind.",),
        ("Anything of a released model.",),
    ),
    data=DataSummary(
        "digits",
        "Handwritten digits, Alpaydin and Kaynak 1998",
        "CC BY 4.0",
        "9a1b2c3d4e5f60718293a4b5c6d7e8f90112233445566778899aabbccddeeff0",
        {"retain": 810, "forget": 90, "control": 180, "test": 250, "population": 467},
        3,
        0,
        {Jitter(0.1): 1.21, Jitter(0.3): 3.63},
    ),
    interface=None,
    environment={
        "python": "3.11.2",
        "torch": "2.9.1",
        "numpy": "2.3.5",
        "device": "cpu",
        "plan": "stack of 20",
    },
    looks=(Look(20, 0.05, "supported", ()),),
    arms=(
        ArmSummary(
            ORIGINAL,
            "Trained on retain and forget.",
            20,
            accuracy(0.999, 810),
            accuracy(0.998, 90),
            accuracy(0.964, 250),
        ),
        ArmSummary(
            UNLEARNED,
            "Original runs after the procedure.",
            20,
            accuracy(0.996, 810),
            accuracy(0.962, 90),
            accuracy(0.958, 250),
        ),
        ArmSummary(
            RETRAINED,
            "From scratch on retain only.",
            20,
            accuracy(0.999, 810),
            accuracy(0.961, 90),
            accuracy(0.961, 250),
        ),
        ArmSummary(
            HONEST,
            "Retrained once more.",
            20,
            accuracy(0.998, 810),
            accuracy(0.96, 90),
            accuracy(0.962, 250),
        ),
        ArmSummary(
            PLACEBO,
            "Honest runs after the same procedure.",
            20,
            accuracy(0.997, 810),
            accuracy(0.959, 90),
            accuracy(0.957, 160),
        ),
        ArmSummary(
            VARIANT,
            "Retrained for half the epochs.",
            20,
            accuracy(0.995, 810),
            accuracy(0.955, 90),
            accuracy(0.955, 250),
        ),
    ),
    controls=CONTROLS,
    exposure=EXPOSURE,
    residual_memory=ResidualMemory(
        recovered=(
            RecoveredMemory("relearned", rho(0.048), rho(0.006)),
            RecoveredMemory("probe", rho(0.029), rho(-0.011)),
        ),
        per_class=tuple(
            ClassMemory(k, rho(0.01 * k - 0.03, 0.3, 9), rho(0.002 * k, 0.3, 9)) for k in range(5)
        ),
        per_run={ORIGINAL: STAYED, UNLEARNED: FORGOT, HONEST: LIKE_RETRAINED},
        effective_records=Number(9.4, None, None, None, 20, 90, "Kish's formula on the weights", "Kish 1965"),
        largest_share=Number(0.257, None, None, None, 20, 90, "share of the gap", "decision.md, 3"),
        largest_three=Number(0.525, None, None, None, 20, 90, "share of the gap", "decision.md, 3"),
        smallest_detectable=Number(
            0.12, None, None, None, 20, 90, "power 0.8 at the honest runs' spread", "decision.md, 3"
        ),
        could_see=(
            "The smallest residual memory that this audit would have told from none, with probability 0.8,"
            " is 0.12."
        ),
    ),
    states=(
        State("gate on", rho(0.81), accuracy(0.962, 250), False),
        State("gate off", rho(0.968), accuracy(0.964, 250), False),
        State("folded and repaired", rho(0.031), accuracy(0.958, 250), True),
    ),
    findings=FINDINGS,
    attacks=ATTACKS,
    agreement=Agreement(
        0.05,
        4,
        90,
        (
            AgreedBy(1, {ORIGINAL: 31, UNLEARNED: 9, PLACEBO: 7, RETRAINED: 8}),
            AgreedBy(4, {ORIGINAL: 12, UNLEARNED: 2, PLACEBO: 1, RETRAINED: 2}),
        ),
    ),
    before_after=BeforeAfter(auc(0.552), auc(0.558)),
    swap=(SwapLine("loss", "Loss threshold", auc(0.012)),),
    privacy=None,
    drift=Drift(
        Number(
            1.02, 0.97, 1.07, 0.9, 20, 180, "least squares of margins on retrained means", "decision.md, 2"
        ),
        Number(
            0.98, None, None, None, 20, 180, "rank correlation over that of retrained runs", "decision.md, 3"
        ),
        0.7,
        Number(1.4, None, None, None, 20, 180, "kappa", "decision.md, 3"),
        Number(0.02, None, None, None, 20, 180, "drift of control records", "decision.md, 3"),
        (
            DriftLine(EXACT, rho(0.091), rho(0.06)),
            DriftLine(Jitter(0.1), rho(0.112), rho(0.07)),
        ),
    ),
    not_checked=(
        NotChecked("The weights", "The threat model gives access to logits only."),
        NotChecked("Relearning", "It needs the weights."),
    ),
    warnings=("3 of 90 forget records have a near-copy among the records that were kept.",),
    verdict=Verdict(
        "supported",
        (
            "Supported for the 88 of 90 forget records whose influence is visible when they carry wrong"
            " labels: no test tells the unlearned models from those in which the records had never been. Of"
            " the other 2 nothing can be said."
        ),
        (
            "All nine required tests passed at the margins locked before the run.",
            "All five controls came out as they should.",
        ),
        0.2,
        0.9,
        None,
    ),
)
