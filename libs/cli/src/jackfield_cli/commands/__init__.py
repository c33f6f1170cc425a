"""The commands, one module each; `main` puts them together."""
