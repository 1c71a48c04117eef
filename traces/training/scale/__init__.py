"""Training past one process: the group, a process a phase, and what memory and disk it takes."""
