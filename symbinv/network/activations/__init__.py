"""The activations themselves, one entry each, grouped by how they are undone."""
