"""The OAuth protocol, carried out by Authlib.

Authlib's server is synchronous, the database is not. So a request goes through three steps: what the
protocol may need is read (`facts`), Authlib decides without waiting for anything, and what it decided is
written (`effects`).
"""
