import numpy as np
import pytest
import sklearn.metrics
import tensorflow as tf

from tfanon.attacks.common import verification
from tfanon.metrics import criteria


def test_pairs_by_hand():
    # Directions 0, 90 and 0 degrees: the pairs 01, 02, 12 have the cosines 0, 1, 0; lengths do not
    # matter.
    embeddings = np.array([[2.0, 0.0], [0.0, 3.0], [0.5, 0.0]])
    similarity, is_same = verification.compare_pairs(embeddings, np.array([7, 7, 8]))
    assert similarity == pytest.approx([0, 1, 0]) and is_same.tolist() == [True, False, False]


def test_tar_by_hand():
    # Ten impostors .0 to .9: at FAR .1 one may pass, so the threshold lies above .8, and of .95,
    # .85, .8, .1 two pass.
    similarity = np.array([0.95, 0.85, 0.8, 0.1, *np.arange(10) / 10])
    is_same = np.arange(14) < 4
    assert verification.compute_tar_at_far(similarity, is_same, 0.1) == 0.5
    # No impostor may pass: above .9.
    assert verification.compute_tar_at_far(similarity, is_same, 0.01) == 0.25
    assert verification.compute_tar_at_far(similarity, is_same, 1.0) == 1.0


def test_rate_needs_both_kinds_of_pairs():
    assert verification.compute_tar_at_far(np.ones(3), np.ones(3, bool), 0.1) is None
    assert verification.compute_tar_at_far(np.ones(3), np.zeros(3, bool), 0.1) is None


@pytest.mark.parametrize("levels", [1000, 5])  # few levels: ties
@pytest.mark.parametrize("far", [0.01, 0.1, 0.37])
def test_tar_equals_scikit_learn(levels, far):
    rng = np.random.default_rng(levels)
    is_same = rng.random(500) < 0.3
    similarity = np.round((rng.random(500) + 0.3 * is_same) * levels)
    fpr, tpr, _ = sklearn.metrics.roc_curve(is_same, similarity, drop_intermediate=False)
    tar = verification.compute_tar_at_far(similarity, is_same, far)
    assert tar == pytest.approx(tpr[fpr <= far].max())


def test_scores_by_hand():
    # Videos 0 and 1 are of person 0, video 2 of person 1. Of video 0's two clips the first, for
    # person 0, outvotes the second.
    logits = np.float32([[3, 0], [0, 1], [2, 0], [0, 2]])
    truth = np.float32([[1, 0], [1, 0], [1, 0], [0, 1]])
    videos = np.int64([0, 0, 1, 2])
    dataset = tf.data.Dataset.from_tensor_slices((logits, truth, videos)).batch(3)
    predictor = criteria.LogitFunction(tf.identity)
    scores = verification.score_identification(predictor, tf.identity, dataset)
    assert scores["identity_top1"] == 1.0 and scores["identity_chance"] == pytest.approx(2 / 3)
    # Embeddings (1.5, .5), (2, 0), (0, 2): the pair of one person is more similar than both others.
    assert scores["tar_at_far"] == {"0.01": 1.0, "0.1": 1.0}
    assert verification.compute_identity_top1(predictor, dataset) == 1.0
