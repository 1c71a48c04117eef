"""One reply of a model: the protocol, the thought and the answer in it, and how it goes on."""
