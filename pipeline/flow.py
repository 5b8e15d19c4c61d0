"""The whole stream as Ray Data stages.

    paths -> read -> Whisper -> Parakeet for English -> six adapters -> patterns, rules and times -> Parquet

Transcripts that are there already enter before the adapters.

What each stage does stands in ``pipeline.stages``; models load once in each actor.
"""

import math
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import pyarrow as pa
import ray
from ray.data import ActorPoolStrategy, DataContext, Dataset
from ray.exceptions import ObjectLostError, OutOfMemoryError, RayActorError, WorkerCrashedError

from pipeline import stages, tables
from pipeline.arrivals import Arrivals
from pipeline.cards import CardsLost, OnCards, node_ids, nodes, reserved
from pipeline.corpus import audio_copies
from pipeline.errors import UserError, is_load_error, load_error
from pipeline.failure_limit import FailureLimit
from pipeline.inputs import of_paths
from pipeline.placement import Node, Placement, place
from pipeline.run_parts import RESULT
from pipeline.settings import NONE, DecodingSettings, Pool, Settings
from pipeline.stages import Loaders
from pipeline.tagging.post_processing import PostProcessor
from pipeline.watch import Watch
from pipeline.work import Report, Work, unreported

Row = dict[str, Any]
LayOut = Callable[[Callable[[], Dataset], bool], AbstractContextManager[Dataset]]

_FILES_IN_A_TASK = 16
_LOST_BLOCKS = 8  # batches that may kill their process before recordings are tried one by one
_ALONE = 20  # recordings that are tried one by one before it is counted how many of them failed
_DIED = "ProcessDied: twice, the second time on this recording alone"
# By default Ray Data restarts a task without end if its process dies.
_TASK: dict[str, Any] = {"batch_size": None, "batch_format": "pyarrow", "num_cpus": 0.5, "max_retries": 1}


def stream(
    recordings: Dataset,
    parts: str,
    settings: Settings,
    loaders: Loaders,
    on_cards: OnCards,
    one_by_one: bool = False,
    report: Report = unreported,
) -> Dataset:
    """Lay out the stream; it runs while its output is read.

    Args:
        recordings: ``recording_id``, ``path`` and ``fingerprint``; where Whisper is ``none``, rows of
            ``given_transcripts.SCHEMA``. A block is read by one task.
        parts: Folder for the finished recordings, a path or URI that every node can write.
        settings: All settings; models as absolute paths.
        loaders: How actors load their models.
        on_cards: Number of a model's actors, and Ray Data's options that place them; see ``cards.reserved``.
        one_by_one: Give actors a single recording at a time, whatever their batch size.
        report: Is told by the stages of what they do.

    Returns:
        A dataset of the finished recordings, without their text.
    """
    models, tagger = settings.models, settings.tagger

    # A block that was read goes on as it is, so many recordings or fewer where they are long: nothing waits for others.
    def actors(model: str, *arguments: Any) -> dict[str, Any]:
        size, where = on_cards(model)
        options = _actors(settings.pools[model], size, one_by_one)
        return options | where | {"fn_constructor_args": (*arguments, report)}

    read = partial(stages.read, settings=settings.decoding, report=report)
    with_parakeet, are_given = models.parakeet != NONE, models.whisper == NONE
    if are_given:
        transcribed = recordings.map_batches(stages.take_up, **_TASK)
    else:
        for_whisper = actors("whisper", loaders.whisper, settings, not with_parakeet)
        transcribed = recordings.map_batches(read, **_TASK).map_batches(stages.Transcribe, **for_whisper)
        if with_parakeet:
            for_parakeet = actors("parakeet", loaders.parakeet, settings)
            transcribed = transcribed.map_batches(stages.TranscribeEnglish, **for_parakeet)
    for_tagger = actors("tagger", loaders.tagger, models.base_model, models.adapters, tagger)
    processor = PostProcessor(tagger)
    post_process = partial(stages.post_process, processor=processor, are_timed=not are_given, report=report)
    return (
        transcribed.map_batches(stages.Tag, **for_tagger)
        .map_batches(post_process, **_TASK)
        .map_batches(partial(stages.write, parts=parts), **_TASK)
    )


@dataclass(frozen=True)
class Run:
    """A run of the stream: it runs while its rows are read, once.

    Attributes:
        rows: For each recording as it is finished: recording_id, duration_s, failed_stage and failure (or None),
            entities (a count) and timings.
        work: Says what each stage does meanwhile.
    """

    rows: Iterator[Row]
    work: Callable[[], dict[str, Work]]

    def __iter__(self) -> Iterator[Row]:
        return self.rows


def run(
    recordings: Mapping[str, Row],
    parts: str,
    settings: Settings,
    placement: Placement | None = None,
    loaders: Loaders | None = None,
    max_failures: float = 1.0,
    finished: int = 0,
    arrivals: Arrivals | None = None,
) -> Run:
    """Send recordings through the stream.

    Args:
        recordings: By recording id, rows of recording_id, path and fingerprint, or of ``given_transcripts.SCHEMA``.
        parts: Folder for the finished recordings.
        settings: All settings; models as absolute paths.
        placement: Where the actors go; by default to no GPU.
        loaders: How actors load their models.
        max_failures: The share of failures above which the run stops, see ``FailureLimit``.
        finished: Recordings that earlier calls have finished, for that share.
        arrivals: Sends recordings to the stream in place of ``recordings``, which never ends then.

    Returns:
        The run, to be iterated over.

    Raises:
        UserError: While it runs: a model cannot be loaded, the parts cannot be written, or too many recordings failed.
    """
    limit = FailureLimit(max_failures, len(recordings) + finished, finished)
    where = placement or place(settings.pools, [Node(math.inf, 0)])
    left = arrivals.left if arrivals else dict(recordings)
    watch = Watch(left)

    def died(some: Mapping[str, Row]) -> Iterator[Row]:
        lost = {"entities": [], "timings": [], "failure": {"stage": "stream", "error": _DIED}}
        rows = [{**row, **lost} for row in some.values()]
        yield from stages.write(tables.from_rows(rows, RESULT), parts).to_pylist()

    @contextmanager
    def lay_out(some: Callable[[], Dataset], one_by_one: bool = False) -> Iterator[Dataset]:
        # Cards are reserved for each pass, so that none is held by an actor of an earlier one; a dataset that is made
        # meanwhile notices where they are lost.
        with reserved(where, settings.pools) as on_cards:
            watch.restart()
            yield stream(some(), parts, settings, loaders or Loaders(), on_cards, one_by_one, watch.report)

    def passes() -> Iterator[Row]:
        if not arrivals:
            yield from _each_once(left, settings.decoding.recordings_at_once, lay_out, died)
            return
        there = node_ids()
        yield from _run(lay_out(arrivals.dataset), left, 0)  # until something dies
        if there <= node_ids():
            yield from _alone(left, list(left)[:_LOST_BLOCKS], lay_out, died, there)

    def rows() -> Iterator[Row]:
        nonlocal where
        with watch:
            while left or arrivals:
                try:
                    for row in passes():
                        watch.count(row["failed_stage"], row["duration_s"])
                        yield row
                        limit.count(row["failed_stage"], row["failure"])
                except CardsLost:  # what is left goes on with the cards that are left
                    where = place(settings.pools, nodes())

    return Run(rows(), watch.work)


def copy(recordings: Mapping[str, str], folder: str, settings: DecodingSettings) -> Iterator[Row]:
    """Make mono copies at 16 kHz for training; a mono WAV or FLAC file of 16 kHz stays where it is.

    Args:
        recordings: Paths or URIs by recording id.
        folder: Folder for the copies.
        settings: The limits on duration.

    Yields:
        For each recording as it is finished: recording_id, path, duration_s, sample_rate, channels, or the error.

    Raises:
        UserError: The copies cannot be written.
    """

    @contextmanager
    def lay_out(some: Callable[[], Dataset], one_by_one: bool) -> Iterator[Dataset]:
        yield some().map_batches(partial(audio_copies.copy, folder=folder, settings=settings), **_TASK)

    def died(some: Mapping[str, Row]) -> Iterator[Row]:
        for recording_id in some:
            yield dict.fromkeys(audio_copies.SCHEMA.names) | {"recording_id": recording_id, "error": _DIED}

    yield from _each_once(of_paths(recordings), _FILES_IN_A_TASK, lay_out, died)


def _each_once(
    left: dict[str, Row], in_a_task: int, lay_out: LayOut, died: Callable[[Mapping[str, Row]], Iterator[Row]]
) -> Iterator[Row]:
    """Run a dataset over recordings, and yield one row of each.

    A recording that kills its process takes its batch with it. So recordings that did not come out are sent again, each
    alone; ``died`` makes the rows of those that kill their process then too. Where a node died, it is no recording's
    doing.
    """
    while left:
        there = node_ids()
        whole = yield from _run(lay_out(partial(_dataset, left, in_a_task), False), left, _LOST_BLOCKS)
        if not there <= node_ids():
            continue
        suspects = list(left) if whole else list(left)[: _LOST_BLOCKS * in_a_task]
        yield from _alone(left, suspects, lay_out, died, there)


def _alone(
    left: dict[str, Row],
    suspects: Sequence[str],
    lay_out: LayOut,
    died: Callable[[Mapping[str, Row]], Iterator[Row]],
    there: set[str],
) -> Iterator[Row]:
    """Send recordings one at a time, and yield one row of each, as long as the nodes of before are there."""
    for first in range(0, len(suspects), _ALONE):
        alone = {recording_id: left[recording_id] for recording_id in suspects[first : first + _ALONE]}
        yield from _run(lay_out(partial(_dataset, alone, 1), True), left, -1)
        if not there <= node_ids():
            return
        if dead := {recording_id: left.pop(recording_id) for recording_id in alone if recording_id in left}:
            yield from died(dead)


def _run(
    laid_out: AbstractContextManager[Dataset], left: dict[str, Row], lost_blocks: int
) -> Generator[Row, None, bool]:
    """Run a dataset once, yield the first row of each recording and remove it from ``left``.

    Args:
        laid_out: Makes the dataset as it is entered.
        left: The recordings that are to come out, by id.
        lost_blocks: Number of blocks that may be lost; -1 for any.

    Returns:
        False where it was given up, as more than so many blocks were lost.

    Raises:
        UserError: A model cannot be loaded, or results cannot be written.
    """
    context = DataContext.get_current().copy()
    context.enable_progress_bars = context.print_on_execution_start = False  # the driver reports progress
    context.max_errored_blocks = lost_blocks
    context.execution_no_progress_timeout_s = -1  # a batch of long recordings may take hours
    try:
        with DataContext.current(context), laid_out as dataset:
            # A batch that is fetched ahead is handed out only when the next one is there.
            for batch in dataset.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
                for row in cast(pa.Table, batch).to_pylist():
                    if row["unwritten"]:
                        raise UserError(f"The out folder cannot be written: {row['unwritten']}.")
                    if left.pop(row["recording_id"], None) is not None:
                        yield row
    except (RayActorError, WorkerCrashedError, ObjectLostError, OutOfMemoryError) as error:
        if lost_blocks < 0 or is_load_error(str(error)):  # a lost block is no error then
            raise load_error(str(error)) from None
        return False
    return True


def _dataset(recordings: Mapping[str, Row], rows: int) -> Dataset:
    """Make a dataset with so many rows in a block."""
    names = next(iter(recordings.values()))
    table = pa.Table.from_pylist(list(recordings.values()), pa.schema([RESULT.field(name) for name in names]))
    return ray.data.from_arrow([table.slice(start, rows) for start in range(0, len(table), rows)])


def _actors(pool: Pool, size: int, one_by_one: bool) -> dict[str, Any]:
    """Options of a pool of actors; Ray replaces a dead actor and, here, gives its task one more try."""
    # One recording at a time means one task at a time too, or a dying actor takes the next recording with it.
    alone = 1 if one_by_one else None
    return {
        "compute": ActorPoolStrategy(size=size, max_tasks_in_flight_per_actor=alone),
        "batch_size": alone,
        "batch_format": "pyarrow",
        "num_cpus": pool.num_cpus,
        "max_task_retries": 1,
    }
