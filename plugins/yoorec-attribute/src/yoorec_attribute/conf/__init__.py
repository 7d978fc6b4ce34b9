"""YAML files that scenarios may list under `defaults`."""
