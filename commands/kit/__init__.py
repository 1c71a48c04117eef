"""What the commands share: parsers, output, servers, and the options of a service."""
