"""The rules: how an action is performed, how health is judged, how manifests get their versions."""
