"""The words of the report, as literal tables: marks, names, meanings and the fixed sentences."""

# Word and mark together carry an answer; colour only repeats it.
OUTCOMES = {
    "supported": ("✓", "supported"),
    "not_supported": ("✗", "not supported"),
    "inconclusive": ("?", "inconclusive"),
}

# Of a calibration: mark, headline, and the class that colours it.
ANSWERS = {
    "right": ("✓", "The auditor was right", "supported"),
    "wrong": ("✗", "The auditor was wrong", "not_supported"),
    "blind": ("?", "The auditor was not wrong, but it can seldom settle a claim", "inconclusive"),
}
CASE_KINDS = {
    "exact": "Exact retraining",
    "honest": "Honest retraining by another recipe",
    "fake": "Fakes",
    "limit": "Fakes out of reach of these tests: shown, not counted",
}

RESULTS = {
    "passed": ("✓", "passed"),
    "refuted": ("✗", "refuted"),
    "undecided": ("?", "undecided"),
    "skipped": ("–", "skipped"),
}

# What is claimed to have forgotten, by the kind of claim, and how the claim names it.
KINDS = {
    "procedure": "A claim about a procedure",
    "endpoint": "A claim about one released model",
    "predictions": "A claim about answers that were handed in",
}
SUBJECTS = {
    "procedure": "By the procedure",
    "release": "In the released model",
    "predictions": "By the answers in",
}

# From the project's review of what such a report may claim. Not to be reworded.
DOES_NOT_ESTABLISH = (
    "This report presents technical measurements. It is not legal advice and does not establish compliance, "
    "anonymity or certification. A result of 'supported' means the stated tests, at the stated power, "
    "did not contradict the stated claim."
)

LIMITS = (
    (
        "It speaks of the models that were tested. Copies, backups, logs and other models made from the same "
        "records are outside it."
    ),
    "Averages over records can hide a single record that is still remembered.",
    "A stronger attack than those listed may exist or be invented.",
)

GLOSSARY = {
    "Arm": "A group of models made in the same way: original, unlearned, placebo, retrained and so on.",
    "AUC": (
        "The chance that an attack ranks a random forgotten record above a random record that was never "
        "used. 0.5 is guessing; the yardstick is its value for models in which the records never were."
    ),
    "Claim": "What is said to be forgotten, by which procedure, under which threat model.",
    "Control records": "Records that no model was trained on, otherwise like the forgotten ones.",
    "Drift": (
        "What a way of training does to a model, whichever records it saw. It shows on all records, also on "
        "those that nobody asked to forget, and is no memory."
    ),
    "False-positive rate": "The share of never-used records that an attack takes for training records.",
    "Informative": ("A test that models which forgot nothing do not pass. Only such a test can support."),
    "Interval": (
        "The values that the measurements do not contradict, at the stated confidence. It is computed "
        "over runs, not over records, unless the line “computed as” says otherwise."
    ),
    "Jitter": (
        "Queries beside a forgotten record, in a random direction. The number is the distance, as a share of "
        "the median distance between nearest neighbours."
    ),
    "Margin": ("The largest difference that still counts as none. Fixed before the runs."),
    "Membership inference": (
        "An attack that tries to tell from a model's answers whether a record was used to train it."
    ),
    "Original": "Models trained on all records, those to be forgotten included.",
    "Placebo": (
        "Models that never saw the forget records and then went through the same procedure, which was asked "
        "to forget other records (the stand-ins). They show what the procedure does where there is nothing "
        "to forget."
    ),
    "Power": "The chance that a test notices a fault of the stated size.",
    "Residual memory ρ": (
        "The share of the original models' memory of the forget records that is left after unlearning: 1 ="
        " nothing forgotten, 0 = as if the records had never been in, below 0 = over-forgotten."
    ),
    "Retrained": (
        "Models trained from scratch without the records to be forgotten. The difference between original "
        "and retrained models is the memory that was there."
    ),
    "ROC curve": "True-positive rate of an attack against its false-positive rate.",
    "Run": ("One trained model with its own random seed. Runs are what is counted, not records."),
    "Stand-ins": (
        "Test records that no model was trained on. The placebo's procedure is asked to forget them in the "
        "place of the forget records."
    ),
    "Stress world": (
        "A second set of models, trained with random wrong labels on the forget records. Such labels can "
        "only be learnt by heart, so that the influence of nearly every record shows."
    ),
    "True-positive rate": "The share of forgotten records that an attack takes for training records.",
    "Unlearned": "Original models after the unlearning procedure.",
    "Variant": "Models retrained by another recipe of the auditor's, for half the epochs.",
    "Visible record": (
        "A forget record on which original models answer differently from retrained ones by more than the "
        "chance of training explains. Of other records no test of answers can say anything."
    ),
}

# How models are changed, with their weights in hand, to show what they hide.
RECOVERIES = {
    "relearned": ("Relearned", "fine-tuned on one half of the forget records, asked about the other"),
    "probe": ("Probed", "a fresh last layer, learnt from retain records"),
    "rescaled": ("Rescaled", "gates taken off, the weights of every neuron brought to one length"),
}

# How the models were queried, by the first word of the query.
QUERIES = {
    "exact": "The forget records themselves",
    "jitter": "Near them, jitter",
    "relearned": "After one half was learnt again: the other half",
    "probe": "With a fresh last layer",
    "rescaled": "With rescaled weights",
}
HONEST_ROW = "The same for the honest control"

# How a test of the stress world is named, after the name that it has in the plain one.
WRONG_LABELS = "wrong labels"

# Tests that ask for at least their margin; all others ask for at most it.
AT_LEAST = ("visible records",)

# What unlearned models are compared with, by the arm.
COMPARED_WITH = {
    "placebo": (
        "The unlearned models are compared with a placebo: models that never saw the forget records, and "
        "then went through the same procedure, which was asked to forget other records instead. Whatever the "
        "procedure does to any model is in both; what is in the unlearned models alone is memory."
    ),
    "retrained": (
        "The unlearned models are compared with models retrained from scratch. There is no placebo here: "
        "no procedure could be run, and none was handed in. So what another way of training does to a model "
        "(drift) is read as memory: an honest model that was trained otherwise can be refuted, or left "
        "undecided."
    ),
}

# What it would mean if a control came out wrong.
CONTROLS = {
    "honest retrain": "Were it refuted, the audit would accuse those who retrain from scratch.",
    "another recipe": "Were it refuted, the audit would take another way of training for memory.",
    "no-op": "Were it not refuted, the audit would not see memory even where all of it is left.",
    "exchanged labels": "Were it refuted, the audit would find differences where only names differ.",
    "placebo": (
        "Did it remember, somebody would have brought the forget records into it from a copy, and what is "
        "left in the unlearned models would hide behind it."
    ),
}

# Canonical JSON sorts its keys; people read arms in the order in which they come to be.
ARM_ORDER = ("original", "unlearned", "placebo", "retrained", "honest", "variant", "shadow")
SET_ORDER = ("retain", "forget", "control", "test", "population")

# What an arm is, for a figure that has no room for more.
ARM_LABELS = {
    "original": "original (nothing forgotten)",
    "honest": "honest (retrained again)",
}

# With each figure of a reproduction: its heading and its caption.
CAPTIONS = {
    "model": (
        "Figure 1. The network, and where it forgets",
        "The paper's convolutional network with its two forgetting layers.",
    ),
    "ffr": (
        "Figure 2. Learning and unlearning with fixed forgetting rates (FFR)",
        (
            "Accuracy, loss and confidence on held-out records after every epoch: as published, where after"
            " unlearning the gates are still on, and with the gates switched off again (dotted)."
        ),
    ),
    "vfr": (
        "Figures 3 and 4. The same with varying forgetting rates (VFR)",
        (
            "Accuracy on held-out records after every epoch, as published: after unlearning the gates are"
            " still on."
        ),
    ),
    "attack": (
        (
            "Figure 5, and those of its kind. Learning-unlearning curves with the score of the paper's"
            " membership inference"
        ),
        "Accuracy on held-out records, and at every point the accuracy of the attack, 0.5 being chance.",
    ),
    "time": (
        "Over-forgetting against t",
        (
            "One unlearning that goes on: accuracy against the time, as published, and with the gates"
            " switched off (dotted)."
        ),
    ),
    "k": (
        "Over-forgetting against K",
        "The K most active units of one layer switched off, the others of it faded by rank at t = 1.",
    ),
    "neurons": (
        "Which neurons fade, and what they respond to",
        (
            "Units of fc1 by their rank, what is left of each, how each class of the forget records excites"
            " it, and the mean of the images that excite it most."
        ),
    ),
    "procedures": (
        "Cost, memory and accuracy of every procedure",
        (
            "Each number is a row of the table “All procedures” below. Band: the margin on residual memory."
            " Filled disc: supported by the audit; open square: left open; cross: refuted."
        ),
    ),
}

LAYERS = {"fc1": "fc1, 128 hidden units", "fc2": "fc2, ten logits"}

# Records whose accuracy a curve shows, and what it shows of the held-out ones.
SETS = {"retain": "retain", "forget": "forget", "official": "official test"}
MEASURES = {"held_out": "accuracy", "loss": "loss, nats", "confidence": "confidence"}
