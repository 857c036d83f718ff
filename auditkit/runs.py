"""The runs of an audit: training the arms, unlearning, and asking every model the same questions.

Besides `plan`, `training` and `unlearning` the only room that needs torch; what leaves it are arrays.
"""

import hashlib
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from auditkit.data import nearest_distances
from auditkit.errors import AuditError
from auditkit.models import answer
from auditkit.plan import TRAINED, Study, run_seeds, threads_of, visits
from auditkit.progress import Teller
from auditkit.training import run_seed, train, unstack
from auditkit.training.stacked import Stack
from auditkit.training.store import stored
from auditkit.unlearning import UNLEARNERS, Records

DRAWS = 4
"""Jittered copies of each record at each radius; a record's margin is the mean over them."""
JITTER_SAMPLE = 500
"""Records from which the usual nearest-neighbour distance is estimated."""

Answers = dict[str, npt.NDArray[np.float32]]
"""query -> logits: "exact" (runs, records, classes); "jitter r" (runs, DRAWS, near records, classes)."""


@dataclass(frozen=True, eq=False)
class Questions:
    """What every model is asked.

    exact: float32 (records, *shape). near: jittered query -> float32 (DRAWS, near records, *shape), of
    forget then control records. radii: jittered query -> its radius in the unit of the input.
    """

    exact: torch.Tensor
    near: Mapping[str, torch.Tensor]
    radii: Mapping[str, float]


def questions(study: Study, records: npt.NDArray[np.int64]) -> Questions:
    """The exact inputs of `records`, and jittered ones of the forget and control records.

    A jittered input lies at exactly the radius (Euclidean) in a random direction; a radius is a share of
    the median distance between a training record and its nearest neighbour.
    """
    x, sets = study.data.x, study.sets
    trained = np.concatenate([sets.retain, sets.forget])
    usual = float(np.median(nearest_distances(x[trained[:: max(1, len(trained) // JITTER_SAMPLE)]])))
    beside = x[np.concatenate([sets.forget, sets.control])]
    near, radii = {}, {}
    for share in study.claim.criteria.jitter:
        query = f"jitter {share:g}"
        rng = np.random.default_rng(run_seed(study.claim.seed, query, 0))
        noise = rng.standard_normal((DRAWS, *beside.shape))
        length = np.linalg.norm(noise.reshape(DRAWS, len(beside), -1), axis=-1)
        noise *= (share * usual / length).reshape(DRAWS, len(beside), *[1] * (beside.ndim - 1))
        near[query] = torch.from_numpy((beside + noise).astype(np.float32))
        radii[query] = share * usual
    return Questions(torch.from_numpy(x[records]), near, radii)


def train_arm(study: Study, arm: str, tell: Teller) -> Stack:
    """The trained weights of an arm, from the store if they are there."""
    members, seeds = study.members(arm), run_seeds(study.claim, arm)
    identity = {
        **_identity(study),
        "arm": arm,
        "members": hashlib.sha256(members.tobytes()).hexdigest(),
        "seeds": [str(seed) for seed in seeds],
    }
    x, y = torch.from_numpy(study.data.x), torch.from_numpy(study.data.y)
    with tell.stage(f"training {len(seeds)} {arm}", visits(study, arm)) as advance:
        return stored(identity, lambda: train(study.build, x, y, members, study.recipe, seeds, advance))


def ask_unlearned(
    study: Study, originals: Stack, asked: Questions, tell: Teller, **options: object
) -> Answers:
    """The answers of the unlearned arm, from the store if they are there: run k is the procedure's work
    on original run k. options: over those of the claim.

    A user's own procedure is always run again: what its code depends on cannot be known.
    """
    procedure, named = study.procedure(**options), study.claim.procedure

    def compute() -> dict[str, torch.Tensor]:
        total = study.claim.runs.per_arm
        with tell.stage(" ".join(["unlearning", named.name, *map(str, options.values())]), total) as advance:
            unlearned = _unlearn(study, originals, procedure, advance)
            answers = _ask(unlearned, asked, "unlearned")
        return {query: torch.from_numpy(logits) for query, logits in answers.items()}

    if named.name not in UNLEARNERS:
        tensors = compute()
    else:
        members, jitter = study.members("original"), study.claim.criteria.jitter
        identity = {
            **_identity(study),
            "arm": "unlearned",
            "procedure": named.model_dump(),
            "options": options,
            "sets": {name: positions.tolist() for name, positions in asdict(study.sets).items()},
            "members": hashlib.sha256(members.tobytes()).hexdigest(),
            "seeds": [str(seed) for arm in ("original", "unlearned") for seed in run_seeds(study.claim, arm)],
            "jitter": [str(run_seed(study.claim.seed, "jitter", 0)), *jitter],
        }
        tensors = stored(identity, compute)
    return {query: tensor.numpy() for query, tensor in tensors.items()}


def _models(study: Study, stack: Stack) -> Iterator[nn.Module]:
    """The runs of a trained arm, one model after the other."""
    return (unstack(study.build, stack, run) for run in range(len(next(iter(stack.values())))))


def _unlearn(
    study: Study, originals: Stack, procedure: Callable[..., nn.Module], advance: Callable[[int], None]
) -> Iterator[nn.Module]:
    retain, forget = (_records(study, part) for part in (study.sets.retain, study.sets.forget))
    seeds = run_seeds(study.claim, "unlearned")
    for k, (original, seed) in enumerate(zip(_models(study, originals), seeds, strict=True)):
        try:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)  # for a procedure that draws from torch's own generator
                unlearned = procedure(original, retain, forget, seed=seed)
        except Exception as error:  # the procedure may be the user's own: say whose failure it is
            raise AuditError(
                f"procedure {study.claim.procedure.name!r} failed on run {k} (seed {seed}): "
                f"{type(error).__name__}: {error}; mend it and run the same command again"
            ) from error
        yield unlearned
        advance(1)


def _ask(models: Iterable[nn.Module], asked: Questions, arm: str) -> Answers:
    """Every model's answers to every question. AuditError, naming the run, if one is not a finite number."""
    runs = []
    for k, model in enumerate(models):
        runs.append(_ask_one(model, asked))
        if not all(np.isfinite(logits).all() for logits in runs[-1].values()):
            raise AuditError(
                f"{arm} run {k} answers with numbers that are not finite, so nothing can be said of it; "
                "lower training.learning_rate, or mend the procedure"
            )
    return {query: np.stack([run[query] for run in runs]) for query in runs[0]} if runs else {}


def _ask_one(model: nn.Module, asked: Questions) -> Answers:
    answers = {"exact": answer(model, asked.exact)}
    for query, x in asked.near.items():
        logits = answer(model, x.flatten(0, 1))
        answers[query] = logits.reshape(*x.shape[:2], logits.shape[-1])
    return answers


def _records(study: Study, positions: npt.NDArray[np.int64]) -> Records:
    return Records(torch.from_numpy(study.data.x[positions]), torch.from_numpy(study.data.y[positions]))


def _identity(study: Study) -> dict[str, object]:
    """What every stored result depends on."""
    return {
        "data": study.data.commitment(),
        "environment": environment(study),
        "model": study.claim.model.model_dump(),
        "recipe": asdict(study.recipe),
    }


def environment(study: Study) -> dict[str, str]:
    """What the numbers depend on besides the claim: versions, kind of machine, threads, our own code."""
    packages = ("torch", "numpy", "scipy", "scikit-learn", "adversarial-robustness-toolbox", "auditkit")
    return {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "device": "cpu",
        "threads": str(threads_of(study)),
        **{name: version(name) for name in packages},
        "code_sha256": code_digest(),
    }


def code_digest() -> str:
    """SHA-256 over the Python files of this package."""
    root = Path(__file__).parent
    total = hashlib.sha256()
    for path in sorted({*root.rglob("*.py"), *(root / "attacks").glob("*.py")}):
        total.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return total.hexdigest()


def collect_answers(
    study: Study, asked: Questions, tell: Teller
) -> tuple[dict[str, Answers], dict[str, Answers]]:
    """Train every arm, unlearn, and ask. Returns arm -> answers, and state -> answers for a procedure whose
    models can be seen in several states, the claimed one among them."""
    answers = {}
    for arm in TRAINED:
        stack = train_arm(study, arm, tell)
        if arm == "shadow":
            asked_of_it = Questions(asked.exact, {}, {})  # the attacker learns from exact inputs
            answers[arm] = _ask(_models(study, stack), asked_of_it, arm)
            continue
        answers[arm] = _ask(_models(study, stack), asked, arm)
        if arm == "original":
            answers["unlearned"] = ask_unlearned(study, stack, asked, tell)
            states = {
                state: answers["unlearned"]
                if state == study.state
                else ask_unlearned(study, stack, asked, tell, state=state)
                for state in study.states
            }
    return answers, states
