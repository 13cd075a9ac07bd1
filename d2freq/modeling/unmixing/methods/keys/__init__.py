"""Configuration keys of the methods beside DeRefNet, by family."""
