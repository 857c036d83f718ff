"""Controls and exposure of three made-up audits."""

from auditkit.evidence.schema import Control, Halves, Number, RecordExposure
from tests.reports.sample_parts import rho

CONTROLS = (
    Control(
        "honest retrain",
        "Twenty further models retrained without the records, judged as if they were the unlearned ones.",
        "not refuted",
        "supported",
        "supported",
        rho(-0.012),
        True,
    ),
    Control(
        "another recipe",
        "Models retrained for half the epochs, judged as if they were the unlearned ones.",
        "not refuted",
        "inconclusive",
        "inconclusive",
        rho(0.04),
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
        "exchanged labels",
        "Runs of which half have exchanged their labels.",
        "not refuted",
        "inconclusive",
        "inconclusive",
        rho(0.21, 0.4),
        True,
    ),
    Control(
        "placebo",
        "The procedure's own runs that never saw the forget records.",
        "residual memory not above 0.2",
        "not above it",
        "inconclusive",
        rho(-0.018),
        True,
    ),
)


def named(n: float, of: int = 42) -> Number:
    """A count of exposed records."""
    return Number(n, None, None, None, 20, of, "Benjamini-Hochberg", "method.md#exposure")


def at_most(value: float, high: float, records: int) -> Number:
    """What the worst record shows, with its upper bound."""
    return Number(value, None, high, 0.95, 20, records, "Bonferroni", "method.md#exposure")


EXPOSURE = RecordExposure(
    false_discoveries=0.1,
    records=90,
    unlearned=named(3),
    below=named(1),
    original=named(21),
    honest=named(0, 41),
    control=named(0, 180),
    if_alone=Number(0.69, None, None, None, 20, 42, "mean over records", "method.md#exposure"),
    share=at_most(0.41, 1.12, 31),
    honest_share=at_most(0.25, 1.02, 31),
    auc=at_most(0.71, 0.91, 90),
    honest_auc=at_most(0.69, 0.9, 90),
    halves=Halves(2, 3, 2, 0.14, 2 / 3, 10),
)
