"""What every package uses: errors, paths, and files of JSON and YAML."""
