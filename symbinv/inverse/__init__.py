"""Backward through the layers."""
