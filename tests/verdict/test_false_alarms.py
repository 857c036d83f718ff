"""How often whole verdicts are wrong, where the truth is known by construction."""

from dataclasses import replace

import numpy as np
import pytest

from auditkit.claims.criteria import Criteria
from auditkit.core.ids import EXACT
from auditkit.evidence.schema import Control, Outcome, Ran, Skipped
from auditkit.signals.arms import Arm, Arms
from auditkit.statistics.margins import Margins
from auditkit.statistics.sequential import Level
from auditkit.verdict import decide
from auditkit.verdict import memory_tests as memory
from auditkit.verdict.difference_tests import gap_finding
from auditkit.verdict.judging import conclude, judge
from auditkit.verdict.required_findings import required_findings
from tests.statistics.simulated_arms import ATTACKS, arms_with_placebo, scores_of, simulated_arms

CRITERIA = Criteria(attacks=ATTACKS, jitter=(0.1,), recoveries=())
ALPHA = CRITERIA.alpha


def audited(arms: Arms) -> tuple[Outcome, tuple[Control, ...]]:
    decision = decide(arms, CRITERIA, 250, 0)
    return decision.verdict.outcome, decision.controls


@pytest.fixture
def _few_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """The smallest p-value of the spared-records test is then 1/140 = α/7, small enough for Holm
    over seven tests."""
    monkeypatch.setattr(memory, "NULL_GROUPS", 139)


def test_an_honest_claim_is_refuted_with_probability_at_most_alpha(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unlearned runs drawn as retrained ones are refuted, by any test at all, in at most α of the
    audits."""
    monkeypatch.setattr(memory, "NULL_GROUPS", 119)  # enough for Holm over these six tests
    criteria, audits, refuted = Criteria(attacks=("loss",), jitter=(0.1,), recoveries=()), 200, 0
    for seed in range(audits):
        arms = simulated_arms(seed, n=5, forget=20, control=40)
        findings = judge(required_findings(arms, criteria, 250, seed), (), Level(ALPHA))
        refuted += conclude(findings) == "not_supported"
    assert refuted <= audits * ALPHA + 3 * np.sqrt(audits * ALPHA * (1 - ALPHA))


@pytest.mark.usefixtures("_few_groups")
def test_an_honest_retrain_is_supported() -> None:
    """With visible memory and sixteen runs an honest claim is supported in most audits, and
    controls hold, those of the placebo and of another recipe too."""
    sizes = {"n": 16, "forget": 80, "control": 160}
    found = [audited(arms_with_placebo(seed, **sizes, gap=4)) for seed in range(6)]
    assert all(len(controls) == 5 for _, controls in found)
    assert sum(outcome == "supported" for outcome, _ in found) >= 5
    failed = [c.name for _, controls in found for c in controls if not c.passed]
    assert len(failed) <= 1


@pytest.mark.usefixtures("_few_groups")
@pytest.mark.parametrize("n", [4, 7, 12])
def test_a_noop_is_refuted(n: int) -> None:
    """Original runs passed off as unlearned are refuted, and the controls hold: shuffled labels as
    well."""
    for seed in range(3):
        arms = simulated_arms(seed, n=n)
        outcome, controls = audited(arms.claiming(arms.original))
        assert outcome == "not_supported"
        assert [c.name for c in controls if not c.passed] == []


@pytest.mark.usefixtures("_few_groups")
@pytest.mark.parametrize("left", [{"share": 0.6}, {"share": -0.6}, {"share": 0.0, "accuracy": 0.85}])
def test_a_false_claim_is_refuted(left: dict[str, float]) -> None:
    """Half-forgetting, over-forgetting, and losing .05 of accuracy are refuted alike."""
    outcome, controls = audited(simulated_arms(1, n=12, **left))  # type: ignore[arg-type]
    assert outcome == "not_supported"
    assert all(c.passed for c in controls)


@pytest.mark.usefixtures("_few_groups")
def test_a_few_spared_records_are_refuted() -> None:
    """5 of 60 records that were never removed, too few for ρ, are refuted in most audits and hardly
    ever supported."""
    found = [audited(simulated_arms(seed, forget=60, spared=5))[0] for seed in range(8)]
    assert found.count("not_supported") >= 5
    assert found.count("supported") <= 1


@pytest.mark.usefixtures("_few_groups")
@pytest.mark.parametrize("share", [-0.4, 0.4])
def test_what_lies_beyond_the_margin_is_not_supported(share: float) -> None:
    """With twice the margin of memory left or over-forgotten no audit supports, even with few
    runs."""
    for seed in range(5):
        assert audited(simulated_arms(seed, n=5, share=share))[0] != "supported"


def noisier(arms: Arms, noise: float) -> Arms:
    """Unlearned runs like retrained ones but for noise of their own on every margin."""
    rng = np.random.default_rng(0)

    def shaken(m: Margins) -> Margins:
        return Margins(
            m.forget + noise * rng.normal(size=m.forget.shape),
            m.control + noise * rng.normal(size=m.control.shape),
        )

    margins = {q: shaken(m) for q, m in arms.unlearned.margins.items()}
    return arms.claiming(Arm(margins, scores_of(margins[EXACT]), arms.unlearned.accuracy))


@pytest.mark.usefixtures("_few_groups")
def test_noise_alone_is_not_refuted_as_memory() -> None:
    """An unlearned arm that differs by noise only is not refuted by residual memory or spared
    records."""
    for seed in range(4):
        findings = decide(noisier(simulated_arms(seed), 0.7), CRITERIA, 250, 0).findings
        memory = [f for f in findings.values() if isinstance(f, Ran) and f.support_needs_informative]
        assert len(memory) >= 2
        assert all(f.result != "refuted" for f in memory)


def copied(arm: Arm) -> Arm:
    """Every run a copy of the first."""

    def copies(m: Margins) -> Margins:
        return m.take(np.zeros(m.runs, dtype=np.int64))

    margins = {q: copies(m) for q, m in arm.margins.items()}
    return Arm(margins, scores_of(margins[EXACT]), np.full_like(arm.accuracy, arm.accuracy[0]))


@pytest.mark.usefixtures("_few_groups")
def test_copies_of_one_run_decide_nothing() -> None:
    """Copies of one run, original or honest, are no independent runs: every test is skipped and
    says so."""
    arms = simulated_arms(0)
    for arm in (arms.original, arms.honest):
        decision = decide(arms.claiming(copied(arm)), CRITERIA, 250, 0)
        assert decision.verdict.outcome == "inconclusive"
        for f in decision.findings.values():
            assert isinstance(f, Skipped)
            assert "copies of one run and not independent" in f.reason


@pytest.mark.usefixtures("_few_groups")
@pytest.mark.parametrize(
    "case",
    ["three runs", "one record", "huge scale", "tiny scale", "all clipped", "no variance", "upside down"],
)
def test_odd_arms_give_a_verdict_and_not_a_wrong_one(case: str) -> None:
    """Degenerate arms go through without error or warning; a no-op is never supported and an honest
    arm never refuted."""
    arms = simulated_arms(0, n=3 if case == "three runs" else 6, forget=1 if case == "one record" else 40)

    def changed(m: Margins) -> Margins:
        if case in ("huge scale", "tiny scale"):
            c = 1e6 if case == "huge scale" else 1e-6
            return Margins(c * m.forget, c * m.control)
        if case == "all clipped":
            return Margins(m.forget + 1000, m.control)
        if case == "no variance":
            return m.take(np.zeros(m.runs, dtype=np.int64))
        return m

    def change(arm: Arm) -> Arm:
        return replace(arm, margins={q: changed(m) for q, m in arm.margins.items()})

    if case == "no variance":  # not even between arms: every retrained run is the same model
        arms = Arms(arms.original, arms.retrained, arms.retrained, arms.retrained, {})
    arms = Arms(
        change(arms.original), change(arms.unlearned), change(arms.retrained), change(arms.honest), {}
    )
    if case == "upside down":
        turned = {q: Margins(-m.forget, -m.control) for q, m in arms.unlearned.margins.items()}
        arms = arms.claiming(replace(arms.unlearned, margins=turned))
    assert audited(arms)[0] != "not_supported"
    assert audited(arms.claiming(arms.original))[0] != "supported"


@pytest.mark.usefixtures("_few_groups")
@pytest.mark.parametrize("records", [1, 80])
def test_control_records_that_are_all_alike_are_skipped_over(records: int) -> None:
    """Where control margins are constant, or there is one control record, memory is skipped without
    a warning."""
    arms = simulated_arms(0, n=4)

    def flat(arm: Arm) -> Arm:
        margins = {q: Margins(m.forget, np.full((4, records), 2.0)) for q, m in arm.margins.items()}
        return replace(arm, margins=margins)

    arms = Arms(flat(arms.original), flat(arms.unlearned), flat(arms.retrained), flat(arms.honest), {})
    assert audited(arms)[0] == "inconclusive"


def test_another_recipe_is_not_refuted_by_attacks() -> None:
    """Retrained runs by a recipe that ranks single records differently are not refuted by an attack
    gap."""
    refuted = 0
    for seed in range(60):
        arms = simulated_arms(seed, n=12)
        rng = np.random.default_rng(seed + 1000)
        other = {
            query: Margins(
                m.forget + rng.normal(size=m.forget.shape[1]), m.control + rng.normal(size=m.control.shape[1])
            )
            for query, m in arms.honest.margins.items()
        }
        arm = Arm(other, scores_of(other[EXACT]), arms.honest.accuracy)
        findings = [gap_finding(arms.claiming(arm), attack, CRITERIA) for attack in ATTACKS]
        judged = judge({f.test: f for f in findings}, (), Level(ALPHA))
        refuted += any(isinstance(f, Ran) and f.result == "refuted" for f in judged.values())
    assert refuted <= 6  # 5 % of 60 is 3; P(more than 6) = .03
