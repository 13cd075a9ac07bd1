"""The subcommands of ``d2freq``, a module each, or a folder of topics.

A command module has ``SUMMARY`` and ``add_arguments(parser)``, which sets ``run``;
``d2freq.cli.COMMANDS`` lists the modules. A command with a second word has a ``Topic`` (topics.py)
for each; options.py has the options that several of them take.
"""
