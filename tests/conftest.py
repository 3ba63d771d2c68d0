"""What all tests share: how hypothesis behaves on a slow, busy machine."""

import hypothesis

# A deadline per example would measure the machine, not the code.
hypothesis.settings.register_profile(
    "headrace", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow], print_blob=True
)
hypothesis.settings.load_profile("headrace")
