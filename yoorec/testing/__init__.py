"""The author's kit: contracts a component must pass, small worlds, pytest fixtures."""
