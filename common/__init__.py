"""The ground: errors, places on disk, and files that every package reads and writes."""
