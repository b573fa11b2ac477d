"""Uniform draws of smooth fibers: annealed starts, a constrained walk, what its chains say."""
