"""Anonymizers f_A, one file each: frames or clips in [0, 1] to the same shape."""
