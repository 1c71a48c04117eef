"""Code shared by the commands: parsers, output, servers, and service options."""
