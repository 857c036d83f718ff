"""Three complete audits, made up: one supported, one refuted, one whose control failed."""

import json
from dataclasses import asdict, replace

from auditkit.evidence.schema import (
    AgreedBy,
    Agreement,
    ArmSummary,
    AttackSummary,
    BeforeAfter,
    ClassMemory,
    Control,
    DataSummary,
    Drift,
    Evidence,
    Halves,
    InterfaceSummary,
    Look,
    NotChecked,
    Number,
    OperatingPoint,
    PrivacySummary,
    Ran,
    RecordExposure,
    Recovered,
    ResidualMemory,
    Scope,
    Skipped,
    State,
    SwapLine,
    Verdict,
)

RUN: dict[str, object] = {
    "started": "2026-11-22T09:45:10+00:00",
    "finished": "2026-11-22T09:57:14+00:00",
    "seconds": 724.2,
    "peak_memory_bytes": 1_234_567_890,
    "command": "auditkit audit digits-fnn.toml",
    "auditkit": "0.1.0",
}

CLAIM: dict[str, object] = {
    "name": "digits-fnn",
    "statement": (
        "After unlearning, the model has forgotten the records of the erasure request of 3 November."
    ),
    "claimant": "Example Scanning Ltd, model team",
    "auditor": "Example Scanning Ltd, data protection office",
    "threat_model": (
        "An outsider who can query the model freely and sees all its logits, but not its weights."
    ),
    "seed": 0,
    "data": {"source": "digits", "train": 900, "control": 180, "test": 250, "population": 467},
    "forget": {"fraction": 0.1, "label": None},
    "model": {"name": "mlp", "options": {"hidden": [128]}},
    "training": {
        "epochs": 60,
        "batch_size": 32,
        "learning_rate": 0.003,
        "weight_decay": 0.0,
        "optimiser": "adam",
    },
    "procedure": {"name": "fnn", "options": {"rates": "rank", "t": 50.0, "repair_epochs": 8}},
    "runs": {"per_arm": 20, "looks": [], "shadow": 16},
    "criteria": {
        "alpha": 0.05,
        "residual_memory": 0.2,
        "attack_gap": 0.03,
        "accuracy": 0.01,
        "jitter": [0.1, 0.3],
        "planning_sd": 0.15,
    },
}


def rho(value: float | None, half: float = 0.07, records: int = 90) -> Number:
    """A residual memory with a symmetric interval."""
    low, high = (None, None) if value is None else (round(value - half, 6), round(value + half, 6))
    return Number(value, low, high, 0.9, 20, records, "cross-fitted ratio over runs", "method/decision.md, 2")


def auc(value: float, half: float = 0.008) -> Number:
    """The area under an attack's ROC curve."""
    ends = round(value - half, 6), round(value + half, 6)
    return Number(value, *ends, 0.9, 20, 270, "mean over runs, t interval", "Fawcett 2006, algorithm 3")


def accuracy(value: float, records: int) -> Number:
    """The accuracy of an arm."""
    ends = round(value - 0.004, 6), round(value + 0.004, 6)
    return Number(value, *ends, 0.9, 20, records, "mean over runs, t interval", "Student 1908")


def ran(name: str, question: str, number: Number, margin: float | None, **changed: object) -> Ran:
    """A test that passed, but for what is changed."""
    passed = Ran(
        name, question, number, margin, True, 0.0004, 0.81, 1.0, "passed", True, True,
        "Both one-sided tests reject a difference as large as the margin.",
    )  # fmt: skip
    return replace(passed, **changed)  # type: ignore[arg-type]


FINDINGS = (
    ran("residual memory, exact", "Is the memory of the forget records gone?", rho(0.031), 0.2),
    ran("residual memory, jitter 0.1", "Is it gone near the forget records (jitter 0.1)?", rho(0.042), 0.2),
    ran("residual memory, jitter 0.3", "Is it gone near the forget records (jitter 0.3)?", rho(0.055), 0.2),
    ran(
        "spared records",
        "Were some forget records never removed?",
        Number(
            2.1, None, None, None, 20, 9, "mixture score against groups of retrained runs", "decision.md, 3"
        ),
        None,
        p_passed=None,
        explanation="The score lies within what retrained models show among themselves.",
    ),
    ran(
        "attack gap, lira",
        "Does the likelihood-ratio attack see more than it sees in retrained models?",
        Number(
            0.004, -0.009, 0.017, 0.9, 20, 270, "difference of means over runs", "Carlini et al. 2022, eq. 4"
        ),
        0.03,
        informative=False,
        support_needs_informative=False,
        explanation=(
            "The no-op control passes this test too: on these data the attack sees little in any arm."
        ),
    ),
    ran(
        "test accuracy",
        "Is the test accuracy no worse than that of retrained models?",
        Number(-0.003, -0.0071, None, 0.95, 20, 250, "difference of means over runs", "Schuirmann 1987"),
        0.01,
        two_sided=False,
        support_needs_informative=False,
    ),
)

STAYED = tuple(round(0.97 + 0.01 * (k * 7 % 20 - 10), 3) for k in range(20))
FORGOT = tuple(round(0.03 + 0.012 * (k * 7 % 20 - 10), 3) for k in range(20))
HONEST = tuple(round(-0.01 + 0.011 * (k * 3 % 20 - 10), 3) for k in range(20))


def points(lift: float) -> tuple[OperatingPoint, ...]:
    """The operating points of an attack that gains `lift` on original models."""
    rates = ((0.0167, 0.02), (0.05, 0.06), (0.1, 0.11), (0.25, 0.26), (0.5, 0.52))
    return tuple(
        OperatingPoint(
            fpr,
            {
                "original": rate(round(min(tpr * lift, 0.97), 4)),
                "unlearned": rate(round(tpr * 1.05, 4)),
                "retrained": rate(tpr),
            },
            Number(
                round(tpr * 0.05, 4),
                -0.01,
                0.02,
                0.9,
                20,
                270,
                "difference of means over runs",
                "decision.md, 3",
            ),
        )
        for fpr, tpr in rates
    )


def rate(value: float) -> Number:
    """A true-positive rate."""
    ends = round(value * 0.8, 5), round(min(value * 1.2, 1.0), 5)
    return Number(value, *ends, 0.9, 20, 270, "mean over runs, t interval", "Carlini et al. 2022, section 3")


def attack(
    name: str, title: str, paper: str, family: str, original: float, lift: float, *, leads: bool = True
) -> AttackSummary:
    """One attack that sees `original` AUC before unlearning and next to nothing after it."""
    arms = {"original": auc(original), "unlearned": auc(0.531), "retrained": auc(0.527)}
    gap = Number(0.004, -0.009, 0.017, 0.9, 20, 270, "difference of means over runs", "decision.md, 3")
    near = {"jitter 0.1": gap, "jitter 0.3": replace(gap, value=0.006)}
    balanced = {"original": auc(original - 0.02), "unlearned": auc(0.512), "retrained": auc(0.509)}
    return AttackSummary(name, title, paper, family, arms, gap, near, balanced, points(lift), leads)


ATTACKS = (
    attack("lira", "Likelihood ratio (LiRA)", "Carlini et al. 2022", "reference models", 0.612, 2.1),
    attack("loss", "Loss threshold", "Yeom et al. 2018", "population", 0.561, 1.4),
    attack("entropy", "Modified entropy", "Song and Mittal 2021", "population", 0.566, 1.5),
    attack("reference", "Reference model", "Ye et al. 2022", "reference models", 0.589, 1.8, leads=False),
)

CONTROLS = (
    Control(
        "honest retrain",
        "Twenty further models retrained without the records, judged as if they were the unlearned ones.",
        "supported",
        "supported",
        "supported",
        rho(-0.012),
        True,
    ),
    Control(
        "no-op",
        "The original models, handed in as unlearned.",
        "not supported",
        "not supported",
        "not_supported",
        rho(0.968),
        True,
    ),
    Control(
        "shuffled labels",
        "Runs with shuffled arm labels.",
        "not refuted",
        "inconclusive",
        "inconclusive",
        rho(0.21, 0.4),
        True,
    ),
)


def named(n: float, of: int = 42) -> Number:
    """A count of exposed records."""
    return Number(n, None, None, None, 20, of, "Benjamini-Hochberg", "docs/method.md#exposure")


def at_most(value: float, high: float, records: int) -> Number:
    """What the worst record shows, with its upper bound."""
    return Number(value, None, high, 0.95, 20, records, "Bonferroni", "docs/method.md#exposure")


EXPOSURE = RecordExposure(
    false_discoveries=0.1,
    records=90,
    unlearned=named(3),
    below=named(1),
    original=named(21),
    honest=named(0, 41),
    control=named(0, 180),
    share=at_most(0.41, 1.12, 31),
    honest_share=at_most(0.25, 1.02, 31),
    auc=at_most(0.71, 0.91, 90),
    honest_auc=at_most(0.69, 0.9, 90),
    halves=Halves(2, 3, 2, 0.14, 2 / 3, 10),
)

SUPPORTED = Evidence(
    schema=1,
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
        {"jitter 0.1": 1.21, "jitter 0.3": 3.63},
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
            "original",
            "Trained on retain and forget.",
            20,
            accuracy(0.999, 810),
            accuracy(0.998, 90),
            accuracy(0.964, 250),
        ),
        ArmSummary(
            "unlearned",
            "Original runs after the procedure.",
            20,
            accuracy(0.996, 810),
            accuracy(0.962, 90),
            accuracy(0.958, 250),
        ),
        ArmSummary(
            "retrained",
            "From scratch on retain only.",
            20,
            accuracy(0.999, 810),
            accuracy(0.961, 90),
            accuracy(0.961, 250),
        ),
    ),
    controls=CONTROLS,
    exposure=EXPOSURE,
    residual_memory=ResidualMemory(
        exact=rho(0.031),
        jittered=((0.1, rho(0.042)), (0.3, rho(0.055))),
        recovered=(
            Recovered("relearned", rho(0.048), rho(0.006)),
            Recovered("probe", rho(0.029), rho(-0.011)),
        ),
        honest=rho(-0.012),
        per_class=tuple(
            ClassMemory(k, rho(0.01 * k - 0.03, 0.3, 9), rho(0.002 * k, 0.3, 9)) for k in range(5)
        ),
        per_run={"original": STAYED, "unlearned": FORGOT, "honest": HONEST},
        effective_records=Number(9.4, None, None, None, 20, 90, "Kish's formula on the weights", "Kish 1965"),
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
            AgreedBy(1, {"original": 31, "unlearned": 9, "retrained": 8}),
            AgreedBy(4, {"original": 12, "unlearned": 2, "retrained": 2}),
        ),
    ),
    before_after=BeforeAfter(auc(0.552), auc(0.558)),
    swap=(SwapLine("loss", "Loss threshold", auc(0.012)),),
    privacy=None,
    utility=Number(-0.003, -0.0071, None, 0.95, 20, 250, "difference of means over runs", "Schuirmann 1987"),
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
    ),
    not_checked=(
        NotChecked("The weights", "The threat model gives access to logits only."),
        NotChecked("Relearning", "It needs the weights."),
    ),
    warnings=("3 of 90 forget records have a near-copy among the records that were kept.",),
    verdict=Verdict(
        "supported",
        "Supported: no test tells the unlearned models from models retrained without the records.",
        (
            "All six required tests passed at the margins locked before the run.",
            "All three controls came out as they should.",
        ),
        0.2,
        0.95,
        None,
    ),
)

NOT_SUPPORTED = replace(
    SUPPORTED,
    findings=(
        replace(
            FINDINGS[0],
            number=rho(0.412),
            p_passed=0.99,
            p_refuted=0.0001,
            p_refuted_holm=0.0006,
            result="refuted",
            explanation="The unlearned models still hold more memory than the margin allows.",
        ),
        *FINDINGS[1:],
    ),
    residual_memory=replace(
        SUPPORTED.residual_memory,
        exact=rho(0.412),
        per_run={
            "original": STAYED,
            "unlearned": tuple(round(x + 0.382, 3) for x in FORGOT),
            "honest": HONEST,
        },
    ),
    states=(),
    verdict=Verdict(
        "not_supported",
        "Not supported: about 0.41 of the memory of the forget records is left.",
        ("Residual memory is refuted at margin 0.2 (Holm-corrected p = 0.0006).",),
        0.2,
        0.95,
        None,
    ),
)

INCONCLUSIVE = replace(
    SUPPORTED,
    exposure=None,
    interface=InterfaceSummary(("only the predicted class is answered",)),
    claim=CLAIM | {"name": "pipes | and <marks>", "auditor": None},
    controls=(
        CONTROLS[0],
        replace(CONTROLS[1], found="supported", outcome="supported", passed=False),
        replace(CONTROLS[2], rho=None),
    ),
    findings=(
        replace(
            FINDINGS[0], number=rho(None), result="undecided", explanation="No weight was left to compare."
        ),
        Skipped(
            "residual memory, relearned",
            "Does the memory come back when half of it is taught again?",
            "needs the weights",
        ),
        *FINDINGS[4:],
    ),
    residual_memory=replace(
        SUPPORTED.residual_memory,
        exact=rho(None),
        jittered=(),
        recovered=(),
        per_class=(),
        per_run={"unlearned": ()},
    ),
    attacks=(replace(ATTACKS[0], points=(), near={}),),
    agreement=None,
    swap=(),
    privacy=PrivacySummary(
        2.0,
        1e-5,
        0.0,
        None,
        Number(3.7, 3.7, None, 0.95, 1, 500, "one-run lower bound", "Steinke et al. 2023"),
        4.18,
        500,
        200,
        199,
        0.0003,
        0.79,
        "Epsilon is at least 3.70. That is above the claim, which is refuted.",
    ),
    states=(),
    warnings=(),
    verdict=Verdict(
        "inconclusive",
        "Inconclusive: the audit failed, because it did not notice that the no-op control forgot nothing.",
        ("The no-op control came out as supported.", "One required test was skipped."),
        0.2,
        0.95,
        48,
        28,
        "It would take about 48 runs an arm to decide, 28 further ones, if the truth is what it now seems.",
    ),
)

ALL = {"supported": SUPPORTED, "not_supported": NOT_SUPPORTED, "inconclusive": INCONCLUSIVE}


def as_json(evidence: Evidence) -> bytes:
    """The evidence as the bundle holds it."""
    return json.dumps(asdict(evidence), sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
