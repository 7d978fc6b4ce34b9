"""Scenarios: composed from YAML layers, validated, and shown with the origin of each key."""
