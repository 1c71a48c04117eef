"""The problems for which thoughts are made: their sources, and which of them may be used."""
