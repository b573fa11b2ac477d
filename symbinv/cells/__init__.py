"""Preimages of piecewise-linear networks: exact unions of cells, searched, proved and answered."""
