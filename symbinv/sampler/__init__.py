"""Compiled functions and draws: the numeric side."""
