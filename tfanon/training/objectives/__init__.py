"""Objectives: what f_A, f_T and f_B minimize, one file each; --objective names the file."""
