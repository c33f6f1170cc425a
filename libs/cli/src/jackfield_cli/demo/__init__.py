"""The product's main job, played from end to end on this machine."""
