"""The HTTP API: one thin function a route, by noun."""
