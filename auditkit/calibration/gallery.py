"""The gallery: claims whose answer is known, one line each. A fake of GALLERY may never come out supported; an
honest variant, retrained from scratch on retain alone by another recipe, may not be refuted for being different. What
LIMITS has what is done wrong out of reach of the required tests: the table shows it and does not count it."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from auditkit.calibration import fakes_by_answers as a
from auditkit.calibration import fakes_by_training as r
from auditkit.calibration import fakes_by_weights as w
from auditkit.claims.claim import ProcedureClaim
from auditkit.runs.stacks import Claimed

Procedure = Callable[..., list[nn.Module]]


@dataclass(frozen=True)
class Entry:
    """One case. function: the procedure that makes it from original models, called as those of `unlearning` are;
    options: its keywords. meaning: what was done. fools: who would believe it, nothing for an honest variant."""

    function: Procedure
    options: Mapping[str, Any] = field(default_factory=dict)
    meaning: str = ""
    fools: str = ""

    @property
    def claimed(self) -> Claimed:
        """How the engine makes it."""
        name = f"{self.function.__module__}:{self.function.__name__}"
        proxies = "proxies" in inspect.signature(self.function).parameters
        return Claimed(ProcedureClaim(name=name, options=dict(self.options)), proxies)


KEPT = "residual memory averaged over records, forget accuracy"
POPULATION = "the mean loss or confidence on forget records"
STARTS = "every comparison with models that started from the same weights"

# fmt: off
GALLERY: dict[str, Entry] = {
    "no-op": Entry(w.unchanged, {}, "nothing is done", "every test where there is little to remember"),
    "gate left on": Entry(w.gate_left_on, {"t": 2.0}, "FNN as published: the gate attenuates, nothing is erased", "forget accuracy"),
    "class mask": Entry(a.class_mask, {}, "the most frequent class to forget is never answered", "forget accuracy"),
    "lookup filter, exact": Entry(a.lookup_filter, {"reach": 0.01}, "forget records are answered by a retrained model", "everything at exact inputs, U-LiRA included"),
    "lookup filter, near": Entry(a.lookup_filter, {"reach": 0.5}, "what lies within half a neighbour distance of a forget record is answered by a retrained model", "jitter of small radius"),
    "lookup filter, noisy": Entry(a.lookup_filter, {"reach": 0.5, "noise": 0.2}, "the same within half a neighbour distance, with noise on those answers", "whoever compares with the retrained model itself"),
    "lookup filter, far": Entry(a.lookup_filter, {"reach": 1.5}, "the same within one and a half neighbour distances", "jitter of every radius up to the reach"),
    "filter that knows probes": Entry(a.probe_filter, {"reach": 0.01}, "forget records, and inputs that are no scans, are answered by a retrained model", "jitter of every radius, if it is noise that no record has"),
    "loss matched": Entry(a.shifted_mean, {"reach": 0.5}, "near forget records logits shrink until the mean loss is right", POPULATION),
    "temperature": Entry(a.temperature, {"divide_by": 5.0}, "all logits divided by five", "thresholds fitted on other models"),
    "hard labels": Entry(a.hard_labels, {}, "only the predicted class is answered", "confidence attacks"),
    "clipped": Entry(a.clipped, {"range_": 3.0}, "logits clipped three below the largest", "confidence attacks"),
    "rounded": Entry(a.rounded, {"decimals": 2}, "probabilities to two decimals", "confidence attacks"),
    "output noise": Entry(a.noisy, {"sd": 1.0}, "fresh noise on every answer", "single queries"),
    "fixed noise": Entry(a.fixed_noise, {"sd": 1.0}, "noise that is the same for the same input", "repeated queries"),
    "blended answers, 50 %": Entry(a.blended_answers, {"share": 0.5}, "the mean of the original's and a retrained model's logits", POPULATION),
    "blended answers, 25 %": Entry(a.blended_answers, {"share": 0.25}, "the same, one part original to three", POPULATION),
    "averaged weights": Entry(w.averaged, {"share": 0.5}, "the mean of the original's and a retrained model's weights", POPULATION),
    "gradient ascent, mild": Entry(w.ascended, {"steps": 5, "length": 0.001}, "a few steps uphill on forget records", "one-sided attacks"),
    "gradient ascent, strong": Entry(w.ascended, {"steps": 10, "length": 0.003}, "over-forgetting", "one-sided attacks"),
    "gradient ascent, matched": Entry(w.ascended_to_proxy, {"length": 0.001}, "uphill until the mean forget loss is a retrained model's", POPULATION),
    "ascent and repair": Entry(w.ascended_then_repaired, {"steps": 10, "length": 0.003, "share": 0.1}, "uphill on forget, then training on retain", "forget accuracy and test accuracy"),
    "random labels": Entry(r.relabelled, {"share": 0.05, "labels": "random"}, "training goes on with random labels on forget records", "one-sided attacks"),
    "label flip": Entry(r.relabelled, {"share": 0.05, "labels": "next"}, "training goes on with flipped labels on forget records", "one-sided attacks"),
    "fine-tuned": Entry(r.fine_tuned, {"share": 0.2}, "training goes on, on retain", "little"),
    "wrong reference": Entry(r.fine_tuned, {"share": 1.0}, "\"retrained\" in full, but from the original weights", STARTS),
    "shrink and perturb": Entry(r.warm_started, {"shrink": 0.4}, "retrained in full from shrunk and perturbed original weights", STARTS),
    "head only": Entry(r.new_head, {"share": 0.5}, "the last layer drawn anew and trained on retain", "accuracy on a forgotten class"),
    "distilled": Entry(r.distilled, {}, "a fresh student of the original, on retain records", "whoever asks which records it was trained on"),
    "stopped early": Entry(r.stopped_early, {"share": 0.15}, "trained on everything, for fewer epochs", "attacks that need overfitting"),
    "others forgotten": Entry(r.others_forgotten, {}, "retrained without other records than asked", "whoever asks only whether it was retrained"),
    "near copies kept": Entry(r.near_copies_kept, {"noise": 0.05}, "retrained with slightly noisy copies of forget records in retain", "a search for exact duplicates"),
    "5 % kept": Entry(r.partly_deleted, {"share": 0.05}, "retrained, one forget record in twenty left in", KEPT),
    "25 % kept": Entry(r.partly_deleted, {"share": 0.25}, "retrained, one in four left in", KEPT),
    "50 % kept": Entry(r.partly_deleted, {"share": 0.5}, "retrained, every other one left in", KEPT),
    "one class kept": Entry(r.partly_deleted, {"share": 0.1, "kept": "one class"}, "retrained, at most a tenth of forget left in, all of one class", KEPT),
    "hardest kept": Entry(r.partly_deleted, {"share": 0.05, "kept": "hardest"}, "retrained, the hardest one in twenty left in", KEPT),
    "pruned": Entry(w.pruned, {"share": 0.5}, "the smaller half of the weights set to zero", POPULATION),
    "quantised": Entry(w.quantised, {"bits": 4}, "weights rounded to four bits", POPULATION),
    "noise on weights": Entry(w.perturbed, {"sd": 0.2}, "noise on every weight", POPULATION),
    "one run copied": Entry(w.copies, {}, "the best of many retrained runs shown again and again", "any average over runs"),
}

LIMITS: dict[str, Entry] = {
    "lookup filter, everywhere": Entry(a.lookup_filter, {"reach": 3.0}, "a retrained model answers within three neighbour distances of forget records: for nearly every record there is", "jitter of every radius up to the reach"),
    "easiest kept": Entry(r.partly_deleted, {"share": 0.1, "kept": "easiest"}, "retrained, the easiest tenth left in", KEPT),
}

HONEST: dict[str, Entry] = {
    "retrained slower": Entry(r.other_recipe, {"rate": 0.5}, "retrained with half the learning rate"),
    "retrained longer": Entry(r.other_recipe, {"epochs": 1.5}, "retrained with half as many epochs again"),
}
# fmt: on
