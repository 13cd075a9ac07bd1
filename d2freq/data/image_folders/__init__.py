"""Folders of images by class, as ImageNet comes, for the classifiers."""
