from tfanon.report import load_runs


def test_a_label_says_in_what_runs_of_one_objective_differ():
    ours = {"objective": "penalty", "penalty_bound": 0.1, "utility_weight": 1.0}
    theirs = {"objective": "vita", "penalty_bound": 0.1, "utility_weight": 0.7}
    assert load_runs._make_labels([{**ours, "penalty_bound": 0.2}, theirs, ours, theirs]) == [
        "penalty, B = 0.2",
        "vita",
        "penalty, B = 0.1",
        "vita",
    ]
    assert load_runs._make_labels([{**ours, "penalty_bound": 0.2}, ours]) == ["B = 0.2", "B = 0.1"]
    assert load_runs._make_labels([ours]) == [""]
