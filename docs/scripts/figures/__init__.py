"""The figures of the site, drawn by code: a module for each page that has some."""
