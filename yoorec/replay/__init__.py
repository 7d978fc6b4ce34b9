"""Offline replay: logged sessions through the whole chain, measured with intervals."""
