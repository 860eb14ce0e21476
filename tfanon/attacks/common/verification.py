"""Who is it, and are these two the same: closed-set identification and verification."""

import numpy as np

from tfanon.metrics import criteria
from tfanon.metrics import scores as metrics

FALSE_ACCEPT_RATES = (0.01, 0.1)


def score_identification(learner, embed, dataset):
    """Closed-set top-1 with its interval and chance, and verification between all pairs of test examples.

    learner: one logit per identity.  embed(x): [N, F], compared by cosine.  dataset: the truth is one-hot [N, I].
    """
    logits, truth, index = criteria.collect_outputs(learner, dataset)
    probabilities, one_hot, _ = criteria.average_outputs_per_example(
        logits, truth, index, activation=criteria.softmax_probabilities
    )
    labels = np.argmax(one_hot, axis=1)
    _, embedded = metrics.average_per_example(
        criteria.collect_outputs(criteria.Predictor(embed), dataset)[0], index
    )
    alike, same = compare_pairs(embedded, labels)
    return {
        "identity_top1": metrics.top1_accuracy(probabilities, labels),
        "identity_interval": metrics.top1_interval(probabilities, labels),
        "identity_chance": metrics.top1_chance(labels),
        "tar_at_far": {
            f"{far:g}": compute_tar_at_far(alike, same, far) for far in FALSE_ACCEPT_RATES
        },
    }


def compute_identity_top1(learner, dataset):
    """Closed-set top-1 alone, for the selection of an epoch."""
    probabilities, one_hot, _ = criteria.average_outputs_per_example(
        *criteria.collect_outputs(learner, dataset), activation=criteria.softmax_probabilities
    )
    return metrics.top1_accuracy(probabilities, np.argmax(one_hot, axis=1))


def compare_pairs(embedded, labels):
    """Cosine of every pair of examples, and whether the two are the same: (float64 [m], bool [m]), m = n (n - 1) / 2.

    embedded: [n, F].  labels: int [n].
    """
    unit = embedded / np.maximum(np.linalg.norm(embedded, axis=1, keepdims=True), 1e-12)
    one, other = np.triu_indices(len(labels), k=1)
    return (unit @ unit.T)[one, other], labels[one] == labels[other]


def compute_tar_at_far(alike, same, far):
    """Share of the pairs of one person that are accepted where at most a share `far` of the others is.

    alike: [m], larger means more alike.  same: bool [m].  One threshold for all; None where one of the kinds is missing.
    """
    genuine, impostors = alike[same], np.sort(alike[~same])[::-1]
    if not len(genuine) or not len(impostors):
        return None
    allowed = int(
        far * len(impostors) + 1e-9
    )  # of the impostors; the next one must stay below the threshold
    return float(np.mean(genuine > impostors[allowed])) if allowed < len(impostors) else 1.0
