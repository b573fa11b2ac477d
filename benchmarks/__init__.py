"""Timings side by side with peers, each a ratio measured in one run."""
