"""The runs in a folder: which files of it are logs, and which of them belong together."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from gradcheck.logs.readers.metric_files import METRIC_LINE
from gradcheck.logs.records import MARK
from gradcheck.logs.tag_files import by_run

#: Files that are a run's log, the most telling first: of a folder the first of these that are there are read.
USUAL = (
    "trainer_state.json", "scalars.json", "*.jsonl", "metrics.csv", "results.csv", "progress.csv", "log.txt",
    "output.log", "*.wandb",
    "metrics.json", "result.json", "history.json", "log_history.json",
    "*.db", "*.csv", "*.log", "*.out", "*.json", "*.jsonl.gz",
)  # fmt: skip

EVENTS, CHECKPOINT = "*tfevents*", "checkpoint-"

#: Folders below that are looked into, how deep, and runs of which the newest are read.
MOST_FOLDERS, DEEPEST, MOST_RUNS = 2000, 5, 32

#: What tells when an event file was begun; of others, how many seconds may pass between the ends of two of one run.
BEGUN, AFTERWARDS = re.compile(r"tfevents\.(\d{9,11})\b"), 600.0

#: Files of a folder that are each a run.
MOST_FILES = 32


class Source(NamedTuple):
    """What one run is read from: files of events, a folder of metrics, or a file."""

    name: str
    paths: tuple[Path, ...]
    kind: str  # "events", "metrics", "tags" or "file"

    @property
    def changed(self) -> float:
        """When it was written last."""
        return max(path.stat().st_mtime for path in self.paths)

    @property
    def begun(self) -> float:
        """When it was written first: event files say so in their names, of others it is guessed."""
        said = [int(found[1]) for path in self.paths if (found := BEGUN.search(path.name))]
        return min(said, default=self.changed - AFTERWARDS)

    def is_of_run(self, other: "Source") -> bool:
        """Whether this may have been written by the same run as another one, of another kind and changed later."""
        nested = self.home.is_relative_to(other.home) or other.home.is_relative_to(self.home)
        return nested and self.changed >= other.begun and self.kind_of_file != other.kind_of_file

    @property
    def home(self) -> Path:
        """The folder of its run: of a checkpoint's state the one that checkpoints are put in."""
        place = self.paths[0].parent
        return place.parent if place.name.startswith(CHECKPOINT) else place

    @property
    def kind_of_file(self) -> str:
        """Its kind, of a file with its name: two files of one name are of two runs."""
        return self.paths[0].name if self.kind == "file" else self.kind


def sources(folder: Path) -> list[Source]:
    """Return what the runs of a folder are read from, the newest last; none if there is no log in it."""
    found = [one for place in _folders(folder) for one in _sources_of(place, folder)]
    usual = [one for one in found if not one.paths[0].match("*.json") or one.paths[0].name in USUAL] or found
    return sorted(usual, key=lambda one: (one.changed, one.name))[-MOST_RUNS:]


def _folders(folder: Path) -> Iterator[Path]:
    """Yield a folder and those below it, not those below a run's own files."""
    waiting, seen = [(folder, 0)], 0
    while waiting and seen < MOST_FOLDERS:
        place, depth = waiting.pop()
        seen += 1
        yield place
        if depth < DEEPEST and not _metrics(place):
            below = sorted(path for path in place.iterdir() if path.is_dir() and not _is_seen_elsewhere(path, folder))
            states = [path for path in below if path.name.startswith(CHECKPOINT)]
            newest = sorted(states, key=lambda path: path.stat().st_mtime)[-1:]  # each has the whole history
            own = (place / USUAL[0]).exists()
            waiting += [(path, depth + 1) for path in below if path not in states] + (
                [] if own else [(path, depth + 1) for path in newest]
            )


def _is_seen_elsewhere(place: Path, root: Path) -> bool:
    """Whether a folder is hidden, or the second name of one within the same root, as W&B's ``latest-run`` is."""
    return place.name.startswith(".") or (place.is_symlink() and place.resolve().is_relative_to(root.resolve()))


def _sources_of(place: Path, root: Path) -> Iterator[Source]:
    """Yield the runs whose files are in a folder itself."""
    name = str(place.relative_to(root)) if place != root else place.resolve().name
    metrics = _metrics(place)
    if metrics:
        yield Source(name, (metrics,), "metrics")
        return
    downloads = by_run(sorted(place.glob("run-*-tag-*")))
    if downloads:
        several = len(downloads) > 1
        yield from (Source(run if several else name, tuple(paths), "tags") for run, paths in downloads.items())
        return
    for pattern in USUAL:
        files = sorted(path for path in place.glob(pattern) if path.is_file())[:MOST_FILES]
        if files:
            files = list(dict.fromkeys((*files, *_recorded(place))))
            several = len(files) > 1 or place == root
            yield from (Source(str(path.relative_to(root)) if several else name, (path,), "file") for path in files)
            return
    events = tuple(sorted(place.glob(EVENTS)))
    if events:
        yield Source(name, events, "events")


def _recorded(place: Path) -> Iterator[Path]:
    """Yield the logs of recorders: they know more of the gradients than what a trainer writes beside them."""
    for path in sorted(place.glob("*.jsonl"))[:MOST_FILES]:
        with path.open("rb") as file:
            if f'"{MARK}"'.encode() in file.readline(200):
                yield path


def _metrics(place: Path) -> Path | None:
    """Return the folder of MLflow's metrics of a run; None of any other folder."""
    for folder in (place / "metrics", place):
        if folder.is_dir() and (folder.name == "metrics"):
            first = next((path for path in sorted(folder.rglob("*")) if path.is_file()), None)
            if first is not None:
                with first.open("rb") as file:
                    if METRIC_LINE.match(file.readline(200)):
                        return folder
    return None
