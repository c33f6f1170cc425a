"""HTTP in: one thin function per route."""
