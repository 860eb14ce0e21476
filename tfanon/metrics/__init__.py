"""Metrics of utility and privacy.

- `scores`: top-1, cMAP and F1 with their chance levels and confidence intervals.
- `criteria`: Criterion 1 and Criterion 2 of the paper, measured with a network and a dataset.
- `pareto`: the Pareto front of a sweep, its hypervolume and its area.
"""
