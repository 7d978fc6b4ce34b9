"""Judging by eye: what triggers hold to be like an item, on a page where a person marks it, and what came of it."""
