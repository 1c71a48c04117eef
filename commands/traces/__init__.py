"""`arena traces …`: problems filtered, thoughts and solutions made, kept and exported."""
