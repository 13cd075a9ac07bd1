"""Generated aerial scenes with tiny objects: the data set of the demo and of the tests."""
