"""Exact linear algebra with every operation kept; knows no network."""
