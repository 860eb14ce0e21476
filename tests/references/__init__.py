"""The convertible networks in PyTorch, written from their papers and from the names in their published files."""
