"""A derivation as pages: what each step says, in blocks that LaTeX and Markdown both read."""
