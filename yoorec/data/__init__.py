"""Logged data: sources, tables, the vocabulary, the event log, cuts and logged requests."""
