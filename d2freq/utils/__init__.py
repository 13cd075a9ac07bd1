"""What every floor may use: jobs in processes, files written whole, pixels, near names."""
