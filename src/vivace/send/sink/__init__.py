"""A null receiver: takes OTLP over every protocol, counts it and forgets it, and fails as it is told."""

from vivace.send.sink.counts import SinkCounts
from vivace.send.sink.settings import Counting, Faults, ServerTls, SinkSettings
from vivace.send.sink.sink import Sink
from vivace.send.sink.watch import watch

__all__ = ["Counting", "Faults", "ServerTls", "Sink", "SinkCounts", "SinkSettings", "watch"]
