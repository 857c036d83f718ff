"""auditkit's attacks beside public implementations, on identical arrays.

    python -m research.peers.compare --privacyguard PYTHON --sacroml PYTHON --privacy-meter PYTHON

PYTHON is the interpreter of an environment in which that peer is installed (ART is in auditkit's
own); a peer without one is skipped. Models are trained once, 32 reference runs and six targets, and
what they answer goes to every peer as one file. Prints the tables of docs/peers.md in about three
minutes of one core.

Where a peer chose otherwise than we did, its choice is put into our formulas: what is then left of
the difference shows whether the choice is the whole reason.
"""

import argparse
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import stats

from auditkit.attacks import (
    attack_p,
    attack_r,
    difficulty_calibration,
    gap,
    lira,
    loss,
    quantile_regression,
    rmia,
    shokri,
)
from auditkit.attacks.per_class import Score
from auditkit.attacks.references import Moments, outside
from auditkit.attacks.shadows import once
from auditkit.data.sources import load, status
from auditkit.models.architectures import answer, mlp
from auditkit.signals.signals import Signals, log_softmax, phi
from auditkit.statistics.epsilon import clopper_pearson_epsilon, clopper_pearson_split, counts_at
from auditkit.statistics.margins import Floats, Ints
from auditkit.statistics.one_run import fdp_one_run_epsilon
from auditkit.statistics.roc import attainable_tpr, auc
from auditkit.training import Recipe, fit, initialise

ADAPTER = Path(__file__).parent / "adapter.py"
INSTALL = {
    "art": "adversarial-robustness-toolbox, which auditkit itself requires",
    "privacyguard": (
        "pip install --no-deps privacyguard-platform; "
        "pip install torch==2.13.0 pandas scipy scikit-learn pyre-extensions tqdm"
    ),
    "sacroml": (
        "pip install --no-deps sacroml; pip install torch==2.13.0 pandas scikit-learn multiprocess pypdf"
        " dictdiffer fpdf prompt-toolkit xgboost acro"
    ),
    "privacy-meter": "pip install --no-deps privacy-meter; pip install numpy scipy",
}
"""How to give a peer an environment of its own: without its dependencies, of which some bring
CUDA."""

POOL, OUTSIDE, REFERENCES, TARGETS, UNDERFIT = 2000, 1000, 32, 4, 2
NULLS, NULL_RECORDS = 200, 500
ALPHAS = np.array([0.0, 0.01, 0.05, 0.1, 0.2, 0.5, 1.0])
FDP = ((1000, 100, 0, 1e-5), (1000, 100, 50, 1e-5), (1000, 100, 95, 1e-5), (1000, 100, 100, 1e-5))
RMIA_GAMMA = 1.0
"""PrivacyGuard's."""

Arrays = dict[str, Any]


def main() -> None:
    """Train, ask every peer, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    for peer, how in INSTALL.items():
        default = sys.executable if peer == "art" else None
        parser.add_argument(f"--{peer}", metavar="PYTHON", default=default, help=how)
    given = parser.parse_args()
    signals = trained_signals()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "in.npz"
        exchanged = arrays(signals)
        np.savez(source, **exchanged)
        found = {}
        for peer, how in INSTALL.items():
            python = getattr(given, peer.replace("-", "_"))
            if python is None:
                print(f"{peer} is skipped: no --{peer}. In an environment of its own: {how}")
            else:
                found[peer] = asked(peer, python, source)
    print(f"\n{len(signals.labels)} records of {signals.ids[0].rpartition('-')[0]}\n")
    show(HEAD, compared(signals, found))
    if "privacyguard" in found:
        show(EPSILON_HEAD, epsilons(exchanged, found["privacyguard"]))
    for line in claims(signals, exchanged, found):
        print(f"- {line}")


def asked(peer: str, python: str, source: Path) -> Arrays:
    """What the peer makes of the arrays."""
    out = source.with_name(f"{peer}.npz")
    subprocess.run([python, "-W", "ignore", ADAPTER, peer, source, out], check=True)
    return dict(np.load(out))


# The arrays


def trained_signals() -> Signals:
    """Reference runs and targets on random halves of a pool, and records that none of them saw. Of
    the targets the last few are of the arm "underfit", trained for a quarter of the epochs."""
    torch.set_num_threads(1)
    found = {s.name: s.found for s in status()}
    name = "fashion-mnist" if found["fashion-mnist"] else "digits"
    pool, beyond = (POOL, OUTSIDE) if name == "fashion-mnist" else (1200, 597)
    data = load(name)
    rng = np.random.default_rng(0)
    chosen = rng.permutation(len(data.x))[: pool + beyond]
    x, y = torch.from_numpy(data.x[chosen]), torch.from_numpy(data.y[chosen])
    arms = np.repeat(["shadow", "original", "underfit"], [REFERENCES, TARGETS, UNDERFIT])
    member = np.zeros((len(arms), len(chosen)), dtype=bool)
    for row in member:
        row[rng.permutation(pool)[: pool // 2]] = True
    models = [initialise(lambda: mlp(x.shape[1:], data.n_classes), seed) for seed in range(len(arms))]
    for arm, epochs in ((("shadow", "original"), 20), (("underfit",), 5)):
        runs = np.flatnonzero(np.isin(arms, arm))
        fit(
            [models[run] for run in runs],
            x,
            y,
            Recipe(epochs=epochs, batch_size=32, learning_rate=1e-3),
            seeds=[int(run) for run in runs],
            members=np.stack([np.flatnonzero(member[run]) for run in runs]),
        )
    logits = np.stack([answer(model, x) for model in models])
    return Signals(logits, member, y.numpy(), data.ids[chosen], arms, 0, inputs=x.flatten(1).numpy())


def targets(signals: Signals) -> Ints:
    """The audited runs."""
    return signals.runs_of("original")


def candidates(signals: Signals) -> Ints:
    """The records that runs may have been trained on."""
    return np.flatnonzero(signals.member.any(axis=0))


def arrays(signals: Signals) -> Arrays:
    """What every peer is given."""
    log_p = log_softmax(signals.logits)
    own_log = log_p[:, np.arange(len(signals.labels)), signals.labels]
    shadow = signals.runs_of("shadow")
    found: Arrays = {
        "logits": signals.logits,
        "p": np.exp(log_p),
        "own": np.exp(own_log),
        "loss": -own_log,
        "phi": phi(signals.logits, signals.labels),
        "labels": signals.labels,
        "member": signals.member,
        "shadow": shadow,
        "targets": np.concatenate([targets(signals), signals.runs_of("underfit")]),
        "candidates": candidates(signals),
        "outside": outside(signals),
        "features": coarse(signals),
        "a": np.array(rmia.tuned(signals, int(targets(signals)[0]))),
        "alphas": ALPHAS,
        "fdp": np.array(FDP),
        "attacked": np.array(
            [split(signals, run, lira.online(lira.shrunk)(signals, run)) for run in targets(signals)]
        ),
        "null": np.random.default_rng(1).normal(size=(NULLS, 2, NULL_RECORDS)),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # no run saw the records outside
        for side, counts in (("in", signals.member[shadow]), ("out", ~signals.member[shadow])):
            margins = np.where(counts, found["phi"][shadow], np.nan)
            found[f"mean {side}"], found[f"std {side}"] = (
                np.nanmean(margins, axis=0),
                np.nanstd(margins, axis=0),
            )
            found[f"loss {side}"] = np.nanmean(np.where(counts, found["loss"][shadow], np.nan), axis=0)
    return found


def coarse(signals: Signals) -> Floats:
    """The records as few numbers: means over tiles of four by four pixels, or the pixels if they
    are few."""
    assert signals.inputs is not None
    side = int(np.sqrt(signals.inputs.shape[1]))
    if side < 28:
        return np.asarray(signals.inputs, dtype=np.float64)
    tiles = signals.inputs.reshape(-1, side // 4, 4, side // 4, 4).mean(axis=(2, 4))
    return np.asarray(tiles.reshape(len(tiles), -1), dtype=np.float64)


def split(signals: Signals, run: int, scores: Floats) -> tuple[Floats, Floats]:
    """The scores of the run's members and of the other candidates."""
    records = candidates(signals)
    inside = signals.member[run, records]
    return scores[records[inside]], scores[records[~inside]]


# Score beside score


@dataclass(frozen=True)
class Pair:
    """An attack of a peer, ours that comes nearest, and ours with the peer's choice put in.

    key: the name `adapter.py` gives it. same: None where the choice cannot be put in. why:
    the choice, and where the peer makes it.
    """

    peer: str
    key: str
    ours: str
    score: Score
    same: Score | None
    why: str


def margin(signals: Signals, run: int) -> Floats:
    """phi, as a score by itself."""
    return phi(signals.logits[run], signals.labels)


def guarded(signals: Signals, run: int) -> Floats:
    """phi from float32 probabilities, guarded as PrivacyGuard does it."""
    p = np.float32(rmia.probability(signals.logits[run], signals.labels))
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(1e-30 + p) - np.log(1e-30 + 1 - p), dtype=np.float64)


@once
def rounded(signals: Signals) -> Signals:
    """The same runs with phi as SACRO-ML makes it of float32 probabilities."""
    classes = signals.logits.shape[-1]
    logits = np.full_like(signals.logits, -np.log(classes - 1))
    for row, answers in zip(logits, signals.logits, strict=True):
        p = np.float64(np.float32(rmia.probability(answers, signals.labels))).clip(1e-16, 1 - 1e-16)
        row[np.arange(len(p)), signals.labels] = np.log(p / (1 - p))
    return replace(signals, logits=logits)


def distribution_function(score: Score) -> Score:
    """Phi of a score: what equation 4 of LiRA has."""
    return lambda signals, run: stats.norm.cdf(score(signals, run))


def mean_of_sds(signals: Signals) -> lira.Variance:
    """One variance: the square of the mean over candidates of their own standard deviations."""
    records = candidates(signals)

    def variance(side: Moments) -> Floats:
        sds = np.sqrt(side.m2[records] / np.maximum(side.n[records], 1))
        return np.full(side.n.shape, sds[side.n[records] > 0].mean() ** 2)

    return variance


def raw_spread(signals: Signals) -> lira.Variance:
    """One variance: that of all margins of all candidates on this side, between records too."""
    records = candidates(signals)

    def variance(side: Moments) -> Floats:
        n, mean, m2 = (x[records][side.n[records] > 0] for x in (side.n, side.mean, side.m2))
        centre = (n * mean).sum() / n.sum()
        return np.full(side.n.shape, (m2 + n * (mean - centre) ** 2).sum() / n.sum())

    return variance


def spread_of_target(signals: Signals, run: int) -> lira.Variance:
    """One variance: that of the target's own margins over candidates."""
    return lambda side: np.full(side.n.shape, margin(signals, run)[candidates(signals)].var(ddof=1))


def fixed(attack: Callable[[lira.Variance], Score], rule: Callable[[Signals], lira.Variance]) -> Score:
    """A form of LiRA with a variance that is known once the signals are."""
    return lambda signals, run: attack(rule(signals))(signals, run)


def fixed_by_target(attack: Callable[[lira.Variance], Score]) -> Score:
    """A form of LiRA with `spread_of_target`."""
    return lambda signals, run: attack(spread_of_target(signals, run))(signals, run)


def privacyguard_rmia(k: int, online: bool) -> Score:
    """RMIA as PrivacyGuard has it: the mean of the k largest of all references, offline of those
    without the record and zeros for the others; x must exceed z."""

    def score(signals: Signals, run: int) -> Floats:
        p = np.stack([rmia.probability(signals.logits[r], signals.labels) for r in signals.runs_of("shadow")])
        if not online:
            p[signals.member[signals.runs_of("shadow")]] = 0.0
        usual = np.sort(p, axis=0)[-k:].mean(axis=0)
        if not online:
            usual = rmia.usual_offline(usual, rmia.tuned(signals, run))
        r = rmia.probability(signals.logits[run], signals.labels) / usual
        z = np.sort(r[outside(signals)])
        return np.asarray(np.searchsorted(z, r, side="left") / len(z))

    return score


PG_LIRA = "lira_attack.py, LiraAttack"
PG_RMIA = "rmia_attack.py, RmiaAttack.compute_ref_signal_averages"
SACRO_LIRA = "likelihood_attack.py, LIRAAttack"
ONLINE, OFFLINE = lira.online(lira.per_example), lira.offline(lira.per_example)
SACRO_LOGIT = (
    "p from a float32 softmax (model_pytorch.py, PytorchModel.predict_proba) rounds to 1, which utils.py,"
    " logit makes 36.7"
)

PAIRS = (
    Pair("art", "gap", "gap", gap.score, gap.score, "same"),
    Pair(
        "art",
        "forest",
        "shokri (forest)",
        shokri.score,
        None,
        "as its examples have it: fitted on half of the target's own records, asked about the other half",
    ),
    Pair(
        "art",
        "forest references",
        "shokri (forest)",
        shokri.score,
        None,
        "fitted on the reference runs like ours, but judging records that it was fitted on too; ours is"
        " cross-fitted",
    ),
    Pair(
        "art",
        "forest other records",
        "shokri (forest)",
        shokri.score,
        None,
        "cross-fitted too; left: p and leaves of one example; ours has log p, the label first, and larger"
        " leaves",
    ),
    Pair("privacyguard", "loss", "loss", loss.score, loss.score, "same, in float32"),
    Pair("privacyguard", "calib loss", "loss", loss.score, loss.score, "same"),
    Pair(
        "privacyguard",
        "calib loss float32",
        "loss",
        loss.score,
        loss.score,
        "0 log 0 where p rounds to 1 (calib_attack.py, CalibAttack.compute_loss)",
    ),
    Pair("privacyguard", "calib phi", "phi", margin, margin, "same, from p; ours from logits"),
    Pair(
        "privacyguard",
        "calib phi float32",
        "phi",
        margin,
        guarded,
        "p is float32 and rounds to 1; 1e-30 + 1 - p is then 0 (calib_attack.py,"
        " CalibAttack.compute_scaled_logits)",
    ),
    Pair(
        "privacyguard",
        "calib calibrated loss",
        "difficulty calibration",
        difficulty_calibration.score,
        difficulty_calibration.score,
        "same, given the mean loss of the OUT runs for its one calibration model",
    ),
    Pair("privacyguard", "lira online per example", "LiRA online, per example", ONLINE, ONLINE, "same"),
    Pair(
        "privacyguard",
        "lira online mix",
        "LiRA online, pooled",
        lira.online(lira.pooled),
        fixed(lira.online, mean_of_sds),
        f"fixed variance is the mean of the records' standard deviations, squared ({PG_LIRA}._get_std_dev)",
    ),
    Pair(
        "privacyguard",
        "lira online global",
        "LiRA online, pooled",
        lira.online(lira.pooled),
        fixed_by_target(lira.online),
        f"its default: the spread of the audited model's own scores between records ({PG_LIRA}._get_std_dev)",
    ),
    Pair(
        "privacyguard",
        "lira offline",
        "LiRA offline, pooled",
        lira.offline(lira.pooled),
        fixed_by_target(lira.two_sided),
        f"-log density, two-sided; spread of the audited model's scores ({PG_LIRA}.run_attack)",
    ),
    Pair(
        "privacyguard",
        "lira offline shadows",
        "LiRA offline, pooled",
        lira.offline(lira.pooled),
        fixed(lira.two_sided, mean_of_sds),
        f"-log density, two-sided; no variance per example offline ({PG_LIRA}.run_attack)",
    ),
    Pair(
        "privacyguard",
        "rmia offline default",
        "RMIA offline",
        rmia.offline(RMIA_GAMMA),
        privacyguard_rmia(REFERENCES // 2, online=False),
        f"mean of the largest R/2 OUT references, zeros if fewer ({PG_RMIA})",
    ),
    Pair(
        "privacyguard",
        "rmia offline all",
        "RMIA offline",
        rmia.offline(RMIA_GAMMA),
        privacyguard_rmia(REFERENCES, online=False),
        f"IN references count as p = 0 in the mean ({PG_RMIA})",
    ),
    Pair(
        "privacyguard",
        "rmia online all",
        "RMIA online",
        rmia.online(RMIA_GAMMA),
        privacyguard_rmia(REFERENCES, online=True),
        f"the mean of all references; ours has IN and OUT count half each ({PG_RMIA})",
    ),
    Pair("sacroml", "lira online-carlini", "LiRA online, per example", ONLINE, ONLINE, "same"),
    Pair(
        "sacroml",
        "lira online-carlini fixed",
        "LiRA online, pooled",
        lira.online(lira.pooled),
        fixed(lira.online, raw_spread),
        f"fixed variance holds the spread between records ({SACRO_LIRA}._get_global_std)",
    ),
    Pair(
        "sacroml",
        "lira online-carlini rounded",
        "LiRA online, per example",
        ONLINE,
        lambda signals, run: ONLINE(rounded(signals), run),
        SACRO_LOGIT,
    ),
    Pair(
        "sacroml",
        "lira offline",
        "LiRA offline, per example",
        OFFLINE,
        distribution_function(OFFLINE),
        f"Phi of ours, which runs into 1 ({SACRO_LIRA}._get_probabilities)",
    ),
    Pair(
        "sacroml",
        "lira offline fixed",
        "LiRA offline, pooled",
        lira.offline(lira.pooled),
        distribution_function(fixed(lira.offline, raw_spread)),
        f"Phi of ours; the spread between records ({SACRO_LIRA}._get_global_std)",
    ),
    Pair(
        "sacroml",
        "lira offline-carlini",
        "LiRA offline, per example",
        OFFLINE,
        lira.two_sided(lira.per_example),
        f"-log density, two-sided ({SACRO_LIRA}._get_probabilities)",
    ),
    Pair(
        "sacroml",
        "quantile",
        "quantile regression",
        quantile_regression.score,
        None,
        "fitted on the very non-members it is judged on (qmia_attack.py, QMIAAttack._attack); boosted trees",
    ),
    Pair(
        "sacroml",
        "quantile others",
        "quantile regression",
        quantile_regression.score,
        None,
        "the same trees fitted on records nobody saw, as ours: one quantile, ours a mean and a variance",
    ),
)


def compared(signals: Signals, found: dict[str, Arrays]) -> Iterator[tuple[str, ...]]:
    """A row a pair: AUC of either and rank correlation, means over targets; the largest difference
    of scores, and what is left of it with the peer's choice in our formula."""
    runs = targets(signals)
    for pair in PAIRS:
        if pair.peer not in found:
            continue
        theirs, ours = found[pair.peer][pair.key][: len(runs)], scores(signals, pair.score)
        rows = [
            (both_auc(signals, int(run), x, y), rank_correlation(x, y))
            for run, x, y in zip(runs, theirs, ours, strict=True)
        ]
        (its, mine), rho = np.mean([a for a, _ in rows], axis=0), np.mean([r for _, r in rows])
        left, lost = "-", "-"
        if pair.same is not None:
            left = f"{largest(subtracted(theirs, scores(signals, pair.same))):.0e}"
            lost = str(int(np.sum(~np.isfinite(theirs[:, candidates(signals)]))))
        yield (
            pair.peer,
            pair.key,
            pair.ours,
            f"{its:.4f}",
            f"{mine:.4f}",
            f"{rho:.4f}",
            f"{largest(subtracted(theirs, ours)):.0e}" if pair.same else "-",
            left,
            lost,
            pair.why,
        )


def scores(signals: Signals, score: Score) -> Floats:
    """Of all targets."""
    return np.stack([score(signals, int(run)) for run in targets(signals)])


def both_auc(signals: Signals, run: int, theirs: Floats, ours: Floats) -> tuple[float, float]:
    """The AUCs on the candidates that the peer scores."""
    asked = np.where(np.isnan(theirs), np.nan, ours)
    return tuple(  # type: ignore[return-value]
        auc(*(x[~np.isnan(x)] for x in split(signals, run, scores))) for scores in (theirs, asked)
    )


def rank_correlation(x: Floats, y: Floats) -> float:
    """Spearman's, over records that both score."""
    both = ~np.isnan(x) & ~np.isnan(y)
    return float(stats.spearmanr(x[both], y[both]).statistic)


def largest(difference: Floats) -> float:
    """The largest absolute value, NaN apart."""
    return float(np.nanmax(np.abs(difference)))


def subtracted(x: Floats, y: Floats) -> Floats:
    """x - y; NaN where both are infinite."""
    with np.errstate(invalid="ignore"):
        return np.asarray(x - y)


HEAD = (
    "peer",
    "its attack",
    "ours",
    "its AUC",
    "our AUC",
    "Spearman",
    "max diff.",
    "left with its choice",
    "not finite",
    "choice, and where",
)


def show(head: Sequence[str], rows: Iterator[tuple[str, ...]]) -> None:
    """A Markdown table, row by row as it comes."""
    print(f"| {' | '.join(head)} |\n{'|---' * len(head)}|")
    for row in rows:
        print(f"| {' | '.join(row)} |", flush=True)
    print()


# What else was found


def claims(signals: Signals, given: Arrays, found: dict[str, Arrays]) -> Iterator[str]:
    """A line each."""
    for peer, tell in TOLD.items():
        if peer in found:
            yield from (f"{peer}: {line}" for line in tell(signals, given, found[peer]))


def art_claims(signals: Signals, given: Arrays, found: Arrays) -> Iterator[str]:
    """What ART drops and mixes up."""
    records, used = found["shadow records"]
    yield f"ShadowModels, given {records} records, uses {used}"
    told = "it fails (IndexError)" if found["gap fails"][0] else "it answers"
    yield f"the gap attack asked about the records of classes 3 and 5 alone: {told}"
    rows = "; ".join(listed(row, 1) for row in found["two classes"])
    yield (
        f"the gap attack's probabilities (out, in) of three records in two classes: {rows}; right: .1 .9; .3"
        " .7; .6 .4"
    )


def privacyguard_claims(signals: Signals, given: Arrays, found: Arrays) -> Iterator[str]:
    """Two-sidedness, population bias, tuning, one-run epsilon."""
    yield underfit(signals, found["lira offline shadows"], lira.pooled)
    yield (
        "mean offline RMIA score of non-members, .5 if they are like the population: "
        f"its {mean_outside(signals, found['rmia offline default']):.3f}, "
        f"ours {mean_outside(signals, scores(signals, rmia.offline(RMIA_GAMMA))):.3f}"
    )
    attacked, reference = (np.argmax(tuning_aucs(signals, judged)) / 10 for judged in (0, 1))
    yield (
        f"a tuned by attacking reference run 0 with run 1: its {found['alpha tuned'][0]:.1f}; best for"
        f" telling the members of run 0 {attacked:.1f}, of run 1 {reference:.1f}; ours, with all runs,"
        f" {given['a']:.1f}"
    )
    for (m, r, v, delta), eps in zip(FDP, found["fdp"], strict=True):
        ours = fdp_one_run_epsilon(m, r, v, delta, 0.05).epsilon
        yield f"f-DP one run, {v} of {r} right, m = {m}, delta = {delta:g}: its {eps:.4f}, ours {ours:.4f}"


def mean_outside(signals: Signals, theirs: Floats) -> float:
    """The mean score of non-members, over targets."""
    runs = targets(signals)
    return float(np.mean([split(signals, run, x)[1] for run, x in zip(runs, theirs, strict=False)]))


def tuning_aucs(signals: Signals, judged: int) -> list[float]:
    """For a = 0, .1, ..., 1, the AUC of reference run 0, attacked offline with run 1 alone, for
    members of the reference run `judged`. Where run 1 was trained on the record, its p stands for
    what it would be without."""
    first, second = signals.runs_of("shadow")[:2]
    records = candidates(signals)
    p, q = (rmia.probability(signals.logits[run], signals.labels)[records] for run in (first, second))
    seen = signals.member[second, records]
    member = signals.member[(first, second)[judged], records]
    found = []
    for a in np.arange(11) / 10:
        b = a if a > 0 else 0.3
        out = np.where(seen, (q + b - 1) / b, q)
        r = p / rmia.usual_offline(out, a)
        found.append(auc(r[member], r[~member]))
    return found


def underfit(signals: Signals, theirs: Floats, variance: lira.Variance) -> str:
    """Offline LiRA, two-sided and one-sided, on targets trained for a quarter of the epochs."""
    runs = signals.runs_of("underfit")
    ours = [lira.offline(variance)(signals, int(run)) for run in runs]
    its, mine = (
        np.mean([auc(*split(signals, int(run), x)) for run, x in zip(runs, of_both, strict=True)])
        for of_both in (theirs[TARGETS:], ours)
    )
    return (
        f"offline LiRA on targets that underfit, AUC: its (two-sided) {its:.3f}, ours (one-sided) {mine:.3f}"
    )


def sacroml_claims(signals: Signals, given: Arrays, found: Arrays) -> Iterator[str]:
    """Two-sidedness, rounding, quantile regression judged on what it learnt from, rates."""
    yield underfit(signals, found["lira offline-carlini"], lira.per_example)
    failed, asked_about = found["float32 fails"]
    yield (
        f"LiRA given float32 probabilities (NumPy 2): its report fails for {failed} of {asked_about} targets"
    )
    seen, unseen = found["quantile rates"][:TARGETS].mean(axis=0)
    ours = np.mean([quantile_regression.realised_fpr(signals, int(run), 0.1) for run in targets(signals)])
    yield (
        f"quantile regression at alpha = .1: false-positive rate {seen:.3f} on the records it was fitted on,"
        f" which is what it reports, {unseen:.3f} on others; ours on others {ours:.3f}"
    )
    null = found["quantile null"]
    yield (
        f"quantile regression where nobody is a member: AUC {null.mean():.3f} "
        f"({len(null)} splits, standard error {null.std(ddof=1) / np.sqrt(len(null)):.3f})"
    )
    for column, fpr in enumerate((0.01, 0.001), start=1):
        mine = [attainable_tpr(pair[0], pair[1], fpr) for pair in given["attacked"]]
        yield (
            f"TPR at {fpr:.1%} of the same scores: its {listed(found['metrics'][:, column])}, ours"
            f" {listed(mine)}"
        )
    yield (
        f"TPR at 0.00001 % with {len(given['attacked'][0, 1])} non-members: its"
        f" {listed(found['metrics'][:, 3])}, ours refused"
    )
    its = found["metrics"][:, 0] - [auc(*pair) for pair in given["attacked"]]
    yield f"AUC of the same scores: the largest difference to ours is {largest(its):.1e}"
    yield (
        "worst case, which learns from the target's own members (none here does): AUC"
        f" {listed(found['worst case'][:TARGETS])}"
    )


def meter_claims(signals: Signals, given: Arrays, found: Arrays) -> Iterator[str]:
    """Whether the decisions at a level are ours, and whether the level is kept."""
    runs, records = targets(signals), candidates(signals)
    out = ~signals.member[np.ix_(runs, records)]
    p, z = scores(signals, attack_p.score), scores(signals, attack_r.with_variance(lira.per_example))
    for name, key, accused in (
        ("Attack-P", "population", lambda alpha: p > -alpha),
        ("Attack-R, normal", "reference", lambda alpha: z > stats.norm.ppf(1 - alpha)),
        ("Attack-R, normal, ours at 1 - alpha", "reference", lambda alpha: z > stats.norm.ppf(alpha)),
    ):
        theirs = found[key][: len(runs)][:, 1:-1, records] == 1
        ours = np.stack([accused(alpha)[:, records] for alpha in ALPHAS[1:-1]], axis=1)
        kept, same = (
            np.array([[x[:, i][out].mean() for i in range(x.shape[1])] for x in (theirs, ours)]),
            (theirs == ours).mean(axis=(0, 2)),
        )
        yield (
            f"{name} at {listed(ALPHAS[1:-1], 2)}: accuses {listed(kept[0], 3)} of the non-members, ours "
            f"{listed(kept[1], 3)}; same decision on {listed(same)}"
        )


def listed(values: Sequence[float] | Floats, digits: int = 4) -> str:
    """Numbers in one line."""
    return " ".join(f"{value:.{digits}f}" for value in values)


TOLD: dict[str, Callable[[Signals, Arrays, Arrays], Iterator[str]]] = {
    "art": art_claims,
    "privacyguard": privacyguard_claims,
    "sacroml": sacroml_claims,
    "privacy-meter": meter_claims,
}


# Epsilon

EPSILON_HEAD = ("scores", "epsilon", "above 0", "median", "largest")


def epsilons(given: Arrays, found: Arrays) -> Iterator[tuple[str, ...]]:
    """PrivacyGuard's three epsilons and ours, on the same scores."""
    for name, pairs, theirs in (
        ("attacked", given["attacked"], found["eps real"]),
        ("null", given["null"], found["eps null"]),
    ):
        best = np.array([best_of_all(*(half[: len(half) // 2] for half in pair)) for pair in pairs])
        columns = {
            "PrivacyGuard eps": theirs[:, 0],
            "PrivacyGuard eps_lb": theirs[:, 1],
            "PrivacyGuard eps_cp": theirs[:, 2],
            f"ours at whatever threshold is best (differs from eps_cp by {largest(theirs[:, 2] - best):.0e})": (
                best
            ),
            "ours, split": np.array(
                [
                    clopper_pearson_split(pair[0], pair[1], 0.0, 0.05, seed=i).epsilon
                    for i, pair in enumerate(pairs)
                ]
            ),
            "ours, threshold fixed at 0": np.array(
                [
                    clopper_pearson_epsilon(counts_at(pair[0], pair[1], 0.0), 0.0, 0.05).epsilon
                    for pair in pairs
                ]
            ),
        }
        for column, values in columns.items():
            share = f"{np.mean(values > 0):.3f} of {len(values)}"
            yield name, column, share, f"{np.median(values):.3f}", f"{values.max():.3f}"


def best_of_all(inside: Floats, out: Floats) -> float:
    """The largest Clopper-Pearson epsilon over all thresholds, negative where that is the best: no
    bound, as the threshold was not fixed."""
    accused = [counts_at(inside, out, t).limits(0.05) for t in (*inside, *out, -np.inf)]
    tpr, fpr = np.array(accused).T
    return float(np.log(np.maximum(tpr / fpr, (1 - fpr) / (1 - tpr))).max())


if __name__ == "__main__":
    main()
