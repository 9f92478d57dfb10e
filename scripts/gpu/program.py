"""The parts of scripts/gpu_check that run the program: it starts, its operator is right, it trains, resumes, evaluates
and generates as on a CPU, and its ranks meet over NCCL."""
import json
import pathlib
import re
import socket
import sys
import time

from running import NotRun
from stores import SMALL

HERE = pathlib.Path(__file__).resolve().parent
UPDATES = 20
MINIMUM_CAPABILITY = (8, 0)
# The largest relative difference between a loss on the GPU and the same on the CPU: at the first update, where only
# sums differ, and at the last, where the weights differ as well.
LOSS_LIMITS = {"fp32": (1e-5, 1e-3), "fp16": (2e-3, 2e-2), "bf16": (1e-2, 3e-2)}
PERPLEXITY_LIMIT = 1e-4
EVAL_LENGTHS = (64, 128, 256, 512, 1024)  # 1x to 16x the length of training
EVAL_TOKENS = 2048
NEW_TOKENS = 24
# A first loss scale that overflows nowhere: an update that one side skips would look like a difference of arithmetic.
FP16 = ("train.dtype=fp16", "train.loss_scale=1024")
FEW_THREADS = ("--quiet", "--threads", "1")  # the model is too small for more, and cores may be few


def fused(*overrides):
    return ("attention.backend=fused", *overrides)


def sdpa(*overrides):
    return ("attention.backend=sdpa", *overrides)


RUNS = {
    "fp32 fused": fused(),
    "fp32 sdpa": sdpa(),
    "bf16 fused": fused("train.dtype=bf16"),
    "bf16 sdpa": sdpa("train.dtype=bf16"),
    "fp16 fused": fused(*FP16),
    "fp16 sdpa": sdpa(*FP16),
    "t5 recompute": fused("position.method=t5", "train.recompute=layer"),
    "adaptive": fused("model.adaptive_cutoffs=[96,256]", "optim.name=nag", "optim.lr=0.5", "optim.clip_norm=0.1"),
}


def require(done, what, result):
    """Notes a failure if the command failed, and returns whether it did not."""
    if done.code == 0:
        return True
    result.failures.append(f"{what}: exit code {done.code}\n{done.last_lines()}")
    return False


def start(session, result):
    """The program starts, and every symbol of it, the operators and the NCCL module is bound at once."""
    done = session.longbow("--version", LD_BIND_NOW="1")
    if require(done, "longbow --version", result):
        session.report["version"] = done.text.splitlines()
    done = session.longbow("doctor")
    require(done, "longbow doctor", result)
    found = re.search(r"^\w+ +GPU +0: (.+), compute capability (\d+)\.(\d+),", done.text, re.MULTILINE)
    if found:
        session.report["gpu"] = found[1]
        session.report["capability"] = [int(found[2]), int(found[3])]
    session.report["doctor"] = done.text.splitlines()
    for path in filter(pathlib.Path.exists, (session.product.operators, session.product.nccl)):
        done = session.start([sys.executable, "-B", HERE / "bind.py", path], of_program=False).finish(session.deadline)
        require(done, f"loading {path.name} with every symbol bound", result)


def has_gpu(session):
    return tuple(session.report.get("capability", (0, 0))) >= MINIMUM_CAPABILITY


def doctor(session, result):
    done = session.longbow("doctor")
    require(done, "longbow doctor", result)
    # doctor notes a GPU that does not work and says that a CPU does.
    result.failures += [line for line in done.text.splitlines()
                        if re.match(r"(FAIL|note) +GPU ", line) and session.device != "cpu"]


def operator(session, result):
    done = session.longbow("doctor", "--attention", "--device", session.device, *FEW_THREADS)
    result.rows += [line for line in done.text.splitlines() if "fp64" in line]
    require(done, "longbow doctor --attention", result)


def store(session, name):
    """Returns a store of the bundle, or makes it."""
    if session.product.stores is None:
        folder = session.scratch / "stores"
        done = session.start([sys.executable, "-B", HERE / "stores.py", session.product.program, folder]).finish(
            session.deadline)
        if done.code != 0:
            raise RuntimeError(f"the stores cannot be made\n{done.last_lines()}")
        session.product.stores = folder
    return session.product.stores / name


def training(session, device, run, *overrides, **environment):
    """Starts to train the small model."""
    return session.start([session.product.program, "train", *FEW_THREADS, "-c", HERE / "small.yaml", "--device", device,
                          "--run-dir", run, f"data.store={store(session, SMALL)}", *overrides], **environment)


def losses(run):
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [row["loss"] for row in rows if row["event"] == "train"]


def difference(found, wanted):
    """Returns the relative difference; NaN counts as infinite."""
    relative = abs(found - wanted) / max(abs(wanted), 1e-30)
    return relative if relative == relative else float("inf")


def train(session, result):
    """Trains each model on the device and, at the same time, on the CPU, and compares the losses."""
    for name, overrides in RUNS.items():
        runs = {device: session.scratch / f"{name} {place}".replace(" ", "-")
                for place, device in (("here", session.device), ("beside", "cpu"))} if session.device != "cpu" else \
            {"cpu": session.scratch / f"{name} here".replace(" ", "-")}
        done = session.run_together([training(session, device, run, *overrides) for device, run in runs.items()])
        if not all([require(one, f"{name} on {device}", result) for one, device in zip(done, runs)]):
            continue
        found, wanted = losses(runs[session.device]), losses(runs["cpu"])
        dtype = name.split()[0] if name.split()[0] in LOSS_LIMITS else "fp32"
        row = {"run": name, "seconds": done[0].seconds, "losses": found, "on_cpu": wanted}
        result.rows.append(row)
        if len(found) != UPDATES or len(wanted) != UPDATES:
            result.failures.append(f"{name}: {len(found)} losses, {len(wanted)} on the CPU; {UPDATES} were expected")
            continue
        row["first"], row["last"] = (difference(found[at], wanted[at]) for at in (0, -1))
        first, last = LOSS_LIMITS[dtype]
        if not (row["first"] <= first and row["last"] <= last):
            result.failures.append(f"{name}: losses differ from the CPU's by {row['first']:.1e} at first and "
                                   f"{row['last']:.1e} at last; {first:.0e} and {last:.0e} are allowed")
        if not found[-1] < found[0]:
            result.failures.append(f"{name}: the loss did not fall ({found[0]:.4f} to {found[-1]:.4f})")
        print(f"  {name:13} {found[0]:8.4f} {found[-1]:8.4f}, from the CPU's {row['first']:.1e} {row['last']:.1e}",
              flush=True)


def a_run(session, result):
    """Returns a trained run for the parts that need one, or None if it cannot be trained."""
    if session.run is None:
        run = session.scratch / f"a-run-{time.monotonic_ns()}"  # one that was not finished in time is no run to use
        done = training(session, session.device, run, *fused("train.deterministic=true")).finish(session.deadline)
        if require(done, "training", result):
            session.run = run
    return session.run


def resume(session, result):
    run = a_run(session, result)
    if run:
        done = session.longbow("verify", run, "--device", session.device)
        result.rows += done.text.splitlines()
        require(done, "longbow verify", result)


def evaluate(session, result):
    run = a_run(session, result)
    if run is None:
        return
    found = {}
    for place, device in (("here", session.device), ("beside", "cpu")):
        out = session.scratch / f"{place}.jsonl"
        done = session.longbow("eval", run, *FEW_THREADS, "--data", store(session, SMALL), "--device", device,
                               "--lengths", ",".join(map(str, EVAL_LENGTHS)), "--max-stream-tokens", str(EVAL_TOKENS),
                               "--out", out)
        if not require(done, f"longbow eval on {device}", result):
            return
        found[place] = {row["length"]: row["ppl"] for row in map(json.loads, out.read_text().splitlines())}
    for length in EVAL_LENGTHS:
        here, beside = found["here"].get(length, float("nan")), found["beside"].get(length, float("nan"))
        result.rows.append({"length": length, "ppl": here, "on_cpu": beside, "difference": difference(here, beside)})
        if not result.rows[-1]["difference"] <= PERPLEXITY_LIMIT:
            result.failures.append(f"perplexity at {length} is {here}, and {beside} on the CPU")


def generate(session, result):
    run = a_run(session, result)
    if run is None:
        return
    texts = []
    for device in (session.device, "cpu"):
        # Words are drawn on the host, by one seed from probabilities that hardly differ.
        done = session.longbow("generate", run, *FEW_THREADS, "--prompt", "The model", "--seed", "1",
                               "--max-new-tokens", str(NEW_TOKENS), "--device", device)
        if not require(done, f"longbow generate on {device}", result):
            return
        texts.append(done.text)
    result.rows.append({"text": texts[0], "on_cpu": texts[1]})
    if texts[0] != texts[1]:
        result.failures.append(f"the text is another than the CPU's: {texts[0]!r}, {texts[1]!r}")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def ranks(session, result):
    """Trains as the only rank of a launcher, so that the process group is really made."""
    if session.device != "cpu" and not session.product.nccl.exists():
        raise NotRun(f"{session.product.nccl} is missing: the build found no NCCL")
    alone = a_run(session, result)
    if alone is None:
        return
    wanted = losses(alone)
    group = "Gloo" if session.device == "cpu" else "NCCL"
    for name, overrides in {"plain": (), "sharded": ("dist.shard_optimizer=true",)}.items():
        run = session.scratch / f"ranks-{name}"
        launcher = {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1",
                    "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
        done = training(session, session.device.split(":")[0], run, *fused("train.deterministic=true"), *overrides,
                        **launcher).finish(session.deadline)
        if not require(done, f"{name}: training as rank 0 of 1", result):
            continue
        if f"over {group}" not in (run / "log.txt").read_text():
            result.failures.append(f"{name}: the log does not name {group}")
        found = losses(run)
        worst = max(map(difference, found, wanted)) if len(found) == len(wanted) else float("inf")
        result.rows.append({"run": name, "losses": found, "difference": worst})
        if not worst <= LOSS_LIMITS["fp32"][0]:
            result.failures.append(f"{name}: losses differ by {worst:.1e} from those without a process group")
