"""A planned study, executed: engines, looks, progress, the store."""
