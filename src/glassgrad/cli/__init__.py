"""The command line: `glassgrad VERB`, one file a verb."""
