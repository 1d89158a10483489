"""What many tests share: samples, databases, days."""
