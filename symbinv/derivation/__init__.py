"""The typed steps of an inverse, and their replay."""
