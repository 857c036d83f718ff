"""Are the numbers of two trees' evidence equal? Of schema 1 (before the house was rebuilt) and 2.

    python -m research.house.compare_evidence BEFORE AFTER NAME [NAME ...]

BEFORE, AFTER: folders with one bundle a NAME, of audits with the same plan (`--width 20 --threads 1
--device cpu`) and the same key beside each bundle, so that salted ids are equal. What schema 2
carries once stands twice in schema 1: both of its copies must be equal, and equal to the one that
is left. Left out: digests, and the environment. Prints a line a bundle, and every difference.
"""

import json
import sys
from pathlib import Path

import numpy as np

LEFT_OUT = {"lock_sha256", "environment"}


def upgraded(evidence):
    """Schema 1 in the shape of schema 2; AssertionError where two copies of a number differ."""
    findings = {f["name"]: f for f in evidence["findings"]}

    def carry(test, number):
        """Give the number to the finding of the test; whether there is one."""
        finding = findings.get(test)
        if finding and finding["kind"] == "ran":
            assert finding["number"] == number, (test, finding["number"], number)
        elif finding:
            finding["number"] = number
        return finding is not None

    memory = evidence["residual_memory"]
    assert carry("residual memory, exact", memory.pop("exact"))
    for radius, number in memory.pop("jittered"):
        assert carry(f"residual memory, jitter {radius:g}", number)
    for recovered in memory["recovered"]:
        recovered["by"] = recovered.pop("name")
        if carry(f"residual memory, {recovered['by']}", recovered["rho"]):
            recovered["rho"] = None
    honest = memory.pop("honest")
    for control in evidence["controls"]:
        if control["name"] == "honest retrain":
            assert control["rho"] in (None, honest), (control["rho"], honest)
            control["rho"] = honest
    for attack in evidence["attacks"]:
        if carry(f"attack gap, {attack['name']}", attack["gap"]):
            attack["gap"] = None
    assert carry("test accuracy", evidence.pop("utility"))
    for finding in evidence["findings"]:
        finding["test"] = finding.pop("name")
        if finding["kind"] == "skipped":
            finding.setdefault("number", None)
    for arm in evidence["arms"]:
        arm["arm"] = arm.pop("name")
    return {**evidence, "schema": 2}


def differences(a, b, where, counted):
    """The places in which two values differ; counted: a list that grows by one a compared leaf."""
    if isinstance(a, dict) and isinstance(b, dict):
        for key in sorted((a.keys() | b.keys()) - LEFT_OUT):
            if key in a and key in b:
                yield from differences(a[key], b[key], f"{where}/{key}", counted)
            else:
                yield f"{where}/{key}: only {'before' if key in a else 'after'}"
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for k, (x, y) in enumerate(zip(a, b)):
            yield from differences(x, y, f"{where}[{k}]", counted)
    else:
        counted.append(where)
        moved = isinstance(a, str) and isinstance(b, str) and a.replace("docs/method", "method") == b
        if a != b and not moved:
            yield f"{where}: {str(a)[:80]} -> {str(b)[:80]}"


def main():
    before, after = map(Path, sys.argv[1:3])
    for name in sys.argv[3:]:
        old, new = (json.loads((f / name / "evidence.json").read_bytes()) for f in (before, after))
        counted = []
        found = list(differences(upgraded(old), new, "", counted))
        scores = [np.load(f / name / "scores" / "scores.npz") for f in (before, after)]
        same = scores[0].files == scores[1].files and all(
            np.array_equal(scores[0][k], scores[1][k], equal_nan=scores[0][k].dtype.kind == "f")
            for k in scores[0].files
        )
        arrays = f"{len(scores[0].files)} arrays of scores.npz {'equal' if same else 'DIFFERENT'}"
        print(f"{name}: {len(counted)} values compared, {len(found)} differ; {arrays}")
        for line in found:
            print(f"    {line}")


if __name__ == "__main__":
    main()
