"""What a claimant hands in: a checkpoint or answers, honest or not, made for a claim that names
them.

    python -m benchmarks.validity.hand_in examples/digits-endpoint.toml
    python -m benchmarks.validity.hand_in examples/digits-predictions.toml

write the checkpoint, or the answers, that the claim names, and print where they lie. With --noop
the checkpoint is one that was trained on the forget records. With --seeds 5 one checkpoint of
either kind is audited for each seed, and nothing is written but a line an audit and a count.
"""

import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from torch import nn

from auditkit.claims.claim import Claim, ReleaseClaim
from auditkit.core.progress import NullReporter
from auditkit.evidence.schema import Evidence, Ran
from auditkit.models.architectures import answer
from auditkit.pipeline import audit
from auditkit.study.study import SETS, Study, asked_records, prepare
from auditkit.training import fit, initialise, run_seed
from benchmarks.common import claim_in, exact_rho, options, with_interval

ARMS = {"original": True, "unlearned": False, "retrained": False, "honest": False}
"""arm -> whether it is trained on the forget records. The unlearned ones are honest: retrained."""
RUNS = 12
"""Runs an arm whose answers are handed in."""


def trained(study: Study, seeds: list[int], *, with_forget: bool) -> list[nn.Module]:
    """Models of the claim's architecture and recipe, by seeds that no audit uses."""
    sets = study.sets
    rows = np.concatenate([sets.retain, sets.forget]) if with_forget else sets.retain
    x, y = torch.from_numpy(study.data.x[rows]), torch.from_numpy(study.data.y[rows])
    return fit([initialise(study.build, seed) for seed in seeds], x, y, study.recipe, seeds=seeds)


def seeds_of(study: Study, arm: str, n: int) -> list[int]:
    """Seeds of the claimant's own."""
    return [run_seed(study.claim.seed, f"handed in, {arm}", k) for k in range(n)]


def studied(claim: Claim, folder: Path) -> Study:
    """The data and the sets of a claim about handed-in things that need not exist yet."""
    return prepare(
        claim.model_copy(update={"release": None, "predictions": None}), folder, [], NullReporter()
    )


def write_answers(study: Study, path: Path) -> None:
    """Every arm's answers on every record, as `auditkit.signals.predictions_file` reads them."""
    asked = asked_records(study)
    x = torch.from_numpy(study.data.x[asked])
    arms = {
        arm: np.stack([answer(m, x) for m in trained(study, seeds_of(study, arm, RUNS), with_forget=within)])
        for arm, within in ARMS.items()
    }
    parts = np.concatenate([np.full(len(getattr(study.sets, name)), name) for name in SETS])
    given = {"labels": study.data.y[asked], "ids": study.data.ids[asked], "sets": parts, **arms}
    np.savez_compressed(path, **given)  # type: ignore[arg-type]


def line(evidence: Evidence) -> str:
    """One audit in a line."""
    rho = with_interval(exact_rho(evidence.findings), 2)
    open_yet = [
        f"{f.test} {f.result}" for f in evidence.findings if isinstance(f, Ran) and f.result != "passed"
    ]
    controls = "; ".join(f"{c.name}: {c.found}" for c in evidence.controls)
    return f"{evidence.verdict.outcome:<13} rho {rho}  [{controls}]  {', '.join(open_yet)}"


def audits(claim: Claim, folder: Path, seeds: int) -> None:
    """Audit one honest checkpoint a seed, and one that was trained on the forget records. The
    controls of each audit judge single runs of known answer besides, as many as there are runs an
    arm.
    """
    for kind, within in (("honest", False), ("no-op", True)):
        outcomes: Counter[str] = Counter()
        for seed in range(seeds):
            seeded = claim.model_copy(update={"seed": seed})
            study = studied(seeded, folder)
            [model] = trained(study, seeds_of(study, kind, 1), with_forget=within)
            with tempfile.TemporaryDirectory() as place:
                path = Path(place) / "model.safetensors"
                safetensors.torch.save_file(model.state_dict(), path)
                released = seeded.model_copy(update={"release": ReleaseClaim(weights=path)})
                evidence = audit(released, Path(place) / "bundle", folder=folder)
            outcomes[evidence.verdict.outcome] += 1
            print(f"{kind}, seed {seed}: {line(evidence)}", flush=True)
        print(f"{kind}: {dict(outcomes)} of {seeds}", flush=True)


def main() -> None:
    """Write what a claim names, or audit both kinds."""
    parser = options(__doc__)
    parser.add_argument("claim", type=Path)
    parser.add_argument("--noop", action="store_true")
    parser.add_argument("--seeds", type=int)
    arguments = parser.parse_args()
    claim, folder = claim_in(arguments.claim), arguments.claim.parent
    if arguments.seeds:
        audits(claim, folder, arguments.seeds)
        return
    study = studied(claim, folder)
    if claim.predictions:
        path = folder / claim.predictions.file
        write_answers(study, path)
    else:
        assert claim.release is not None
        path = folder / claim.release.weights
        [model] = trained(study, seeds_of(study, "released", 1), with_forget=arguments.noop)
        safetensors.torch.save_file(model.state_dict(), path)
    print(path)


if __name__ == "__main__":
    main()
