"""One reply of a model: the protocol, splitting it into thought and answer, and resuming it."""
