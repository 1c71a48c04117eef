"""Model servers as processes: started, watched, restarted and stopped."""
