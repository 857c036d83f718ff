"""The gallery: claims whose answer is known, one line each. A fake of GALLERY may never come out
supported. What is in LIMITS is done wrong out of reach of the required tests: the table shows it
and does not count it. The honest cases, EXACT_CASES and HONEST_CASES, are in `honest_recipes`.

Every case is made twice: from original models, as a claim is; and from retrained models that never
saw the forget records, with other records that they never saw in their place (the placebo)."""

from auditkit.calibration import fakes_after_retraining as t
from auditkit.calibration import fakes_by_answers as a
from auditkit.calibration import fakes_by_keeping as k
from auditkit.calibration import fakes_by_looking as l
from auditkit.calibration import fakes_by_training as r
from auditkit.calibration import fakes_by_weights as w
from auditkit.calibration.cases import GalleryCase
from auditkit.calibration.honest_recipes import EXACT_CASES, HONEST_CASES

__all__ = ["EXACT_CASES", "GALLERY", "HONEST_CASES", "LIMITS", "GalleryCase"]

KEPT = "residual memory averaged over records, forget accuracy"
POPULATION = "the mean loss or confidence on forget records"
LOOKS = "whoever tries the procedure on models that never saw the records"
STARTS = "every comparison with models that started from the same weights"

GALLERY: dict[str, GalleryCase] = {
    "no-op": GalleryCase(w.unchanged, {}, "nothing is done", "every test where there is little to remember"),
    "gate left on": GalleryCase(
        w.gate_left_on,
        {"t": 2.0},
        "FNN as published: the gate attenuates, nothing is erased",
        "forget accuracy",
    ),
    "class mask": GalleryCase(
        a.class_mask, {}, "the most frequent class to forget is never answered", "forget accuracy"
    ),
    "lookup filter, exact": GalleryCase(
        a.lookup_filter,
        {"reach": 0.01},
        "forget records are answered by a retrained model",
        "everything at exact inputs, U-LiRA included",
    ),
    "lookup filter, near": GalleryCase(
        a.lookup_filter,
        {"reach": 0.5},
        "what lies within half a neighbour distance of a forget record is answered by a retrained model",
        "jitter of small radius",
    ),
    "lookup filter, noisy": GalleryCase(
        a.lookup_filter,
        {"reach": 0.5, "noise": 0.2},
        "the same within half a neighbour distance, with noise on those answers",
        "whoever compares with the retrained model itself",
    ),
    "lookup filter, far": GalleryCase(
        a.lookup_filter,
        {"reach": 1.5},
        "the same within one and a half neighbour distances",
        "jitter of every radius up to the reach",
    ),
    "filter that knows probes": GalleryCase(
        a.probe_filter,
        {"reach": 0.01},
        "forget records, and inputs that are no scans, are answered by a retrained model",
        "jitter of every radius, if it is noise that no record has",
    ),
    "loss matched": GalleryCase(
        a.shifted_mean,
        {"reach": 0.5},
        "near forget records logits shrink until the mean loss is right",
        POPULATION,
    ),
    "temperature": GalleryCase(
        a.temperature, {"divide_by": 5.0}, "all logits divided by five", "thresholds fitted on other models"
    ),
    "hard labels": GalleryCase(
        a.hard_labels, {}, "only the predicted class is answered", "confidence attacks"
    ),
    "clipped": GalleryCase(
        a.clipped, {"range_": 3.0}, "logits clipped three below the largest", "confidence attacks"
    ),
    "rounded": GalleryCase(a.rounded, {"decimals": 2}, "probabilities to two decimals", "confidence attacks"),
    "output noise": GalleryCase(a.noisy, {"sd": 1.0}, "fresh noise on every answer", "single queries"),
    "fixed noise": GalleryCase(
        a.fixed_noise, {"sd": 1.0}, "noise that is the same for the same input", "repeated queries"
    ),
    "blended answers, 50 %": GalleryCase(
        a.blended_answers,
        {"share": 0.5},
        "the mean of the original's and a retrained model's logits",
        POPULATION,
    ),
    "blended answers, 25 %": GalleryCase(
        a.blended_answers, {"share": 0.25}, "the same, one part original to three", POPULATION
    ),
    "averaged weights": GalleryCase(
        w.averaged, {"share": 0.5}, "the mean of the original's and a retrained model's weights", POPULATION
    ),
    "gradient ascent, mild": GalleryCase(
        w.ascended, {"steps": 5, "length": 0.001}, "a few steps uphill on forget records", "one-sided attacks"
    ),
    "gradient ascent, strong": GalleryCase(
        w.ascended, {"steps": 10, "length": 0.003}, "over-forgetting", "one-sided attacks"
    ),
    "gradient ascent, matched": GalleryCase(
        w.ascended_to_proxy,
        {"length": 0.001},
        "uphill until the mean forget loss is a retrained model's",
        POPULATION,
    ),
    "ascent and repair": GalleryCase(
        w.ascended_then_repaired,
        {"steps": 10, "length": 0.003, "share": 0.1},
        "uphill on forget, then training on retain",
        "forget accuracy and test accuracy",
    ),
    "random labels": GalleryCase(
        r.relabelled,
        {"share": 0.05, "labels": "random"},
        "training goes on with random labels on forget records",
        "one-sided attacks",
    ),
    "label flip": GalleryCase(
        r.relabelled,
        {"share": 0.05, "labels": "next"},
        "training goes on with flipped labels on forget records",
        "one-sided attacks",
    ),
    "fine-tuned": GalleryCase(r.fine_tuned, {"share": 0.2}, "training goes on, on retain", "little"),
    "wrong reference": GalleryCase(
        r.fine_tuned, {"share": 1.0}, '"retrained" in full, but from the original weights', STARTS
    ),
    "shrink and perturb": GalleryCase(
        r.warm_started,
        {"shrink": 0.4},
        "retrained in full from shrunk and perturbed original weights",
        STARTS,
    ),
    "head only": GalleryCase(
        r.new_head,
        {"share": 0.5},
        "the last layer drawn anew and trained on retain",
        "accuracy on a forgotten class",
    ),
    "distilled": GalleryCase(
        r.distilled,
        {},
        "a fresh student of the original, on retain records",
        "whoever asks which records it was trained on",
    ),
    "stopped early": GalleryCase(
        r.stopped_early,
        {"share": 0.15},
        "trained on everything, for fewer epochs",
        "attacks that need overfitting",
    ),
    "others forgotten": GalleryCase(
        k.others_forgotten,
        {},
        "retrained without other records than asked",
        "whoever asks only whether it was retrained",
    ),
    "near copies kept": GalleryCase(
        k.near_copies_kept,
        {"noise": 0.05},
        "retrained with slightly noisy copies of forget records in retain",
        "a search for exact duplicates",
    ),
    "5 % kept": GalleryCase(
        k.partly_deleted, {"share": 0.05}, "retrained, one forget record in twenty left in", KEPT
    ),
    "25 % kept": GalleryCase(k.partly_deleted, {"share": 0.25}, "retrained, one in four left in", KEPT),
    "50 % kept": GalleryCase(k.partly_deleted, {"share": 0.5}, "retrained, every other one left in", KEPT),
    "easiest kept": GalleryCase(
        k.partly_deleted, {"share": 0.1, "kept": "easiest"}, "retrained, the easiest tenth left in", KEPT
    ),
    "two thirds kept, by visibility": GalleryCase(
        k.partly_deleted,
        {"share": 2 / 3, "kept": "easiest"},
        "retrained, the easiest two thirds left in, of most of which no memory is visible",
        "every test, where few records show memory",
    ),
    "ten of a kind kept": GalleryCase(
        k.of_a_kind_kept,
        {"number": 10},
        "retrained, ten forget records left in that are of one class and look most alike",
        KEPT,
    ),
    "one class kept": GalleryCase(
        k.partly_deleted,
        {"share": 0.1, "kept": "one class"},
        "retrained, at most a tenth of forget left in, all of one class",
        KEPT,
    ),
    "hardest kept": GalleryCase(
        k.partly_deleted,
        {"share": 0.05, "kept": "hardest"},
        "retrained, the hardest one in twenty left in",
        KEPT,
    ),
    "pruned": GalleryCase(
        w.pruned, {"share": 0.5}, "the smaller half of the weights set to zero", POPULATION
    ),
    "quantised": GalleryCase(w.quantised, {"bits": 4}, "weights rounded to four bits", POPULATION),
    "noise on weights": GalleryCase(w.perturbed, {"sd": 0.2}, "noise on every weight", POPULATION),
    "ascent after retraining": GalleryCase(
        t.ascended,
        {"steps": 5, "length": 0.002},
        "retrained, then a few steps uphill on forget records: over-forgetting",
        "one-sided attacks",
    ),
    "trained on forget after retraining": GalleryCase(
        t.trained_on_forget,
        {"share": 0.2},
        "retrained, then trained on the forget records for a few epochs",
        "whoever asks whether it was retrained",
    ),
    "looks first": GalleryCase(
        l.tuned_if_seen,
        {"share": 0.1},
        "where forget records look never seen the model is left as it is, else training goes on a little",
        LOOKS,
    ),
    "looks first, then nothing": GalleryCase(
        l.nothing_if_seen,
        {},
        "where forget records look never seen it is retrained, else nothing is done",
        LOOKS,
    ),
    "one run copied": GalleryCase(
        w.copies, {}, "the best of many retrained runs shown again and again", "any average over runs"
    ),
}

LIMITS: dict[str, GalleryCase] = {
    "lookup filter, everywhere": GalleryCase(
        a.lookup_filter,
        {"reach": 3.0},
        (
            "a retrained model answers within three neighbour distances of forget records: for nearly"
            " every record there is"
        ),
        "jitter of every radius up to the reach",
    ),
    "two thirds kept, where labels fit": GalleryCase(
        l.kept_if_labels_fit,
        {"share": 2 / 3},
        "retrained with the easiest two thirds left in, but properly where their labels are wrong",
        "the stress world",
    ),
}
