"""Features: declared in YAML, encoded as ids in one table; the same code at training and at serving.

Nothing here knows of a model: any ranker package may stand on it.
"""
