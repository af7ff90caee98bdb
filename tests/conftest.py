"""How all property tests run: the same examples each time, and no limit but pytest's own."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "kqq",
    deadline=None,
    derandomize=True,
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("kqq")
