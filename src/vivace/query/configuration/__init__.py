"""The file that describes a query load: YAML -> a validated model -> settings, or every problem at once."""
