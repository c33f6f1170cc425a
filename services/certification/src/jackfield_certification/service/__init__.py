"""The rules of certification: accepting runs, carrying them out, reporting them."""
