"""What is inverted; knows nothing of inversion."""
