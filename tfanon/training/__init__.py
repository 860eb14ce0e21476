"""Training: Algorithm 1 of the paper.

`losses` holds Equations 3 to 6, `objectives` what f_A minimizes, `trainer` the train step; `loop`
and `callbacks` run it, `phases` puts the steps of Algorithm 1 in order, and `phase_cache` reuses
what runs have in common.
"""
