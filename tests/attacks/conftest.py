"""Tiny networks and planted data for the tests of attacks."""

import planted_data
import pytest


@pytest.fixture
def tiny_privacy_networks(monkeypatch):
    """The networks of tests/tiny/privacy are choices of the registry."""
    planted_data.add_tiny_networks(monkeypatch)
