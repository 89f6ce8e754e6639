"""All that is checked before anything is written or trained."""
