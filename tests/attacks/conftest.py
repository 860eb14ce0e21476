"""Tiny networks for the tests of attacks."""

import finished_runs
import pytest


@pytest.fixture
def tiny_privacy_networks(monkeypatch):
    """The networks of tests/tiny are choices of the registry."""
    finished_runs.add_tiny_networks(monkeypatch)
