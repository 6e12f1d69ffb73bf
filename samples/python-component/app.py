import statistics

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.summary import Description


class Summary(exports.Summary):
    def greet(self, name: str) -> str:
        return f"Hello, {name}, from Python"

    def describe(self, values: list[float]) -> Description:
        if len(values) < 2:
            raise Err("at least two values are needed")
        return Description(
            count=len(values),
            mean=statistics.fmean(values),
            median=statistics.median(values),
            deviation=statistics.stdev(values),
        )
