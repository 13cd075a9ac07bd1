"""What training and measuring need of each kind of data: detection, unmixing, classification."""
