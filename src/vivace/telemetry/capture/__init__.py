"""Real telemetry becomes templates: capture file -> OTLP messages -> whole traces in requests -> template files."""
