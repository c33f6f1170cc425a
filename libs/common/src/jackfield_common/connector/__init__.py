"""The vocabulary that every connector is written in."""
