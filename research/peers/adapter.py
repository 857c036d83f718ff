"""One peer's attacks on arrays that are given, run by the interpreter in which that peer is
installed.

    python adapter.py privacyguard in.npz out.npz

`compare.py` writes in.npz and reads out.npz; nothing of auditkit is imported here, and peers are
called as they are installed. Scores are float64 (targets, records), higher = more likely a member
as the peer's own reports take it, NaN for records that the peer does not score.
"""

import contextlib
import io
import logging
import sys
import tempfile
from collections.abc import Callable, Mapping
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import numpy as np

Arrays = dict[str, Any]


def main() -> None:
    """Run one peer."""
    peer, source, target = sys.argv[1:]
    logging.disable(logging.WARNING)
    given = dict(np.load(source))
    with contextlib.redirect_stdout(io.StringIO()):
        found = PEERS[peer](given)
    np.savez(target, **found)


def members(a: Arrays, target: int) -> tuple[Any, Any]:
    """The candidate records on which the target was trained, and the others."""
    inside = a["member"][target, a["candidates"]]
    return a["candidates"][inside], a["candidates"][~inside]


def each_target(a: Arrays, score: Callable[[int], Mapping[str, tuple[Any, Any]]]) -> Arrays:
    """Name -> (targets, records), from the records and scores that `score` gives for one target."""
    found: Arrays = {}
    for row, target in enumerate(a["targets"]):
        for name, (records, values) in score(target).items():
            table = found.setdefault(name, np.full((len(a["targets"]), len(a["labels"])), np.nan))
            table[row, records] = values
    return found


# PrivacyGuard


def privacyguard(a: Arrays) -> Arrays:
    """LiRA, RMIA, loss, calibration; epsilon on attacked and on null scores; the f-DP node."""
    return {
        **each_target(a, lambda target: privacyguard_scores(a, target)),
        **privacyguard_epsilon(a),
        "fdp": np.array([fdp(*row) for row in a["fdp"]]),
        "alpha tuned": np.array([tuned_alpha(a)]),
    }


LIRA: dict[str, dict[str, Any]] = {
    "lira online per example": {"online_attack": True},
    "lira online mix": {"online_attack": True, "use_fixed_variance": True, "std_dev_type": "mix"},
    "lira online global": {"online_attack": True, "use_fixed_variance": True},
    "lira offline": {},
    "lira offline shadows": {"std_dev_type": "shadows_out"},
}


def privacyguard_scores(a: Arrays, target: int) -> dict[str, tuple[Any, Any]]:
    """Every attack of PrivacyGuard on arrays, on one target."""
    none = import_module("privacy_guard.analysis.mia.aggregate_analysis_input").AggregationType.NONE
    lira = import_module("privacy_guard.attacks.lira_attack").LiraAttack
    calib = import_module("privacy_guard.attacks.calib_attack").CalibAttack
    found = {}
    for name, options in LIRA.items():
        attack = lira(*(lira_frame(a, target, r) for r in members(a, target)), none, **options)
        found[name] = collected(attack.run_attack())
    for name, given in (("loss", a["own"][target]), ("loss float32", np.float32(a["own"][target]))):
        found[f"calib {name}"] = collected(calibrated(calib, none, a, target, given, given, "loss", False))
    found["calib calibrated loss"] = collected(
        calibrated(calib, none, a, target, a["own"][target], np.exp(-a["loss out"]), "loss", True)
    )
    for name, given in (("phi", a["own"][target]), ("phi float32", np.float32(a["own"][target]))):
        found[f"calib {name}"] = collected(
            calibrated(calib, none, a, target, given, given, "scaled_logits", False)
        )
    found["loss"] = loss_scores(a, target)
    for name, options in (
        ("rmia offline default", {}),
        ("rmia offline all", {"num_reference_models": len(a["shadow"])}),
        ("rmia online all", {"num_reference_models": len(a["shadow"]), "online": True}),
    ):
        found[name] = collected(rmia(a, target, none, options))
    return found


def collected(found: Any) -> tuple[Any, Any]:
    """The records and scores of an analysis input."""
    pandas = import_module("pandas")
    both = pandas.concat([found.df_train_user, found.df_test_user])
    return both["user_id"].to_numpy(), both["score"].to_numpy()


def lira_frame(a: Arrays, target: int, records: Any) -> Any:
    """What LiraAttack wants to know of these records."""
    columns = {"user_id": records, "score_orig": a["phi"][target, records]}
    for side, (mean, std) in {
        "in": (a["mean in"], a["std in"]),
        "out": (a["mean out"], a["std out"]),
    }.items():
        columns |= {f"score_mean_{side}": mean[records], f"score_std_{side}": std[records]}
    columns |= {"score_mean": a["mean out"][records], "score_std": a["std out"][records]}
    return import_module("pandas").DataFrame(columns)


def calibrated(
    attack: Any, none: Any, a: Arrays, target: int, p: Any, reference: Any, signal: str, use: bool
) -> Any:
    """CalibAttack on the label's probability, taken as a binary prediction of label 1."""
    pandas = import_module("pandas")
    frames = [
        pandas.DataFrame({"user_id": records, "label": 1, "predictions": values[records]})
        for values in (p, reference)
        for records in members(a, target)
    ]
    return attack(*frames, none, use, signal).run_attack()


def loss_scores(a: Arrays, target: int) -> tuple[Any, Any]:
    """LossAttack on a model that answers the logits it is shown."""
    torch = import_module("torch")
    attack = import_module("privacy_guard.attacks.loss_attack").LossAttack
    both = members(a, target)
    loaders = [
        torch.utils.data.DataLoader(
            torch.utils.data.TensorDataset(
                torch.from_numpy(a["logits"][target, records]), torch.from_numpy(a["labels"][records])
            ),
            batch_size=500,
        )
        for records in both
    ]
    found = attack(torch.nn.Identity(), *loaders).run_attack()
    frames = found.df_train_user, found.df_test_user
    return np.concatenate(both), np.concatenate([frame["score"] for frame in frames])


def rmia_frame(a: Arrays, target: int, records: Any) -> Any:
    """What RmiaAttack wants to know of these records."""
    columns = {"user_id": records, "score_orig": a["own"][target, records]}
    for i, run in enumerate(a["shadow"]):
        columns[f"score_ref_{i}"] = a["own"][run, records]
        columns[f"member_ref_{i}"] = a["member"][run, records]
    return import_module("pandas").DataFrame(columns)


def rmia(a: Arrays, target: int, none: Any, options: Mapping[str, Any]) -> Any:
    """RmiaAttack with the a that auditkit tuned, and z of records that nobody was trained on."""
    attack = import_module("privacy_guard.attacks.rmia_attack").RmiaAttack
    frames = [rmia_frame(a, target, records) for records in (*members(a, target), a["outside"])]
    return attack(*frames, none, alpha_coefficient=float(a["a"]), **options).run_attack()


def tuned_alpha(a: Arrays) -> float:
    """The a that RmiaAttack tunes by itself for the first target."""
    attack = import_module("privacy_guard.attacks.rmia_attack").RmiaAttack
    none = import_module("privacy_guard.analysis.mia.aggregate_analysis_input").AggregationType.NONE
    target = a["targets"][0]
    frames = [rmia_frame(a, target, records) for records in (*members(a, target), a["outside"])]
    tuner = attack(*frames, none, enable_auto_tuning=True)
    kept: list[float] = []
    tune = tuner._auto_tune_alpha_coefficient

    def told(**known: Any) -> float:
        kept.append(tune(**known))
        return kept[-1]

    tuner._auto_tune_alpha_coefficient = told
    tuner.run_attack()
    return kept[-1]


def privacyguard_epsilon(a: Arrays) -> Arrays:
    """eps, eps_lb and eps_cp: (3,) a pair of score arrays, for real ones and for nulls."""
    node = import_module("privacy_guard.analysis.mia.analysis_node").AnalysisNode
    scored = import_module("privacy_guard.analysis.base_analysis_input").BaseAnalysisInput
    frame = import_module("pandas").DataFrame
    np.random.seed(0)

    def epsilon(inside: Any, out: Any) -> tuple[float, float, float]:
        pair = scored(frame({"score": inside}), frame({"score": out}))
        found = node(pair, 0.0, n_users_for_eval=10**9, num_bootstrap_resampling_times=200).run_analysis()
        return found.eps, found.eps_lb, found.eps_cp

    with np.errstate(all="ignore"):
        return {
            "eps real": np.array([epsilon(*pair) for pair in a["attacked"]]),
            "eps null": np.array([epsilon(*pair) for pair in a["null"]]),
        }


def fdp(m: float, r: float, v: float, delta: float) -> float:
    """FDPAnalysisNode's epsilon for v right of r guesses on m canaries."""
    node = import_module("privacy_guard.analysis.mia.fdp_analysis_node").FDPAnalysisNode
    return float(node(m=int(m), c=int(v), c_cap=int(r), delta=delta).run_analysis().eps)


# SACRO-ML


def sacroml(a: Arrays) -> Arrays:
    """LiRA in three modes, quantile regression, worst case; the metrics."""
    with tempfile.TemporaryDirectory() as out:
        return {
            **each_target(a, lambda target: sacroml_scores(a, target, out)),
            **sacroml_failures(a, out),
            **sacroml_quantiles(a, out),
            **sacroml_metrics(a),
            "worst case": np.array([worst_case(a, target, out) for target in a["targets"]]),
        }


def rounded(p: Any) -> Any:
    """Probabilities as sacroml's PytorchModel gives them: a float32 softmax, then float64."""
    return np.float64(np.float32(p))


SACRO_LIRA = {
    "lira online-carlini": ("online-carlini", False, np.float64),
    "lira online-carlini fixed": ("online-carlini", True, np.float64),
    "lira online-carlini rounded": ("online-carlini", False, rounded),
    "lira offline": ("offline", False, np.float64),
    "lira offline fixed": ("offline", True, np.float64),
    "lira offline-carlini": ("offline-carlini", False, np.float64),
}
"""Mode, fix_variance, and the precision of the probabilities it is given."""


def sacroml_scores(a: Arrays, target: int, out: str) -> dict[str, tuple[Any, Any]]:
    """LIRAAttack's scores; column 1 is the one its metrics take for membership."""
    return {
        name: (a["candidates"], sacroml_lira(a, target, out, *how)[0]) for name, how in SACRO_LIRA.items()
    }


def sacroml_lira(
    a: Arrays, target: int, out: str, mode: str, fixed: bool, precision: Any
) -> tuple[Any, Callable[[], None]]:
    """LIRAAttack's scores of the candidates, and how it goes on to make its report of them."""
    attack = import_module("sacroml.attacks.likelihood_attack").LIRAAttack
    logit = np.vectorize(import_module("sacroml.attacks.utils").logit, otypes=[np.float64])
    records = a["candidates"]
    with np.errstate(all="ignore"):
        values = logit(precision(a["own"][a["shadow"]][:, records]))
        member = a["member"][a["shadow"]][:, records]
        sides = [{i: list(values[side[:, i], i]) for i in range(len(records))} for side in (~member, member)]
        scorer = attack(out, write_report=False, mode=mode, fix_variance=fixed)
        scores, _ = scorer._compute_scores(a["labels"][records], precision(a["p"][target, records]), *sides)
    half = len(records) // 2
    return np.array(scores)[:, 1], lambda: scorer._save_attack_metrics(scores, half, len(records) - half, 0)


def sacroml_failures(a: Arrays, out: str) -> Arrays:
    """For how many targets LIRAAttack's report fails, given float32 probabilities."""
    failed = 0
    for target in a["targets"]:
        try:
            sacroml_lira(a, target, out, "online-carlini", False, np.float32)[1]()
        except ValueError:
            failed += 1
    return {"float32 fails": np.array([failed, len(a["targets"])])}


def sacroml_quantiles(a: Arrays, out: str) -> Arrays:
    """QMIAAttack on the targets: scores, its own false-positive rate at alpha = 0.1 and the one on
    records that nobody was trained on; and its AUC on records of which no target was trained on
    any."""

    hinge = import_module("sacroml.attacks.utils").qmia_hinge_score
    rates, scores, fair = [], [], []
    for target in a["targets"]:
        attack = sacroml_quantile(a, target, out, *members(a, target))
        z = a["outside"]
        asked = np.column_stack((a["features"][z], a["labels"][z]))
        unseen = np.mean(hinge(a["p"][target, z], a["labels"][z]) > attack.quantile_model.predict(asked))
        rates.append((attack.attack_metrics[0]["observed_public_fpr"], unseen))
        row = np.full(len(a["labels"]), np.nan)
        row[np.concatenate(members(a, target))] = attack.attack_metrics[0]["individual"]["margin"]
        scores.append(row)
        attack = sacroml_quantile(a, target, out, a["candidates"], z)
        row = np.full(len(a["labels"]), np.nan)
        row[np.concatenate((a["candidates"], z))] = attack.attack_metrics[0]["individual"]["margin"]
        fair.append(row)
    rng = np.random.default_rng(0)
    null = []
    for _ in range(20):
        half = rng.permutation(a["outside"])
        first, second = half[: len(half) // 2], half[len(half) // 2 :]
        attack = sacroml_quantile(a, a["targets"][0], out, first, second)
        null.append(attack.attack_metrics[0]["AUC"])
    return {
        "quantile": np.array(scores),
        "quantile others": np.array(fair),
        "quantile rates": np.array(rates),
        "quantile null": np.array(null),
    }


def sacroml_quantile(a: Arrays, target: int, out: str, inside: Any, others: Any) -> Any:
    """QMIAAttack at alpha = 0.1, with these records for members and those for non-members, once it
    has run."""
    asked = SimpleNamespace(
        X_train=a["features"][inside],
        X_test=a["features"][others],
        y_train=a["labels"][inside],
        y_test=a["labels"][others],
    )
    known = {id(asked.X_train): a["p"][target, inside], id(asked.X_test): a["p"][target, others]}
    asked.model = SimpleNamespace(
        model=None, model_name="", model_params={}, train_params={}, predict_proba=lambda x: known[id(x)]
    )
    quantile_attack = import_module("sacroml.attacks.qmia_attack").QMIAAttack
    attack = quantile_attack(out, write_report=False, alpha=0.1, report_individual=True)
    attack._attack(asked)
    return attack


def sacroml_metrics(a: Arrays) -> Arrays:
    """AUC and TPR at a false-positive rate of 1 %, 0.1 % and 1e-7 of given scores: (targets, 4)."""
    metrics = import_module("sacroml.metrics")
    found = []
    for inside, out in a["attacked"]:
        y = np.repeat([1, 0], [len(inside), len(out)])
        scores = np.concatenate([inside, out])
        auc = metrics.get_metrics(np.column_stack((-scores, scores)), y)["AUC"]
        rates = (metrics._tpr_at_fpr(y, scores, fpr, fpr_perc=False) for fpr in (0.01, 0.001, 1e-7))
        found.append((auc, *(float(rate) for rate in rates)))
    return {"metrics": np.array(found)}


def worst_case(a: Arrays, target: int, out: str) -> float:
    """The mean AUC of WorstCaseAttack over five splits."""
    attack = import_module("sacroml.attacks.worst_case_attack").WorstCaseAttack(
        out, write_report=False, n_reps=5, n_dummy_reps=0
    )
    attack.attack_from_preds(*(a["p"][target, records] for records in members(a, target)))
    return float(np.mean([found["AUC"] for found in attack.attack_metrics]))


# Privacy Meter, the version on PyPI


def privacy_meter(a: Arrays) -> Arrays:
    """Which candidates are called members at each alpha, by Attack-P and Attack-R: (targets,
    alphas, records), 0, 1 or NaN."""
    tests = import_module("privacy_meter.hypothesis_test")
    population, reference = np.full((2, len(a["targets"]), len(a["alphas"]), len(a["labels"])), np.nan)
    for row, target in enumerate(a["targets"]):
        threshold = tests.linear_itp_threshold_func(a["loss"][target, a["outside"]], a["alphas"])
        population[row][:, a["candidates"]] = a["loss"][target, a["candidates"]] < threshold[:, None]
        for records, out in same_count(a):
            threshold = tests.gaussian_threshold_func(out, a["alphas"])
            reference[row][:, records] = a["loss"][target, records] < threshold
    return {"population": population, "reference": reference}


def same_count(a: Arrays) -> Any:
    """Groups of candidates with as many reference runs without them: the records, their losses
    (records, n)."""
    out = ~a["member"][a["shadow"]]
    counts = out.sum(axis=0)
    for n in np.unique(counts[a["candidates"]]):
        records = a["candidates"][counts[a["candidates"]] == n]
        yield records, np.stack([a["loss"][a["shadow"][out[:, r]], r] for r in records])


# ART


def art(a: Arrays) -> Arrays:
    """The gap attack, random forests, what becomes of classes that are not asked about,
    ShadowModels."""
    known = known_forest(a, a["candidates"])
    halves = a["candidates"][::2], a["candidates"][1::2]
    crossed = [(known_forest(a, learnt), asked) for learnt, asked in (halves, halves[::-1])]
    return {
        **each_target(a, lambda target: art_scores(a, target)),
        **each_target(a, lambda target: {"forest references": judged(a, target, [(known, a["candidates"])])}),
        **each_target(a, lambda target: {"forest other records": judged(a, target, crossed)}),
        "gap fails": np.array([gap_fails(a)]),
        "shadow records": np.array(shadow_records()),
        "two classes": two_classes(),
    }


def art_scores(a: Arrays, target: int) -> dict[str, tuple[Any, Any]]:
    """The gap attack, and a forest that knows half of the target's own members and non-members."""
    (known_in, asked_in), (known_out, asked_out) = ((r[::2], r[1::2]) for r in members(a, target))
    asked = np.concatenate([asked_in, asked_out])
    attack = forest(a, (target, known_in), (target, known_out))
    return {
        "gap": (a["candidates"], gap(a, target, a["candidates"])),
        "forest": (asked, membership(a, attack, target, asked)),
    }


def forest(a: Arrays, inside: Any, out: Any) -> Any:
    """MembershipInferenceBlackBox with its default forest, fitted on (runs, records) of members and
    non-members."""
    black_box = import_module("art.attacks.inference.membership_inference").MembershipInferenceBlackBox
    attack = black_box(answering(a, a["targets"][0]), attack_model_type="rf", scaler_type=None)
    attack.attack_model.set_params(random_state=0)
    labels = a["labels"]
    attack.fit(y=labels[inside[1]], pred=a["p"][inside], test_y=labels[out[1]], test_pred=a["p"][out])
    return attack


def known_forest(a: Arrays, records: Any) -> Any:
    """The forest fitted on what the reference runs answer on these records."""
    inside = a["member"][np.ix_(a["shadow"], records)]
    runs, columns = np.broadcast_arrays(a["shadow"][:, None], records[None])
    return forest(a, (runs[inside], columns[inside]), (runs[~inside], columns[~inside]))


def judged(a: Arrays, target: int, forests: list[tuple[Any, Any]]) -> tuple[Any, Any]:
    """Each forest's records, and what it makes of them."""
    found = [membership(a, attack, target, records) for attack, records in forests]
    return np.concatenate([records for _, records in forests]), np.concatenate(found)


def membership(a: Arrays, attack: Any, target: int, records: Any) -> Any:
    """What the forest makes of the target's answers."""
    p = a["p"][target, records]
    return attack.infer(None, a["labels"][records], pred=p, probabilities=True).ravel()


def answering(a: Arrays, target: int) -> Any:
    """The target as ART's estimator: asked about record numbers, it answers."""
    estimator = import_module("art.estimators.classification").BlackBoxClassifierNeuralNetwork
    return estimator(
        lambda rows: a["p"][target, rows.astype(int).ravel()],
        input_shape=(1,),
        nb_classes=a["p"].shape[-1],
        channels_first=True,
    )


def gap(a: Arrays, target: int, records: Any) -> Any:
    """MembershipInferenceBlackBoxRuleBased on these records."""
    rule = import_module("art.attacks.inference.membership_inference").MembershipInferenceBlackBoxRuleBased
    return rule(answering(a, target)).infer(records.astype(np.float32)[:, None], a["labels"][records])


def gap_fails(a: Arrays) -> bool:
    """Whether the same rule fails when asked about the records of classes 3 and 5 alone."""
    records = a["candidates"][np.isin(a["labels"][a["candidates"]], (3, 5))]
    try:
        gap(a, a["targets"][0], records)
    except IndexError:
        return True
    return False


def shadow_records() -> tuple[int, int]:
    """(records given to ShadowModels, records it uses), with models that learn nothing."""

    class Idle:
        input_shape = (1,)

        def clone_for_refitting(self) -> "Idle":
            return Idle()

        def fit(self, x: Any, y: Any) -> None:
            pass

        def predict(self, x: Any) -> Any:
            return np.zeros((len(x), 2))

    shadows = import_module("art.attacks.inference.membership_inference").ShadowModels(
        Idle(), 1, random_state=0
    )
    x = np.arange(100)[:, None]
    (inside, *_), (out, *_) = shadows.generate_shadow_dataset(x, np.zeros((100, 2)))
    return len(x), len(np.union1d(inside, out))


def two_classes() -> Any:
    """The rule's probabilities for three records in two classes, right, right and wrong: (3, 2)."""
    estimator = import_module("art.estimators.classification").BlackBoxClassifierNeuralNetwork
    p = np.array([[0.9, 0.1], [0.3, 0.7], [0.6, 0.4]])
    answer = estimator(lambda rows: p[rows.astype(int).ravel()], input_shape=(1,), nb_classes=2)
    rule = import_module("art.attacks.inference.membership_inference").MembershipInferenceBlackBoxRuleBased(
        answer
    )
    x = np.arange(3, dtype=np.float32)[:, None]
    return np.asarray(rule.infer(x, np.array([0, 1, 1]), probabilities=True), dtype=np.float64)


PEERS: dict[str, Callable[[Arrays], Arrays]] = {
    "art": art,
    "privacyguard": privacyguard,
    "sacroml": sacroml,
    "privacy-meter": privacy_meter,
}


if __name__ == "__main__":
    main()
