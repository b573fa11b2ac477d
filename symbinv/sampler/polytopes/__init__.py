"""Uniform draws of what linear pieces make: polytopes, cells of a preimage, linear fibers."""
