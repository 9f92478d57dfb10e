"""Runs programs in turns, so that all see the same load: each is a process that does one step for each line that it
reads, and answers by its milliseconds."""

import subprocess


class Unavailable(Exception):
    """A peer cannot run here; the message says why."""


def start(command):
    side = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    first = side.stdout.readline().strip()
    if first.startswith("unavailable: "):
        side.wait()
        raise Unavailable(first.removeprefix("unavailable: "))
    if first != "ready":
        raise SystemExit(f"error: {' '.join(command)} did not start")
    return side


def ask(side, question):
    print(question, file=side.stdin, flush=True)
    return float(side.stdout.readline())


def take_turns(commands, rounds, samples):
    """Runs one step at a time on each side, in turn, so that all sides see the same load. Each side is a process of its
    own, so that no side's idle threads disturb the others. Returns the processes, which still run, and for each the
    least milliseconds of every round."""
    return sample([start(command) for command in commands], rounds, samples)


def sample(sides, rounds, samples):
    times = [[] for _ in sides]
    for _ in range(rounds):
        for side, kept in zip(sides, times):
            kept.append(min(ask(side, "step") for _ in range(samples)))
    return sides, times


def finish(sides):
    for side in sides:
        side.stdin.close()
        side.wait()
