"""Where the problems come from that thoughts are made for, and which of them may be used."""
