"""What an audit decides behind interfaces that withhold something: labels only, clipping, rounding,
probabilities.

    python -m benchmarks.validity.interfaces --seeds 3

Under every audit seed the arms are trained once. Their logits are cut down as an interface would,
what is withheld is recognised in what is left, and every model is asked again through it. Decided
are three claims: one retrained honestly (the procedure), the honest control, and a no-op. No no-op
may be supported, no honest claim refuted. Prints one line an audit, then counts.
"""

from collections import Counter
from pathlib import Path

import numpy as np
import torch
from torch import nn

from auditkit.attacks.battery import run_battery
from auditkit.claims.read import parse_claim
from auditkit.core.ids import STRESS, UNLEARNED
from auditkit.core.progress import NullReporter
from auditkit.engine.queue import WorkerConfig
from auditkit.engine.resources import Resources
from auditkit.evidence.assemble import build_attacked, with_stress
from auditkit.evidence.schema import Number, Ran
from auditkit.runs.collect import train_and_query
from auditkit.runs.queries import build_queries
from auditkit.runs.session import TrainingSession
from auditkit.runs.trained_source import measured_in
from auditkit.signals.interface_detection import detect_interface
from auditkit.study.planning import plan_for
from auditkit.study.study import prepare
from auditkit.verdict import decide, held_up_by_visibility
from auditkit.verdict.controls import RHO
from benchmarks.common import options

HOW = (
    "logits",
    "labels",
    "clipped",
    "bounded",
    "rounded to 1",
    "rounded to 0",
    "probabilities",
    "percents",
    "top 3",
    "top 1",
)


def behind(how: str, z: torch.Tensor) -> torch.Tensor:
    """What is answered of logits (..., classes)."""
    p = z.softmax(dim=-1)
    match how:
        case "logits":
            return z
        case "labels":
            return 10 * nn.functional.one_hot(z.argmax(dim=-1), z.shape[-1]).float()
        case "clipped":
            return (z - z.amax(dim=-1, keepdim=True)).clamp(min=-3)
        case "bounded":
            return z.clamp(-5, 5)
        case "rounded to 1":
            return z.round(decimals=1)
        case "rounded to 0":
            return z.round()
        case "probabilities":
            return p
        case "percents":
            return p.round(decimals=2)
        case "top 3":
            return torch.where(p >= p.topk(3, dim=-1).values[..., -1:], p, 0.0)
        case "top 1":
            top = p.amax(dim=-1, keepdim=True)
            return torch.where(p == top, p, (1 - top) / (z.shape[-1] - 1))
    raise ValueError(how)


def value(number: Number | None) -> str:
    """Residual memory, if there is any."""
    return "   -  " if number is None or number.value is None else f"{number.value:+.3f}"


def decided(seed: int, ways: list[str], counts: Counter[tuple[str, str, str]]) -> None:
    """The three claims under one audit seed, in every way of answering."""
    claim, problems = parse_claim(
        {"seed": seed, "procedure": {"name": "retrain"}, "criteria": {"reported": [], "recoveries": []}}
    )
    assert not problems, problems
    study, tell = prepare(claim, Path(), [], NullReporter()), NullReporter()
    plan, jobs = plan_for(study, Resources(jobs=1), None, tell)
    whole, workers = build_queries(study), WorkerConfig(jobs, plan.threads, "loky", None)
    session = TrainingSession(study, plan, workers, "", tell)
    every = train_and_query(session, whole)
    claimed = np.array([arm == UNLEARNED for arm, _ in every.rows])
    assert not every.withheld[UNLEARNED].words
    for how in ways:
        cut = behind(how, torch.from_numpy(np.array(every.logits[claimed]))).numpy()
        asked = whole.through(detect_interface(cut))
        measured = measured_in(study, asked, train_and_query(session, asked))
        attacks = claim.criteria.all_attacks
        battery = run_battery(measured.signals, attacks, measured.sets, measured.compared)
        attacked = build_attacked(measured, battery)
        decision = decide(attacked.arms, claim.criteria, len(measured.sets.test), seed)
        if held_up_by_visibility(decision):
            answers = train_and_query(session, asked, world=STRESS)
            attacked = with_stress(attacked, measured_in(study, asked, answers, STRESS))
            decision = decide(attacked.arms, claim.criteria, len(measured.sets.test), seed)
        verdict, controls = decision.verdict, {control.name: control for control in decision.controls}
        rho_finding = decision.findings[RHO]
        exact = rho_finding.number if isinstance(rho_finding, Ran) else None
        outcomes = {
            "honest claim": (verdict.outcome, exact),
            "honest control": (controls["honest retrain"].outcome, controls["honest retrain"].rho),
            "no-op": (controls["no-op"].outcome, controls["no-op"].rho),
        }
        withheld = "; ".join(asked.interface.words) or "nothing withheld"
        print(f"seed {seed}, {how} ({withheld})", flush=True)
        for name, (outcome, rho) in outcomes.items():
            counts[how, name, outcome] += 1
            why = f"  {' | '.join(verdict.reasons)[:300]}" if name == "honest claim" else ""
            print(f"  {name:<15}{outcome:<14}rho {value(rho)}{why}", flush=True)


def main() -> None:
    """Decide under every seed."""
    parser = options(__doc__, seeds=3)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--how", nargs="+", default=HOW)
    arguments = parser.parse_args()
    counts: Counter[tuple[str, str, str]] = Counter()
    for seed in range(arguments.first, arguments.first + arguments.seeds):
        decided(seed, arguments.how, counts)
    for how in arguments.how:
        for name in ("honest claim", "honest control", "no-op"):
            found = {outcome: n for (h, who, outcome), n in counts.items() if (h, who) == (how, name)}
            print(f"{how:<14} {name:<15} {found}")


if __name__ == "__main__":
    main()
