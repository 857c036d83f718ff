"""The lock: a verdict by the criteria that were locked, or none."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from sklearn.datasets import load_digits

from auditkit.cli.main import main
from auditkit.evidence.bundle import key_path
from auditkit.training import run_seed

CLAIM = """
name = "held"
[data]
source = "records.npz"
train = 300
control = 60
test = 60
population = 60
[forget]
fraction = 0.2
[training]
epochs = 2
[procedure]
name = "./ours.py:unlearn"
[criteria]
residual_memory = 0.3
[runs]
per_arm = 12
looks = [6]
shadow = 4
"""
FAST = ("--width", "4", "--threads", "1", "--jobs", "1")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a claim, its data and its procedure."""
    x, y = load_digits(return_X_y=True)
    np.savez(tmp_path / "records.npz", x=x[:600] / 16, y=y[:600], ids=np.array([f"r{i}" for i in range(600)]))
    (tmp_path / "ours.py").write_text("def unlearn(model, retain, forget, *, seed):\n    return model\n")
    (tmp_path / "claim.toml").write_text(CLAIM)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUDITKIT_CACHE", str(tmp_path / "store"))
    return tmp_path


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments, *FAST])


def locked(place: Path) -> str:
    """Lock the claim, and give the SHA-256 that was printed."""
    done = call("lock", "claim.toml")
    assert done.exit_code == 0, done.output
    return done.stdout.split()[0]


def refusal(*arguments: str) -> str:
    """The error of a command that must be refused."""
    done = call(*arguments)
    assert done.exit_code == 2, done.output
    return done.stderr


def tree(place: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(place)): p.read_bytes()
        for p in place.rglob("*")
        if p.is_file() and "__pycache__" not in p.parts
    }


def test_locking_writes_the_lock_and_nothing_else(place: Path) -> None:
    """`auditkit lock` prints a line that `sha256sum -c` checks, leaves lock.json and the key beside
    it, trains nothing, and says the same when it is run again."""
    done = call("lock", "claim.toml")
    digest, name = done.stdout.split()
    assert (done.exit_code, name) == (0, "audits/claim/lock.json")
    assert hashlib.sha256((place / name).read_bytes()).hexdigest() == digest
    assert str(key_path(place / "audits" / "claim")) in done.stderr.replace("\n", "")
    assert sorted(p.name for p in (place / "audits").rglob("*")) == ["claim", "claim.key", "lock.json"]
    assert not (place / "store").exists() or not list((place / "store").rglob("*.safetensors"))
    again = call("lock", "claim.toml", "--json")
    assert json.loads(again.stdout) == {"lock": name, "sha256": digest}


def test_the_lock_holds_what_decides(place: Path) -> None:
    """Claim, looks with their levels, tests, seeds, commitments to data and sets, and code are in
    the lock; the seeds can be checked by hand."""
    locked(place)
    lock = json.loads((place / "audits" / "claim" / "lock.json").read_bytes())
    assert lock["claim"]["criteria"]["residual_memory"] == 0.3
    assert lock["looks"] == [{"level": 0.025, "runs": 6}, {"level": 0.025, "runs": 12}]
    assert set(lock["data"]["sets"]) == {"retain", "forget", "control", "test", "population"}
    assert set(lock["code"]) == {"auditkit", "./ours.py:unlearn"}
    assert {"residual memory, exact", "spared records, in the stress world"} <= set(lock["required_tests"])
    trained, made = ("original", "retrained", "honest", "variant"), ("unlearned", "placebo")
    stress = ("stress original", "stress unlearned", "stress placebo")
    sizes = dict.fromkeys((*trained, *made, *stress), 12)
    sizes |= dict.fromkeys(("shadow", "shadow half"), 4)
    seeds = {arm: [str(run_seed(0, arm, k)) for k in range(n)] for arm, n in sizes.items()}
    by_hand = json.dumps(seeds, sort_keys=True, separators=(",", ":")).encode()
    assert lock["seeds"]["sha256"] == hashlib.sha256(by_hand).hexdigest()


def _margin(place: Path) -> None:
    (place / "claim.toml").write_text(CLAIM.replace("0.3", "0.4"))


def _looks(place: Path) -> None:
    (place / "claim.toml").write_text(CLAIM.replace("looks = [6]", ""))


def _seed(place: Path) -> None:
    (place / "claim.toml").write_text("seed = 1\n" + CLAIM)


def _data(place: Path) -> None:
    with np.load(place / "records.npz") as file:
        arrays: dict[str, Any] = dict(file)
    arrays["x"][0, 0] += 1e-3
    np.savez(place / "records.npz", **arrays)


def _code(place: Path) -> None:
    (place / "ours.py").write_text("def unlearn(model, retain, forget, *, seed):\n    return model.eval()\n")


def _key(place: Path) -> None:
    key_path(place / "audits" / "claim").write_text("ab" * 32)


CHANGES = {
    _margin: "claim.criteria.residual_memory",
    _looks: "claim.runs.looks, looks",
    _seed: (
        "claim.seed, data.sets.control, data.sets.forget, data.sets.population, data.sets.retain,"
        " data.sets.test, seeds.sha256"
    ),
    _data: "data.commitment",
    _code: "code../ours.py:unlearn",
    _key: "data.sets.control, data.sets.forget, data.sets.population, data.sets.retain, data.sets.test",
}


@pytest.mark.parametrize("change", CHANGES)
def test_other_criteria_than_the_locked_ones_are_refused_by_name(place: Path, change: Any) -> None:
    """A margin, a look, a seed, a record, a line of code or a key altered after the lock: the audit
    is refused with exit code 2 and the names of what differs, whether the SHA-256 or the file is
    given, and nothing is trained or written."""
    digest = locked(place)
    change(place)
    before = tree(place)
    for given in (digest, "audits/claim/lock.json"):
        told = refusal("audit", "claim.toml", "--lock", given)
        assert f"held to what was locked, SHA-256 {digest}" in told
        assert f"which differs: in {CHANGES[change]}; restore what was locked, or lock anew" in told
    assert f"differs in {CHANGES[change]};" in refusal("audit", "claim.toml")
    assert tree(place) == before


def test_a_lock_sent_elsewhere_holds(place: Path) -> None:
    """A lock.json sent to somebody else, with the key, holds their audit as well; without the key
    they are told, before anything is written."""
    locked(place)
    bundle = place / "audits" / "claim"
    (place / "sent.json").write_bytes((bundle / "lock.json").read_bytes())
    key = key_path(bundle).read_bytes()
    before = tree(place)
    told = refusal("audit", "claim.toml", "--lock", "sent.json", "--out", "theirs")
    assert f"{key_path(place / 'theirs')}: the key that was made with the lock must lie there" in told
    assert tree(place) == before
    key_path(place / "theirs").write_bytes(key)
    _margin(place)
    told = refusal("audit", "claim.toml", "--lock", "sent.json", "--out", "theirs")
    assert "which differs: in claim.criteria.residual_memory;" in told
    unknown = refusal("audit", "claim.toml", "--lock", "0" * 64, "--out", "theirs")
    assert "give the lock.json itself, in place of its SHA-256, to see where" in unknown
    assert not (place / "theirs").exists()


def test_what_is_no_lock_is_refused_with_every_other_problem(place: Path) -> None:
    """A file that is none, or no JSON, is named together with what is wrong with the claim."""
    (place / "claim.toml").write_text(CLAIM.replace("fraction = 0.2", "fraction = 2.0"))
    (place / "broken.json").write_text("{")
    for name in ("nowhere.json", "broken.json"):
        told = refusal("audit", "claim.toml", "--lock", name)
        assert f"--lock must be the SHA-256 of a lock.json, or that file, found '{name}'" in told
        assert "the key that was made with the lock must lie there" in told
        assert "forget" in told
