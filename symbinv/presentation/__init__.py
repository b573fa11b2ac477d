"""What a person reads: text, LaTeX, plots. Leaves: nothing imports them."""
