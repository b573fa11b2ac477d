"""Proof by replay: every step of a derivation proved again from the steps before it."""
