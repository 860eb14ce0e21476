"""Poses and drawing of the synthetic data set."""
