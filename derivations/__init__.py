"""Derivations kept under review, and the code that makes them."""
