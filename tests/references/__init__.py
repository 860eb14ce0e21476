"""The convertible networks in PyTorch, after their papers and the names in published files."""
