"""Runs the parts of scripts/gpu_check in their order of value, each within its own time, and writes what they found.

    check.py (--build FOLDER | --prebuilt FOLDER) [--only PART,..] [--minutes N] [--limit PART=SECONDS] [--out FILE]
             [--device cuda|cpu] [--torch ROOT]

A part is passed, failed, out of time, or not run; the last two are not a pass. Exit status: 0 all passed; 1 a part
failed; 2 what is to be checked cannot be used; 3 no part failed, but one was not run or out of time; 77 no GPU that the
kernels run on. With --device cpu the same parts run on the CPU, to show that they work.
"""
import argparse
import re
import signal
import sys
import tempfile

import peers
import program
import sanitizer
from product import UNUSABLE, Product
from running import FAILED, NOT_RUN, PASSED, CannotCheck, Part, Session

NO_GPU = 77
NOT_ALL = 3
PARTS = [
    Part("doctor", 60, program.doctor),
    Part("operator", 90, program.operator),
    Part("grid", 90, peers.grid),
    Part("training", 150, program.train),
    Part("resume", 40, program.resume),
    Part("eval", 40, program.evaluate),
    Part("generate", 30, program.generate),
    Part("ranks", 60, program.ranks),
    Part("sanitizer", 120, sanitizer.sanitizer),
    Part("speed", 75, peers.speed),
    Part("step", 120, peers.step),
    Part("flex", 90, peers.flex),
]
START = Part("start", 90, program.start)
MINUTES = 7.8  # of all parts, for which the limits above are made; with more time each part gets more


def parts_named(text):
    known = {part.name: part for part in PARTS}
    names = text.split(",")
    unknown = [name for name in names if name not in known]
    if unknown:
        raise argparse.ArgumentTypeError(f"unknown part '{unknown[0]}'; there are {', '.join(known)}")
    return [part for part in PARTS if part.name in names]


def limit(text):
    name, _, seconds = text.partition("=")
    try:
        return parts_named(name)[0].name, float(seconds)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not PART=SECONDS") from None


def minutes(text):
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"'{text}' is no time")
    return number


def device(text):
    if not re.fullmatch(r"cpu|cuda(:\d+)?", text):
        raise argparse.ArgumentTypeError(f"'{text}' is not cpu, cuda or cuda:N")
    return text


def check(options):
    product = Product(options.build, options.prebuilt, options.torch)
    with tempfile.TemporaryDirectory(prefix="longbow-gpu-check-") as scratch:
        session = Session(product, options.device, scratch, 60 * options.minutes, options.out)
        try:
            session.write()
        except OSError as error:
            raise CannotCheck(f"--out {options.out} cannot be written: {error.strerror}; name another file",
                              UNUSABLE) from None
        more = max(1.0, options.minutes / MINUTES)
        limits = {part.name: more * part.seconds for part in [START, *PARTS]} | dict(options.limit)
        results = [session.perform(START, limits[START.name])]
        if results[0].verdict != PASSED:
            return 1 if results[0].verdict == FAILED else NOT_ALL
        if options.device != "cpu" and not program.has_gpu(session):
            found = session.report["gpu"]
            print(f"no GPU: {found} is older than the kernels (compute capability 8.0)" if found else
                  "no GPU: longbow doctor finds none in this machine")
            return NO_GPU
        try:
            results += [session.perform(part, limits[part.name]) for part in options.only]
        finally:
            for part in options.only:
                session.report["parts"].setdefault(part.name, {"verdict": NOT_RUN, "reason": "the check was ended"})
            session.write()
    verdicts = {result.verdict for result in results}
    return 1 if FAILED in verdicts else 0 if verdicts == {PASSED} else NOT_ALL


def stop(number, _frame):
    print(f"ended by {signal.Signals(number).name}: what was found until now is in the JSON", file=sys.stderr)
    raise SystemExit(128 + number)


def main():
    parser = argparse.ArgumentParser(prog="scripts/gpu_check", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    folder = parser.add_mutually_exclusive_group(required=True)
    folder.add_argument("--build", help="folder of a build")
    folder.add_argument("--prebuilt", help="folder of an unpacked bundle")
    parser.add_argument("--only", type=parts_named, default=PARTS, help="parts, separated by commas")
    parser.add_argument("--minutes", type=minutes, default=MINUTES)
    parser.add_argument("--limit", type=limit, action="append", default=[], metavar="PART=SECONDS",
                        help="another limit for one part; may be repeated")
    parser.add_argument("--out", help="JSON file, written anew after each part")
    parser.add_argument("--device", type=device, default="cuda", help="cuda, cuda:N or cpu")
    parser.add_argument("--torch", help="folder that holds LibTorch's lib; default: this Python's torch")
    parser.add_argument("--arguments-only", action="store_true", help=argparse.SUPPRESS)  # for scripts/gpu_check
    options = parser.parse_args()
    if options.arguments_only:
        return 0
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, stop)
    try:
        return check(options)
    except CannotCheck as error:
        print(f"error: {error}", file=sys.stderr)
        return error.code


if __name__ == "__main__":
    sys.exit(main())
