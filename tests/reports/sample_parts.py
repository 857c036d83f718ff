"""The parts of three made-up audits: a claim, findings, attacks, controls, exposure."""

from dataclasses import replace

from auditkit.core.ids import (
    EXACT,
    ORIGINAL,
    PLACEBO,
    RETRAINED,
    SPARED_IN_STRESS,
    SPARED_RECORDS,
    STRESS,
    TEST_ACCURACY,
    UNLEARNED,
    VISIBLE_RECORDS,
    Jitter,
    Query,
    TestId,
    attack_gap,
    residual_memory,
)
from auditkit.evidence.schema import (
    AttackSummary,
    Interval,
    Number,
    OperatingPoint,
    Ran,
)

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
        "visible": 0.8,
        "attack_gap": 0.03,
        "accuracy": 0.01,
        "jitter": [0.1, 0.3],
        "planning_sd": 0.15,
    },
}


GAP_METHOD = "difference of means over runs (AUC, unlearned - placebo)"


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


def ran(test: TestId, question: str, number: Number, margin: float | None, **changed: object) -> Ran:
    """A test that passed, but for what is changed."""
    passed = Ran(
        test, question, number, margin, True, 0.0004, 0.81, 1.0, "passed", True, True,
        "Both one-sided tests reject a difference as large as the margin.",
    )  # fmt: skip
    return replace(passed, **changed)  # type: ignore[arg-type]


FINDINGS = (
    ran(residual_memory(EXACT), "Is the memory of the forget records gone?", rho(0.031), 0.2),
    ran(residual_memory(Jitter(0.1)), "Is it gone near the forget records (jitter 0.1)?", rho(0.042), 0.2),
    ran(residual_memory(Jitter(0.3)), "Is it gone near the forget records (jitter 0.3)?", rho(0.055), 0.2),
    ran(
        SPARED_RECORDS,
        "Were some forget records never removed?",
        Number(
            2.1, None, None, None, 20, 9, "mixture score against groups of retrained runs", "decision.md, 3"
        ),
        None,
        p_passed=None,
        explanation="The score lies within what retrained models show among themselves.",
    ),
    ran(
        residual_memory(EXACT, STRESS),
        "Forget records with wrong labels: is their memory gone?",
        rho(0.003, 0.004),
        0.2,
        explanation="",
    ),
    ran(
        SPARED_IN_STRESS,
        "Forget records with wrong labels: was any left in?",
        Number(-1.1, None, None, None, 20, 88, "mixture score", "decision.md, 3"),
        None,
        p_passed=None,
        explanation="",
    ),
    ran(
        VISIBLE_RECORDS,
        "Is the influence of enough forget records visible to be judged?",
        Number(88 / 90, None, None, None, 20, 90, "share of the records", "method.md#visible-records"),
        0.8,
        two_sided=False,
        p_passed=0.0,
        p_refuted=1.0,
        informative=False,
        support_needs_informative=False,
        explanation="Of 90 forget records the influence of 42 is visible, and of 88 with wrong labels.",
    ),
    ran(
        attack_gap("lira"),
        "Does the likelihood-ratio attack see more than where the records had never been in?",
        Number(0.004, -0.009, 0.017, 0.9, 20, 270, GAP_METHOD, "Carlini et al. 2022, eq. 4"),
        0.03,
        refuting=Interval(-0.012, 0.02),
        informative=False,
        support_needs_informative=False,
        explanation=(
            "The no-op control passes this test too: on these data the attack sees little in any arm."
        ),
    ),
    ran(
        TEST_ACCURACY,
        "Is the test accuracy no worse than that of retrained models?",
        Number(-0.003, -0.0071, 0.0011, 0.9, 20, 250, "difference of means over runs", "Schuirmann 1987"),
        0.01,
        two_sided=False,
        support_needs_informative=False,
    ),
)


STAYED = tuple(round(0.97 + 0.01 * (k * 7 % 20 - 10), 3) for k in range(20))


FORGOT = tuple(round(0.03 + 0.012 * (k * 7 % 20 - 10), 3) for k in range(20))


LIKE_RETRAINED = tuple(round(-0.01 + 0.011 * (k * 3 % 20 - 10), 3) for k in range(20))


def points(lift: float) -> tuple[OperatingPoint, ...]:
    """The operating points of an attack that gains `lift` on original models."""
    rates = ((0.0167, 0.02), (0.05, 0.06), (0.1, 0.11), (0.25, 0.26), (0.5, 0.52))
    return tuple(
        OperatingPoint(
            fpr,
            {
                ORIGINAL: rate(round(min(tpr * lift, 0.97), 4)),
                UNLEARNED: rate(round(tpr * 1.05, 4)),
                PLACEBO: rate(round(tpr * 1.01, 4)),
                RETRAINED: rate(tpr),
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
    """One attack that sees `original` AUC before unlearning and next to nothing after it. The gap
    of a required test stands with its finding."""
    arms = {ORIGINAL: auc(original), UNLEARNED: auc(0.531), PLACEBO: auc(0.527), RETRAINED: auc(0.526)}
    gap = Number(0.004, -0.009, 0.017, 0.9, 20, 270, GAP_METHOD, "decision.md, 3")
    near: dict[Query, Number] = {Jitter(0.1): gap, Jitter(0.3): replace(gap, value=0.006)}
    balanced = {ORIGINAL: auc(original - 0.02), UNLEARNED: auc(0.512), PLACEBO: auc(0.51)}
    balanced[RETRAINED] = auc(0.509)
    required = any(finding.test == attack_gap(name) for finding in FINDINGS)
    own_gap = None if required else gap
    return AttackSummary(name, title, paper, family, arms, own_gap, near, balanced, points(lift), leads)


ATTACKS = (
    attack("lira", "Likelihood ratio (LiRA)", "Carlini et al. 2022", "reference models", 0.612, 2.1),
    attack("loss", "Loss threshold", "Yeom et al. 2018", "population", 0.561, 1.4),
    attack("entropy", "Modified entropy", "Song and Mittal 2021", "population", 0.566, 1.5),
    attack("reference", "Reference model", "Ye et al. 2022", "reference models", 0.589, 1.8, leads=False),
)
