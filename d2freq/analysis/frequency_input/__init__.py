"""What a frequency input sees and what its gate chooses."""
