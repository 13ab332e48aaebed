"""What holds for every test: how Hypothesis searches."""

import os

from hypothesis import HealthCheck, settings

# No deadline: a slow machine is not a defect. `fixed` repeats the same examples, so that a submission is judged by what
# it changed; elsewhere each run looks somewhere new.
settings.register_profile("search", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.register_profile("fixed", settings.get_profile("search"), derandomize=True)
settings.load_profile("fixed" if os.environ.get("CI") else "search")
