"""Code shared by every package: errors, paths, and reading and writing JSON and YAML files."""
