"""How often required tests are wrong where the truth is on their margin or the claim is honest.

The findings are those of an audit. The spared-records test is the one shortcut: its p-value is at
least exp(-T), so that the null of divided retrained runs is worked out only where that alone would
not already keep p above alpha.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from auditkit.claims.criteria import Criteria
from auditkit.core.ids import EXACT, SPARED_RECORDS, Jitter
from auditkit.core.ids import residual_memory as residual_memory_test
from auditkit.evidence.memory_numbers import residual_memory
from auditkit.evidence.schema import Finding, Findings, Ran
from auditkit.signals.arms import Arm, Arms
from auditkit.statistics.hypotheses import p_above, paired
from auditkit.statistics.likelihood import Gap, Spread, excess_spreads, statistics
from auditkit.statistics.margins import Floats, Margins, calibrated, stacked
from auditkit.statistics.power import POWER
from auditkit.statistics.prediction import rho_equivalence
from auditkit.statistics.residual import Memory, memory
from auditkit.statistics.sequential import Level
from auditkit.statistics.spared import spared
from auditkit.verdict.difference_tests import accuracy_finding, gap_finding
from auditkit.verdict.judging import conclude, judge, passes
from auditkit.verdict.memory_tests import nothing_remembered, residual_finding, spared_finding
from tests.simulations.over_runs import accuracies
from tests.simulations.residual import RhoCase, unclipped
from tests.simulations.worlds import Rng, World, arms_of, scores, world

ALPHA = 0.05
SPARED_GROUPS = 99
"""Divisions that make the null of spared records by itself; the family has as many as an audit."""
CRITERIA = Criteria(attacks=("loss",), jitter=(0.1,))


@dataclass(frozen=True)
class Size:
    """One wrong answer in one setting. nominal: how often it may be given at most. found: how often
    it was, with its Monte-Carlo standard error.
    """

    test: str
    setting: str
    n: int
    wrong: str
    nominal: float
    found: float
    error: float

    @property
    def above(self) -> bool:
        """Whether it is given more often than it may, beyond chance."""
        return self.found - 3 * self.error > self.nominal


def size(test: str, setting: str, n: int, wrong: str, nominal: float, answers: Iterable[bool]) -> Size:
    """answers: whether the wrong answer was given, one a replicate."""
    wrong_ones = np.array(list(answers))
    found = float(wrong_ones.mean())
    error = float(np.sqrt(max(found * (1 - found), 1 / len(wrong_ones)) / len(wrong_ones)))
    return Size(test, setting, n, wrong, nominal, found, error)


def on_the_margin(
    test: str, setting: str, n: int, findings: Iterator[Finding], one_sided: bool = False
) -> list[Size]:
    """Both answers with the truth on the margin. Refutation looks at both sides, so half of alpha
    is at each.
    """
    ran = [f if isinstance(f, Ran) else None for f in findings]
    passed = [f is not None and passes(f, Level(ALPHA)) for f in ran]
    refuted = [f is not None and f.p_refuted <= ALPHA for f in ran]
    return [
        size(test, setting, n, "passed", ALPHA, passed),
        size(test, setting, n, "refuted", ALPHA if one_sided else ALPHA / 2, refuted),
    ]


def queried(margins: Margins, accuracy: Floats | None = None) -> Arm:
    """An arm with these margins, the loss attack, and accuracies."""
    own = np.zeros(margins.runs) if accuracy is None else accuracy
    return Arm({EXACT: margins}, {"loss": scores(margins)}, own)


def arms_in(rng: Rng, made: World, n: int, share: float) -> Arms:
    """Four arms of one query."""
    O, U, R = (queried(m) for m in made.arms(rng, n, share))
    return Arms(O, U, R, queried(made.runs(rng, n, 0.0)), {})


def residual_sizes(case: RhoCase, memories: Sequence[Memory], truth: float) -> list[Size]:
    """Residual memory, its margin put where the truth is; behind the power gate, as in an audit."""
    tests = [None if nothing_remembered(m, ALPHA) else rho_equivalence(m, abs(truth)) for m in memories]
    setting = f"{case.setting}, truth = {'' if truth > 0 else '- '}margin = {truth:.2f}"
    passed = [t is not None and t.p_within <= ALPHA for t in tests]
    refuted = [t is not None and t.p_outside <= ALPHA for t in tests]
    return [
        size("residual memory", setting, case.n, "passed", ALPHA, passed),
        size("residual memory", setting, case.n, "refuted", ALPHA / 2, refuted),
    ]


def gap_sizes(replicates: int) -> list[Size]:
    """An attack's gap, the truth on its margin for these records."""
    base, found = world(), []
    for setting, made, n in (
        ("truth = margin", base, 8),
        ("truth = margin", base, 20),
        ("truth = margin, unlearned twice as noisy", replace(base, noisier=2.0), 8),
    ):
        rng, share = np.random.default_rng(7), 0.5
        criteria = CRITERIA.model_copy(update={"attack_gap": made.auc(share, recipe=True) - made.auc(0.0)})
        findings = (gap_finding(arms_in(rng, made, n, share), "loss", criteria) for _ in range(replicates))
        found += on_the_margin("attack gap", setting, n, findings)
    return found


def accuracy_sizes(replicates: int) -> list[Size]:
    """Test accuracy, the truth on its margin."""
    sizes = []
    for setting, n, between in (
        ("truth = margin", 8, 0.1),
        ("truth = margin", 20, 0.1),
        ("truth = margin, unlearned vary more", 8, 0.4),
    ):
        rng, R, U = np.random.default_rng(8), accuracies(0.90, 250, 0.1), accuracies(0.89, 250, between)
        arms = (accuracy_arms(R(rng, n), U(rng, n)) for _ in range(replicates))
        findings = (accuracy_finding(a, CRITERIA, 250) for a in arms)
        sizes += on_the_margin("test accuracy", setting, n, findings, one_sided=True)
    return sizes


def accuracy_arms(R: Floats, U: Floats) -> Arms:
    """Arms of retrained and unlearned runs with these accuracies; their margins do not matter."""
    margins = world().runs(np.random.default_rng(0), len(R), 0.0)
    retrained, unlearned = queried(margins, R), queried(margins, U)
    return Arms(retrained, unlearned, retrained, retrained, {})


def suspicious(arms: Arms) -> bool:
    """Whether exp(-T), which the p-value of spared records is at least, is at most alpha."""
    O, U, R, H, _ = (arm.margins[EXACT] for arm in arms.judged)
    pool = stacked(R, H)
    reference = pool.control.mean(axis=0)
    O, U, R, pool = (calibrated(arm, reference) for arm in (O, U, R, pool))
    kappa = excess_spreads(Spread.of(U.control), Spread.of(R.control))
    T = statistics(Gap.of(O, pool), Spread.of(U.forget), Spread.of(R.forget), kappa, ())
    return bool(np.exp(-T[0]) <= ALPHA)


def recipes() -> dict[str, World]:
    """Honest runs that retrain by the same recipe as the retrained ones or by another."""
    base, rng = world(), np.random.default_rng(9)
    moved = rng.normal(0, 0.3, len(base.spread))
    return {
        "same recipe": base,
        "same recipe, heavy tails (t, 3 df)": replace(base, tails=3),
        "same recipe, runs share effects": replace(
            base, shared=rng.normal(0, 0.7, len(base.spread)), slope=0.15, intercept=0.5
        ),
        "another temperature, scatter x 1.3": replace(base, temperature=0.7, offset=0.3, noisier=1.3),
        "every record drifts (SD 0.3)": replace(base, drift=moved),
    }


def spared_sizes(replicates: int) -> list[Size]:
    """Spared records, nothing spared."""
    found = []
    for setting, made in recipes().items():
        for n in (5, 8, 20) if setting.startswith("same") else (8,):
            rng = np.random.default_rng(10)
            refuted = []
            for _ in range(replicates):
                arms = arms_in(rng, made, n, 0.0)
                refuted.append(suspicious(arms) and spared_p(arms) <= ALPHA)
            found.append(size("spared records", f"honest, {setting}", n, "refuted", ALPHA, refuted))
    return found


def spared_p(arms: Arms) -> float:
    """The p-value of the spared-records test."""
    O, U, R, H = (a.margins[EXACT] for a in (arms.original, arms.unlearned, arms.retrained, arms.honest))
    return spared(O, U, R, H, groups=SPARED_GROUPS, seed=0, alpha=ALPHA).p


def family_of(arms: Arms) -> Findings:
    """All required findings of an audit."""
    queries = (EXACT, Jitter(0.1))
    findings: list[Finding] = [residual_finding(arms, residual_memory_test(q), CRITERIA) for q in queries]
    findings += [gap_finding(arms, attack, CRITERIA) for attack in CRITERIA.attacks]
    accuracy = accuracy_finding(arms, CRITERIA, 250)
    assert isinstance(accuracy, Ran)
    harmless = replace(accuracy, test=SPARED_RECORDS, p_refuted=1.0)
    findings += [
        accuracy,
        spared_finding(arms, SPARED_RECORDS, CRITERIA, 0) if suspicious(arms) else harmless,
    ]
    return {finding.test: finding for finding in findings}


def family_sizes(replicates: int) -> list[Size]:
    """Whether any of all required tests refutes an honest claim, after Holm: no verdict is wrong
    more often.
    """
    found, n = [], 8
    for setting in ("same recipe, runs share effects", "every record drifts (SD 0.3)"):
        rng, made = np.random.default_rng(11), recipes()[setting]
        refuted = [
            conclude(judge(family_of(arms_of(rng, made, n, 0.0)), (), Level(ALPHA))) == "not_supported"
            for _ in range(replicates)
        ]
        found.append(size("all required tests, Holm", f"honest, {setting}", n, "refuted", ALPHA, refuted))
    return found


def detectable_sizes(replicates: int) -> list[Size]:
    """The smallest detectable share: were it left, how often is it not told from none?"""
    made, n, labels = unclipped(), 12, np.zeros(40, dtype=np.int64)
    rng = np.random.default_rng(12)
    shares = [
        residual_memory(arms_in(rng, made, n, 0.0), labels, (), ALPHA).smallest_detectable.value
        for _ in range(100)
    ]
    share = float(np.mean([s for s in shares if s is not None]))
    missed = (p_above(*paired(memory(*made.arms(rng, n, share)).D), 0) > ALPHA for _ in range(replicates))
    return [
        size(
            "smallest detectable",
            f"that share left ({share:.3f})",
            n,
            "not told from none",
            1 - POWER,
            missed,
        )
    ]


SIZES: tuple[tuple[str, Callable[[int], list[Size]]], ...] = (
    ("attack gap", gap_sizes),
    ("test accuracy", accuracy_sizes),
    ("spared records", spared_sizes),
    ("family", family_sizes),
    ("detectable", detectable_sizes),
)
