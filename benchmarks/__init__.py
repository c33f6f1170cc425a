"""Measurements: `make bench`. Each prints a figure beside a baseline of the same run."""
