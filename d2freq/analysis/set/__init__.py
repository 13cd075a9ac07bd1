"""SET's figures: bands, occlusion, saliency, components and spectra of the features."""
