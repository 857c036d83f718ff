"""Which schedule of a Forgetting Neural Network erases, at what cost, and whether starting from the
faded model helps at all.

    python -m research.fnn.schedules examples/mnist-fnn.toml examples/fashion-mnist-fnn.toml --seeds 2 3 4 --runs 12

For each claim and claim seed (other records, another forget set, other runs) it trains original and
retrained runs as the audit would, applies every schedule to all originals as one stack, and prints
what the audit's tests of memory would read: rho of the records as they are, of inputs near them and
of relearned models, with 95 % intervals; test and retain accuracy less that of retraining, in
points; the AUC of the loss attack less that of retraining. cost is counted: multiplications of the
procedure, ranking and all, over those of retraining. The runs are kept in --bank. Needs the options
`fresh`, `repair_rate` and `repair_schedule` of the procedure fnn; 12 runs are the fewest a claim
may have.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from auditkit.claims.read import read_claim
from auditkit.core.progress import NullReporter
from auditkit.models.architectures import answer
from auditkit.probes.relearning import relearn
from auditkit.runs.queries import QueryPlan, build_queries
from auditkit.signals.measurements import jittered_margins
from auditkit.signals.signals import phi
from auditkit.statistics.margins import Floats, Margins, hinge
from auditkit.statistics.residual import memory, rho, rho_interval
from auditkit.statistics.roc import auc
from auditkit.study.study import Study, prepare, run_seeds
from auditkit.training import fit, initialise, run_seed
from auditkit.training.records import Records
from auditkit.unlearning.fnn import unlearn

Options = Mapping[str, Any]
FADES: dict[str, Options] = {
    "FNN, to a tenth": {"rates": "fixed", "tau": 30.0, "t": 69.0, "fresh": 1.0},
    "FNN, to a fifth": {"rates": "fixed", "tau": 30.0, "t": 48.0, "fresh": 1.0},
    "FNN, by rank": {"rates": "rank", "t": 100.0, "fresh": 1.0},
    "FNN, to a tenth, nothing fresh": {"rates": "fixed", "tau": 30.0, "t": 69.0},
    "from scratch": {"rates": "fixed", "tau": 1.0, "t": 1000.0, "fresh": 1.0},
    "fine-tuning": {"rates": "fixed", "t": 0.0},
}
"""What the repair starts from. phi is .1 or .2 (alike for all), .22 on average over 128 units (by
rank), 0 (from scratch: every weight is drawn anew, so that the repair is a short retraining), 1
(fine-tuning)."""
REPAIRS: dict[str, Options] = {
    "8 epochs, x5": {"repair_epochs": 8, "repair_rate": 5.0, "repair_schedule": "cosine"},
    "5 epochs, x7": {"repair_epochs": 5, "repair_rate": 7.0, "repair_schedule": "cosine"},
    "3 epochs, x7": {"repair_epochs": 3, "repair_rate": 7.0, "repair_schedule": "cosine"},
}
FIRST: Options = {"rates": "rank", "t": 50.0, "repair_epochs": 5}
"""The schedule that the search started from."""


@dataclass(frozen=True, eq=False)
class Answers:
    """What the runs of an arm say. margins: query -> margins; the others (runs,): accuracies, AUC
    of the loss."""

    margins: Mapping[str, Margins]
    test: Floats
    retain: Floats
    auc: Floats


@dataclass(frozen=True, eq=False)
class World:
    """A study with its original and retrained runs."""

    study: Study
    asked: QueryPlan
    originals: Sequence[nn.Module]
    retrained: Sequence[nn.Module]

    def records(self, part: str) -> Records:
        """The records of one of the sets."""
        rows = getattr(self.study.sets, part)
        return Records(torch.from_numpy(self.study.data.x[rows]), torch.from_numpy(self.study.data.y[rows]))

    @cached_property
    def told(self) -> tuple[Answers, Answers]:
        """What the original and the retrained runs say."""
        return self.ask(self.originals), self.ask(self.retrained)

    @cached_property
    def anew(self) -> int:
        """The work of retraining one run."""
        retain, fresh = self.records("retain"), initialise(self.study.build, 0)
        return flops(lambda: fit([fresh], retain.x, retain.y, self.study.recipe, seeds=[0]))

    def unlearned(self, options: Options, runs: int) -> list[nn.Module]:
        """The first of the originals, unlearned."""
        seeds = run_seeds(self.study.claim, "unlearned")[:runs]
        sets = self.records("retain"), self.records("forget")
        return unlearn(self.originals[:runs], *sets, seeds=seeds, recipe=self.study.recipe, **options)

    def ask(self, models: Sequence[nn.Module]) -> Answers:
        """What the audit would ask of these runs, as far as its tests of memory go."""
        retain, forget, control = (self.records(part) for part in ("retain", "forget", "control"))
        labels, x = torch.cat([forget.y, control.y]).numpy(), torch.cat([forget.x, control.x])
        n, seed = len(forget.y), run_seed(self.study.claim.seed, "inspect", 0)
        logits = [answer(model, x) for model in models]
        again = [relearn(m, retain, forget, control.x, self.study.recipe, seed) for m in models]
        found = {"exact": np.array([hinge(z, labels) for z in logits])}
        for query, near in self.asked.near.items():
            inputs = torch.from_numpy(near.reshape(-1, *near.shape[2:]))
            drawn = [answer(model, inputs).reshape(1, *near.shape[:2], -1) for model in models]
            found[query] = np.concatenate([jittered_margins(z, labels) for z in drawn])
        found["relearned"] = np.array([hinge(z, labels) for z in again])
        sure = [phi(z, labels) for z in logits]  # orders records as their losses do
        return Answers(
            {query: Margins(margins[:, :n], margins[:, n:]) for query, margins in found.items()},
            self._accuracy(models, "test"),
            self._accuracy(models, "retain"),
            np.array([auc(own[:n], own[n:]) for own in sure]),
        )

    def _accuracy(self, models: Sequence[nn.Module], part: str) -> Floats:
        own = self.records(part)
        return np.array([(answer(model, own.x).argmax(axis=1) == own.y.numpy()).mean() for model in models])


def world(claim_file: Path, seed: int, runs: int, bank: Path) -> World:
    """The study of a claim with this seed; its runs are trained if the bank does not hold them."""
    claim, problems = read_claim(claim_file)
    given = claim.runs.model_copy(update={"per_arm": runs})
    claim = claim.model_copy(update={"seed": seed, "runs": given})
    study = prepare(claim, claim_file.parent, problems, NullReporter())
    arms = [_runs(study, arm, bank) for arm in ("original", "retrained")]
    return World(study, build_queries(study), *arms)


def _runs(study: Study, arm: str, bank: Path) -> list[nn.Module]:
    seeds, members = run_seeds(study.claim, arm), study.members(arm)
    models = [initialise(study.build, seed) for seed in seeds]
    file = bank / f"{study.claim.name}-{study.claim.seed}-{len(seeds)}-{arm}.pt"
    if file.exists():
        for model, state in zip(models, torch.load(file, weights_only=True), strict=True):
            model.load_state_dict(state)
        return [model.eval() for model in models]
    x, y = torch.from_numpy(study.data.x), torch.from_numpy(study.data.y)
    fit(models, x, y, study.recipe, seeds=seeds, members=members)
    bank.mkdir(parents=True, exist_ok=True)
    torch.save([model.state_dict() for model in models], file)
    return models


def flops(work: Callable[[], object]) -> int:
    """The multiplications and additions in matrix products and convolutions."""
    with FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops())


def cost(at: World, options: Options) -> float:
    """The work of unlearning one run over that of retraining it."""
    return flops(lambda: at.unlearned(options, 1)) / at.anew


def judged(at: World, models: Sequence[nn.Module]) -> str:
    """A line of the table, from rho on."""
    U, (O, R) = at.ask(models), at.told
    cells = []
    for query in U.margins:
        seen = memory(O.margins[query], U.margins[query], R.margins[query])
        low, high = rho_interval(seen, 0.025)
        cells.append(f"{rho(seen):+.2f} ({low:+.2f} to {high:+.2f})")
    cells += [f"{100 * (a - b).mean():+.1f}" for a, b in ((U.test, R.test), (U.retain, R.retain))]
    return " | ".join([*cells, f"{(U.auc - R.auc).mean():+.3f}"])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("claims", type=Path, nargs="+")
    parser.add_argument("--seeds", type=int, nargs="+", default=[2, 3, 4])
    parser.add_argument("--runs", type=int, default=12)
    parser.add_argument("--bank", type=Path, default=Path("build/fnn-erase"))
    given = parser.parse_args()
    torch.set_num_threads(1)
    schedules: dict[str, Options] = {
        f"{fade}, {after}": {**FADES[fade], **REPAIRS[after]} for after in REPAIRS for fade in FADES
    }
    schedules["as the search found it"] = FIRST
    for file in given.claims:
        for seed in given.seeds:
            at = world(file, seed, given.runs, given.bank)
            queries = " | ".join(at.told[0].margins)
            print(f"\n{file.stem}, seed {seed}, retrained test accuracy {at.told[1].test.mean():.3f}\n")
            print(f"| schedule | cost | {queries} | test | retain | AUC |")
            print(f"|{'---|' * (5 + len(at.told[0].margins))}")
            for name, options in schedules.items():
                line = judged(at, at.unlearned(options, given.runs))
                print(f"| {name} | {cost(at, options):.3f} | {line} |", flush=True)


if __name__ == "__main__":
    main()
