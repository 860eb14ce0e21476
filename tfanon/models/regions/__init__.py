"""Regions that the fixed anonymizers change, one file each.

Each build() returns a function of frames ``[N, H, W, 3]`` in [0, 1] to masks ``[N, H, W, 1]``, True
inside a region; or None for the whole frame.
"""
