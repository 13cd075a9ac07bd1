"""d2freq's detectors within other people's tools; each module imports its package when imported."""
