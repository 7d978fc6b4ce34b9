"""YAML that a scenario may list under `defaults`."""
