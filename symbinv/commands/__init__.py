"""The commands of the command line, one file each; symbinv.cli puts them together."""
