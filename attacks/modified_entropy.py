"""Modified-entropy attack: entropy that knows the label.

Song & Mittal, "Systematic Evaluation of Privacy Risks of Machine Learning Models" (USENIX Security
2021), equation 8:

    Mentr(p, y) = -(1 - p_y) log p_y - sum_{i != y} p_i log(1 - p_i),     small for members.

Widely copied code takes log p_i in the second term instead of log(1 - p_i); this is the paper's.
"""

import numpy as np

from auditkit.signals.signals import Signals, log_softmax
from auditkit.statistics.margins import Floats


def score(signals: Signals, target: int) -> Floats:
    """The negative modified entropy, in nats."""
    log_p = log_softmax(signals.logits[target])
    p = np.exp(log_p)
    own = np.arange(len(signals.labels)), signals.labels
    log_rest = _log_one_minus(log_p)
    terms = p * log_rest
    terms[own] = 0.0
    # (1 - p_y) log p_y, with 1 - p_y from the other classes, exact where p_y rounds to 1
    return np.asarray(np.exp(log_rest[own]) * log_p[own] + terms.sum(axis=-1))


def _log_one_minus(log_p: Floats) -> Floats:
    """log(1 - p_i), exact also where p_i rounds to 1, as only the largest can: there it is the log
    of the sum of the other probabilities. log_p: (records, classes), as is the result."""
    largest = np.arange(len(log_p)), log_p.argmax(axis=-1)
    others = log_p.copy()
    others[largest] = -np.inf
    top = others.max(axis=-1)
    result = np.exp(log_p)
    result[largest] = 0.5  # not used
    np.log1p(-result, out=result)
    result[largest] = top + np.log(np.exp(others - top[:, None]).sum(axis=-1))
    return result
