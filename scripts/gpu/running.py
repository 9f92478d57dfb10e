"""Runs commands and the parts of scripts/gpu_check, each within its time, and keeps what they found.

A kernel that never ends blocks the process that waits for it, so every command is a process group of its own, which is
ended whole: the target of compute-sanitizer outlives its launcher otherwise.
"""
import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time
import traceback

PASSED, FAILED, OUT_OF_TIME, NOT_RUN = "passed", "failed", "out of time", "not run"
LEAST_SECONDS = 2.0  # with less time than this a part is not begun


class OutOfTime(Exception):
    """A command did not end in time; its process group has been ended."""


class NotRun(Exception):
    """A part cannot run here; the message says why."""


class CannotCheck(Exception):
    """What is to be checked cannot be used, or there is nothing to check it on."""

    def __init__(self, message, code):
        super().__init__(message)
        self.code = code


@dataclasses.dataclass
class Done:
    code: int
    text: str  # standard output and standard error, as they came
    seconds: float

    def last_lines(self, count=12):
        return "\n".join(self.text.strip().splitlines()[-count:])


class Command:
    """A process group that has been started."""

    def __init__(self, words, env, cwd=None):
        self.words = [str(word) for word in words]
        # A file and no pipe: whoever keeps a pipe open would make us wait for him.
        self._output = tempfile.TemporaryFile()
        self._begun = time.monotonic()
        self._process = subprocess.Popen(self.words, stdin=subprocess.DEVNULL, stdout=self._output,
                                         stderr=subprocess.STDOUT, start_new_session=True, env=env, cwd=cwd)

    def finish(self, deadline):
        """Waits for the end of the first process, ends what is left of its group, and returns what it said. Throws
        OutOfTime if it has not ended by then."""
        ended = None
        try:
            # The process is not reaped before its group has been ended, so that its number cannot be another's.
            while ended is None and time.monotonic() < deadline:
                ended = os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
                if ended is None:
                    time.sleep(0.01)
        finally:
            self.end()
        self._output.seek(0)
        text = self._output.read().decode(errors="replace")
        self._output.close()
        done = Done(self._process.returncode, text, time.monotonic() - self._begun)
        if ended is None:
            raise OutOfTime(f"{' '.join(self.words)}: no end after {done.seconds:.0f} s\n{done.last_lines()}")
        return done

    def end(self):
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait()


@dataclasses.dataclass
class Part:
    name: str
    seconds: float  # the most that it may take, unless there is more time or it is given another limit
    run: object     # called with the Session and its own Result


@dataclasses.dataclass
class Result:
    verdict: str = NOT_RUN
    reason: str = ""
    seconds: float = 0.0
    rows: list = dataclasses.field(default_factory=list)
    failures: list = dataclasses.field(default_factory=list)


class Session:
    """Holds what the parts share: the product, a scratch folder, the time that is left, and the report."""

    def __init__(self, product, device, scratch, seconds, out=None):
        self.product, self.device, self.scratch = product, device, pathlib.Path(scratch)
        self.begun = time.monotonic()
        self.end = self.begun + seconds
        self.deadline = self.end  # of the part that runs
        self.run = None  # folder of the run that several parts use
        self.out = pathlib.Path(out) if out else None
        self.report = {"device": device, "gpu": None, "product": product.description(), "parts": {}}

    def start(self, words, of_program=True, **environment):
        return Command(words, {**self.product.environment(of_program), **environment})

    def longbow(self, *words, **environment):
        return self.start([self.product.program, *words], **environment).finish(self.deadline)

    def run_together(self, commands):
        """Finishes commands that were started; all of them end when one is out of time."""
        try:
            return [command.finish(self.deadline) for command in commands]
        except BaseException:
            for command in commands:
                command.end()
            raise

    def python(self, script, *words, result, **environment):
        """Runs a script of this folder that needs PyTorch and writes a JSON object a line to the file that it is given:
        what it measured before it ran out of time counts."""
        path = self.scratch / f"{pathlib.Path(script).stem}-{time.monotonic_ns()}.jsonl"
        try:
            words = [self.product.python, "-B", pathlib.Path(__file__).parent / script, "--rows", path, *words]
            return self.start(words, of_program=False, **environment).finish(self.deadline)
        finally:
            if path.exists():
                lines = path.read_text().splitlines(keepends=True)
                result.rows += [json.loads(line) for line in lines if line.endswith("\n")]  # the last may be cut off

    def perform(self, part, seconds):
        result = Result()
        begun = time.monotonic()
        self.deadline = min(begun + seconds, self.end)
        try:
            if self.deadline - begun < LEAST_SECONDS:
                raise NotRun("no time was left")
            part.run(self, result)
            result.verdict = PASSED
        except OutOfTime as error:
            result.verdict, result.reason = OUT_OF_TIME, str(error)
        except NotRun as error:
            result.verdict, result.reason = NOT_RUN, str(error)
        except Exception:  # noqa: BLE001  a part that cannot read what the product wrote has found something wrong
            result.failures.append(traceback.format_exc(limit=-3))
        if result.failures:
            result.verdict = FAILED
        result.seconds = round(time.monotonic() - begun, 2)
        self.report["parts"][part.name] = dataclasses.asdict(result)
        self.write()
        print(f"{part.name + ':':12} {result.verdict} in {result.seconds:.1f} s"
              + (f": {result.reason}" if result.reason else ""), flush=True)
        for failure in result.failures:
            print("  " + failure.replace("\n", "\n  "), flush=True)
        return result

    def write(self):
        """Writes the report as it is now, so that a check that is killed loses one part."""
        self.report["seconds"] = round(time.monotonic() - self.begun, 2)
        if self.out is None:
            return
        self.out.parent.mkdir(parents=True, exist_ok=True)
        beside = self.out.with_name(f".{self.out.name}.{os.getpid()}")
        beside.write_text(json.dumps(self.report, indent=1, default=str) + "\n")
        beside.replace(self.out)
