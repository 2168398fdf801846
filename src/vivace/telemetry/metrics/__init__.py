"""Metrics of hosts, clusters and services: a catalogue, its time series, their data points, a template."""
