"""When requests and queries fall due: schedules, pure functions of an event's number.

An open model asks a schedule, never the target, when the next event is due. A closed one waits for an answer first, and
then for a token of a bucket.
"""

from vivace.pace.adjustment import Adjustment, AdjustmentSettings
from vivace.pace.bucket import TokenBucket
from vivace.pace.constant import ConstantRate
from vivace.pace.requests import RequestSchedule
from vivace.pace.schedule import Rate, Schedule, Seconds
from vivace.pace.stage import Stage
from vivace.pace.stages import Stages
from vivace.pace.wording import parse_stage, parse_stages

__all__ = [
    "Adjustment",
    "AdjustmentSettings",
    "ConstantRate",
    "Rate",
    "RequestSchedule",
    "Schedule",
    "Seconds",
    "Stage",
    "Stages",
    "TokenBucket",
    "parse_stage",
    "parse_stages",
]
