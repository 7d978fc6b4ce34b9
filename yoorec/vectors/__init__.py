"""Vectors of items: learned by skip-gram, searched exactly or through faiss, and recalled from what a request brings.

Every trigger that recalls by vectors stands on this, so seeding, tie order and bits are the same for all:

- `config.VectorRecallConfig`: the keys they share; a trigger's config inherits them.
- `skipgram.skip_gram`: vectors from sequences (needs gensim).
- `recall.VectorRecall`: takes vectors, saves and loads them, answers requests (large libraries need faiss).

A plugin's config module may import `config` alone, which is cheap; the others are for its model.
"""
