"""The server around the page: headers on every answer, limits and owners of uploads, and the memory of a session."""
