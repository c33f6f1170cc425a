"""The gateway's own types: what its API takes and gives, and what its tables hold."""
