"""The recordings of a run on their way through the stream."""

from jobs.progress import doing
from jobs.ray_cluster import connect_to_ray, share_out
from jobs.run_progress import track_run
from pipeline.files import absolute
from pipeline.run_folder import Plan
from pipeline.settings import Settings
from pipeline.unfinished import PARTS


def work_through(plan: Plan, settings: Settings, max_failures: float) -> None:
    """Send the recordings that are left through the stream, and show how far they are.

    Args:
        plan: What is left to do; its folder is made ready once Ray has room for the models.
        settings: With located models.
        max_failures: Share of failures above which the run stops.

    Raises:
        UserError: Ray cannot be reached or lacks room; too many recordings fail; the folder cannot be written.
    """
    if not plan.left:
        plan.begin()
        return
    with doing("starting Ray"):
        connect_to_ray()
        from pipeline import flow

    placement = share_out(settings)
    plan.begin()
    left = {recording_id: {**row} for recording_id, row in plan.recordings.items() if recording_id in plan.left}
    done = len(plan.recordings) - len(left)
    finished = flow.run(left, f"{absolute(plan.out)}/{PARTS}", settings, placement, None, max_failures, done)
    for _ in track_run(finished, len(left), finished.work):
        pass
