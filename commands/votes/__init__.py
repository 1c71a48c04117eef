"""`arena votes …`: summarise and interpret votes, and move them to and from files."""
