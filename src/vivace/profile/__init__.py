"""What to test: YAML files -> validated, frozen models, with every problem named at once."""
