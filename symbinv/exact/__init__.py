"""Exact numbers, matrices and balls; the only code that touches FLINT."""
