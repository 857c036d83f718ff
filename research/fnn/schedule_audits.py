"""What an audit says of FNN-erase on seeds and forget sets that were not looked at when its
schedule was chosen.

    python -m research.fnn.schedule_audits --seeds 6 7 8

Each seed is another claim: other records, another forget set, other runs. Beside it the yardstick,
its repair from fresh weights ("short retraining"). The schedule was searched for on seeds 0 to 3
(`research/fnn/schedules.py`); seed 5 is that of `auditkit reproduce fnn`. Prints a line each, and
writes erase-audits.json beside this file: residual memory with its interval, test accuracy less
that of retraining, cost as a share of retraining, and the verdict. A claim takes two to four
minutes on one core.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from auditkit.core.canonical import to_plain
from auditkit.core.progress import ConsoleReporter
from auditkit.engine.resources import Resources
from auditkit.reproduction.audits import OURS, audits
from auditkit.reproduction.table import table
from auditkit.reproduction.values import Row, Table

RESULTS = Path(__file__).parent / "erase-audits.json"
TRIED = {name: OURS[name] for name in ("FNN-erase", "short retraining")}


def main() -> None:
    """Audit, print, keep."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", nargs="+", default=["mnist", "fashion-mnist"])
    parser.add_argument("--seeds", nargs="+", type=int, required=True)
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    found: list[dict[str, Any]] = []
    for source in given.data:
        for seed in given.seeds:
            audit = audits("reduced", source)["procedures"]
            claim = audit.claim.model_copy(update={"seed": seed})
            own = table(
                "erase",
                claim,
                TRIED,
                attack=audit.attack,
                given=Resources(jobs=given.jobs),
                tell=ConsoleReporter(),
            )
            for row in own.rows[2:]:
                print(said(own, row, seed), flush=True)
                found.append({"data": source, "seed": seed, "retrained": own.rows[1].test.value, "row": row})
    RESULTS.write_text(json.dumps(to_plain(found), indent=1) + "\n")


def said(own: Table, row: Row, seed: int) -> str:
    """One audit in a line."""
    decided, reference = row.decided, own.rows[1].test.value
    assert decided is not None
    assert row.test.value is not None
    assert reference is not None
    memory = "; ".join(
        f"{query} {n.value:+.3f} ({n.low:+.3f} to {n.high:+.3f})" for query, n in decided.memory.items()
    )
    points = 100 * (row.test.value - reference)
    why = ", ".join((*decided.refuted_by, *decided.in_the_way))
    return (
        f"{own.data} seed {seed}, {row.name}: {decided.outcome}; rho {memory}; test {points:+.1f} points;"
        f" cost {row.cost:.3f}" + (f"; {why}" if why else "")
    )


if __name__ == "__main__":
    main()
