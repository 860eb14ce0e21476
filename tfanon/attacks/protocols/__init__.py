"""Protocols: which attacks and action evaluators make which table.

One module is one protocol; ``tfanon-evaluate --protocol=NAME`` runs it. To add one, add a module
with a function ``plan(config, options) -> attack_plan.AttackPlan``; `known.py` is the one to copy.
"""
