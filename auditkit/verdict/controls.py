"""The controls of an audit: arms whose answer is known, put to the same tests by the same code.

No result is read by itself. Honest retraining, by the auditor's recipe and by another, must not be
refuted, nor runs with exchanged labels; the original runs must be; and the placebo must remember
nothing. Where one comes out wrong it is the audit that has failed, not the claim.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import numpy as np

from auditkit.claims.criteria import Criteria
from auditkit.core.ids import (
    EXACT,
    HONEST,
    ORIGINAL,
    PLACEBO,
    RETRAINED,
    TEST_ACCURACY,
    VISIBLE_RECORDS,
    residual_memory,
)
from auditkit.evidence.numbers import rho_number
from auditkit.evidence.schema import Control, Findings, Outcome
from auditkit.signals.arms import Arm, Arms
from auditkit.statistics.prediction import rho_equivalence
from auditkit.verdict.judging import conclude
from auditkit.verdict.required_findings import Terms, findings_by

Outcomes = tuple[Outcome, ...]
Labels = tuple[tuple[tuple[str, str], ...], tuple[tuple[int, ...], ...]]
"""The attacks that were skipped, and why; the forget records that belong together."""
NOT_REFUTED: Outcomes = ("supported", "inconclusive")
REFUTED: Outcomes = ("not_supported",)
EXPECTED = {NOT_REFUTED: "not refuted", REFUTED: "not supported"}
WORDS: dict[Outcome, str] = {
    "supported": "supported",
    "not_supported": "not supported",
    "inconclusive": "inconclusive",
}
RHO = residual_memory(EXACT)
"""The test whose number heads a report."""
HONEST_MEANING = "more runs retrained from scratch, passed off as the unlearned ones"
VARIANT_MEANING = "runs retrained by another recipe, for half the epochs, passed off as the unlearned ones"
NOOP_MEANING = "the original runs as they are, passed off as the unlearned ones"
EXCHANGED_MEANING = "the labels unlearned and {reference} exchanged in half of the runs"
PLACEBO_MEANING = (
    "the procedure's own runs that never saw the forget records, judged by retrained ones: they can remember"
    " nothing"
)


def made_controls(
    arms: Arms, terms: Terms, judged: Callable[[Findings], Findings], honest: Findings, noop: Findings
) -> tuple[Control, ...]:
    """Every control of an audit of many runs.

    Args:
        arms: what is judged.
        terms: by which.
        judged: gives findings their results.
        honest: of the honest arm in the place of the unlearned one, judged.
        noop: of the original one, judged.
    """
    reference = RETRAINED.kind if arms.placebo is None else PLACEBO.kind
    exchanged = judged(findings_by(terms, arms.shuffled(terms.seed)))
    controls = [
        made_control("honest retrain", HONEST_MEANING, honest, NOT_REFUTED),
        made_control("no-op", NOOP_MEANING, noop, REFUTED),
        made_control(
            "exchanged labels", EXCHANGED_MEANING.format(reference=reference), exchanged, NOT_REFUTED
        ),
    ]
    if (halves := arms.variant_halves) is not None:
        variant = judged(findings_by(terms, halves))
        controls.insert(1, made_control("another recipe", VARIANT_MEANING, variant, NOT_REFUTED))
    if arms.placebo is not None:
        controls.append(placebo_control(arms, terms.criteria))
    return tuple(controls)


def known_findings(arms: Arms, terms: Terms) -> tuple[Findings, Findings]:
    """The findings of the honest arm and of the original one in the place of the unlearned, not yet
    judged."""
    return _known_findings(*_trained(arms), terms)


def of_memory(findings: Findings) -> Findings:
    """The findings that tell memory from none. Of the others the answer is not known of a control:
    another recipe may be less accurate, and too few records may be visible for any verdict."""
    return {test: f for test, f in findings.items() if test not in (TEST_ACCURACY, VISIBLE_RECORDS)}


def placebo_control(arms: Arms, criteria: Criteria) -> Control:
    """Whether the placebo runs remember the forget records, which they never saw: then the
    procedure brings them along, and whatever is compared with its placebo says nothing."""
    as_claimed = arms.claiming(arms.reference)
    measured = as_claimed.memory(EXACT)
    number, margin = rho_number(measured, criteria.alpha), criteria.residual_memory
    beyond = rho_equivalence(measured, margin).p_outside <= criteria.alpha and (number.value or 0) > 0
    return Control(
        name="placebo",
        meaning=PLACEBO_MEANING,
        expected=f"residual memory not above {margin:g}",
        found="above it" if beyond else "not above it",
        outcome="not_supported" if beyond else "inconclusive",
        rho=number,
        passed=not beyond,
    )


def _trained(arms: Arms) -> tuple[tuple[Arm, ...], tuple[Arm, ...], Labels]:
    """What the controls that hold for any procedure are made of, as a key of a cache."""
    parts = tuple(tuple(part.tolist()) for part in arms.parts)
    stress = arms.stress
    return (
        (arms.original, arms.retrained, arms.honest),
        (stress.original, stress.retrained, stress.honest) if stress else (),
        (tuple(sorted(arms.skipped.items())), parts),
    )


@lru_cache(maxsize=2)  # claims on the same runs have these controls in common
def _known_findings(
    plain: tuple[Arm, ...], stress: tuple[Arm, ...], labels: Labels, terms: Terms
) -> tuple[Findings, Findings]:
    """The findings of the honest arm and of the original one in the place of the unlearned."""
    skipped, parts = dict(labels[0]), [np.array(part) for part in labels[1]]

    def of(original: Arm, retrained: Arm, honest: Arm) -> Arms:
        return Arms(original, honest, retrained, honest, skipped, parts)

    arms = replace(of(*plain), stress=of(*stress) if stress else None)
    honest, noop = (findings_by(terms, arms.passed_off(kind)) for kind in (HONEST.kind, ORIGINAL.kind))
    return honest, noop


def made_control(name: str, meaning: str, findings: Findings, right: Outcomes) -> Control:
    """A case whose answer is known: was the audit right about it? findings: judged."""
    outcome, rho = conclude(findings), findings[RHO]
    return Control(
        name=name,
        meaning=meaning,
        expected=EXPECTED[right],
        found=WORDS[outcome],
        outcome=outcome,
        rho=rho.number,
        passed=outcome in right,
    )
