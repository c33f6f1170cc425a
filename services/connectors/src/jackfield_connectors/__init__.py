"""The connector catalogue and the engine that calls vendors."""
