"""The engine that runs ranges on Apache Spark: the same compiled functions, in Spark's Python workers.

The arrays go to each machine once a call, as .npy files that its workers map into memory and share. A range is a row
of a DataFrame; an Arrow function of it runs the function and hands its arrays back as binary columns of Arrow. Nothing
is shuffled. (`mapInArrow` would do as well, but asks for pandas.) pyspark is imported when the first range runs.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import shutil
import sys
import tempfile
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from yoorec.engine import Array, RangeFunction, check_ranges, load_function, no_progress
from yoorec.errors import PluginError

__all__ = ["SparkEngine"]

_ARRAY = pa.struct([("dtype", pa.string()), ("shape", pa.string()), ("values", pa.binary())])
_ARRAY_SQL = "array<struct<dtype: string, shape: string, values: binary>>"
"""What a range gives, as Arrow and as Spark name it: its arrays, with their bytes in C order."""

_QUIET = """\
rootLogger.level = error
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %p %c{1}: %m%n
# As the root's, or Spark says that it sets another.
logger.gateway.name = org.apache.spark.api.python.PythonGatewayServer
logger.gateway.level = error
# A range that fails is told by the engine, once.
logger.executor.name = org.apache.spark.executor.Executor
logger.executor.level = off
logger.tasks.name = org.apache.spark.scheduler.TaskSetManager
logger.tasks.level = off
"""

_TASKS = 4
"""Tasks a worker gets, on average, each of several ranges: enough that none waits long, as each costs some 20 ms."""

_POLL_S = 0.1


class SparkEngine:
    """Runs ranges in one Spark session, which starts with the first call and lives until `close`.

    master: Spark's address of a cluster, such as ``local[*]``, ``spark://host:7077`` or ``yarn``. Whatever else a
            cluster needs comes from its own spark-defaults.conf. A cluster's machines need the packages of the
            scenario's components, in the same versions.
    memory: of the driver's and of each executor's JVM, in Spark's words (``2g``). The ranges work in Python beside it.

    Raises PluginError where pyspark or Java isn't there.
    """

    def __init__(self, master: str = "local[*]", memory: str = "2g") -> None:
        _check_installed()
        self._master = master
        self._memory = memory
        self._session: Any = None
        self._folder: Path | None = None
        self._calls = 0

    @property
    def workers(self) -> int:
        """Cores of the cluster, as Spark counts them. Starts the session."""
        return int(self._started().sparkContext.defaultParallelism)

    def _started(self) -> Any:
        if self._session is None:
            builder = _pyspark("pyspark.sql").SparkSession.builder
            self._folder = Path(tempfile.mkdtemp(prefix="yoorec-spark-"))
            log = self._folder / "log4j2.properties"
            log.write_text(_QUIET)
            builder = (
                builder.master(self._master)
                .appName("yoorec fit")
                .config("spark.ui.enabled", "false")
                .config("spark.ui.showConsoleProgress", "false")
                .config("spark.driver.extraJavaOptions", f"-Dlog4j2.configurationFile={log.as_uri()}")
                .config("spark.driver.memory", self._memory)
                .config("spark.executor.memory", self._memory)
                .config("spark.driver.maxResultSize", "0")
                .config("spark.sql.execution.arrow.maxRecordsPerBatch", "1")
            )
            local = self._master.startswith("local")
            if local:
                builder = builder.config("spark.driver.bindAddress", "127.0.0.1")
                builder = builder.config("spark.driver.host", "127.0.0.1")
            self._session = builder.getOrCreate()
            if local and "PYSPARK_PYTHON" not in os.environ:
                # Here the workers are this very Python; of a cluster's machines only their owner knows where it is.
                self._session.sparkContext.pythonExec = sys.executable
        return self._session

    def map_ranges(
        self,
        function: str,
        bounds: npt.NDArray[np.int64],
        arrays: Mapping[str, Array],
        settings: Mapping[str, Any],
        progress: Callable[[float], None] = no_progress,
    ) -> list[tuple[Array, ...]]:
        """What the function gives for each range, in their order. A range's arrays must stay below 2 GB.

        Raises RuntimeError naming the function, the range, and what it raised on the worker.
        """
        check_ranges(bounds, arrays)
        ranges = len(bounds) - 1
        if not ranges:
            return []
        session = self._started()
        context = session.sparkContext
        self._calls += 1
        names = self._ship(context, arrays)
        starts, given = bounds.tolist(), json.dumps(dict(settings))

        def run(numbers: pa.Array) -> pa.Array:
            return _run(function, starts, names, given, numbers)

        tasks = min(ranges, _TASKS * self.workers)
        rows = session.range(0, ranges, 1, tasks)
        rows = rows.select("id", _pyspark("pyspark.sql.functions").arrow_udf(run, _ARRAY_SQL)("id").alias("arrays"))
        found = _collected(context, rows, tasks, progress)
        parts = {r.as_py(): _arrays_of(arrays) for r, arrays in zip(found["id"], found["arrays"], strict=True)}
        return [parts[r] for r in range(ranges)]

    def _ship(self, context: Any, arrays: Mapping[str, Array]) -> dict[str, str]:
        """Write each array to a file that Spark brings to every machine; array name to file name."""
        assert self._folder is not None
        names = {}
        for number, (name, array) in enumerate(arrays.items()):
            path = self._folder / f"call{self._calls}-{number}-{uuid.uuid4().hex}.npy"
            np.save(path, np.ascontiguousarray(array), allow_pickle=False)
            context.addFile(str(path))
            names[name] = path.name
        return names

    def close(self) -> None:
        """Stop the session and remove its files; a later call starts another."""
        session, folder = self._session, self._folder
        self._session = self._folder = None
        try:
            if session is not None:
                session.stop()
        finally:
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)


def _collected(context: Any, rows: Any, tasks: int, progress: Callable[[float], None]) -> pa.Table:
    """All rows, while this thread tells how many tasks are done; an error here or there ends the job."""
    group = uuid.uuid4().hex

    def collect() -> pa.Table:
        context.setJobGroup(group, "yoorec fit")
        return rows.toArrow()

    with ThreadPoolExecutor(1, thread_name_prefix="yoorec-spark") as pool:
        call = pool.submit(collect)
        try:
            told = 0
            while not wait([call], _POLL_S).done:
                done = _tasks_done(context, group)
                if done > told:
                    told = done
                    progress(done / tasks)
            found = call.result()
        except _pyspark("pyspark.errors").PySparkException as error:
            raise RuntimeError(_told(str(error))) from error
        except BaseException:
            context.cancelJobGroup(group)
            raise
    if told < tasks:
        progress(1.0)
    return found


def _tasks_done(context: Any, group: str) -> int:
    tracker = context.statusTracker()
    jobs = [tracker.getJobInfo(job) for job in tracker.getJobIdsForGroup(group)]
    stages = [tracker.getStageInfo(stage) for job in jobs if job is not None for stage in job.stageIds]
    return sum(stage.numCompletedTasks for stage in stages if stage is not None)


_MARK = "yoorec range failed: "


def _told(text: str) -> str:
    """What a worker raised, out of the two stack traces that Spark wraps it in."""
    _, mark, rest = text.partition(_MARK)
    return rest.split("\n")[0].strip() if mark else text


def _run(function: str, bounds: list[int], names: dict[str, str], settings: str, numbers: pa.Array) -> pa.Array:
    """On a worker: the arrays of each of the ranges, by their numbers."""
    run = _imported(function)
    arrays = _mapped(tuple(names.items()))
    found = []
    for r in numbers.to_pylist():
        first, last = bounds[r], bounds[r + 1]
        try:
            found.append([_packed(array) for array in run(first, last, arrays, json.loads(settings))])
        except Exception as error:
            told = f"{_MARK}{function} over [{first}, {last}): {type(error).__name__}: {error}"
            raise RuntimeError(told) from error
    return pa.array(found, pa.list_(_ARRAY))


def _packed(array: Array) -> dict[str, Any]:
    if array.nbytes >= 2**31:
        raise ValueError(f"a range's arrays must stay below 2 GB, found {array.nbytes:,} bytes: deal smaller ranges")
    return {"dtype": array.dtype.str, "shape": json.dumps(array.shape), "values": array.tobytes()}


def _arrays_of(packed: Any) -> tuple[Array, ...]:
    """What `_packed` made, over the memory that Arrow read it into."""
    return tuple(
        np.frombuffer(each["values"].as_buffer(), np.dtype(each["dtype"].as_py())).reshape(
            json.loads(each["shape"].as_py())
        )
        for each in packed
    )


@lru_cache(maxsize=8)
def _imported(function: str) -> RangeFunction:
    """On a worker: the function. Spark collects garbage after every task; it needn't look through what came with it."""
    found = load_function(function)
    gc.freeze()
    return found


@lru_cache(maxsize=1)
def _mapped(names: tuple[tuple[str, str], ...]) -> dict[str, Array]:
    """On a worker: the files of a call, mapped once for all ranges it gets."""
    place = _pyspark("pyspark").SparkFiles.get
    return {name: np.asarray(np.load(place(file), mmap_mode="r")) for name, file in names}


def _pyspark(module: str) -> Any:
    """A module of pyspark, which is here only where somebody installed it. Raises ImportError."""
    return importlib.import_module(module)


def _check_installed() -> None:
    """Raise PluginError naming what engine `spark` lacks."""
    needs = "fit.engine: spark needs pyspark 4.1 or later"
    try:
        found = hasattr(_pyspark("pyspark.sql.functions"), "arrow_udf")
    except ImportError as error:
        raise PluginError(f"{needs}: {error}\n  try: pip install pyspark") from error
    if not found:
        raise PluginError(f"{needs}, found {_pyspark('pyspark').__version__}\n  try: pip install --upgrade pyspark")
    home = os.environ.get("JAVA_HOME")
    if shutil.which("java", path=str(Path(home) / "bin") if home else None) is None:
        where = f"JAVA_HOME, {home}, holds no bin/java" if home else "there is no `java` on the PATH"
        raise PluginError(f"fit.engine: spark needs Java 17 or later: {where}\n  try: install a JDK, or set JAVA_HOME")
