"""The parts of scripts/gpu_check that need this Python's PyTorch: the operator on many shapes, and speed beside
peers."""
import json
import pathlib

from program import require, store
from running import NotRun
from shape import LENGTH, flops
from stores import LARGE

HERE = pathlib.Path(__file__).resolve().parent
# Dense bf16 rates that data sheets give, TFLOP/s, by compute capability: the rate, and for how many multiprocessors.
DATA_SHEETS = {(8, 0): (312.0, 108), (9, 0): (989.4, 132)}
DESCRIBE = """
import json, torch
gpu = torch.cuda.get_device_properties(0) if torch.cuda.is_available() else None
print(json.dumps({"torch": torch.__version__, "multiprocessors": gpu.multi_processor_count if gpu else 0,
                  "capability": [gpu.major, gpu.minor] if gpu else None}))
"""


def python_torch(session):
    """Returns what this Python's PyTorch says of the GPU. Throws NotRun if it cannot be used."""
    known = session.report.get("python_torch")
    if known is None:
        done = session.start([session.product.python, "-c", DESCRIBE], of_program=False).finish(session.deadline)
        lines = done.text.strip().splitlines() or [""]
        known = json.loads(lines[-1]) if done.code == 0 else {"problem": f"torch cannot be imported: {lines[-1]}"}
        if done.code == 0 and not known["capability"] and session.device != "cpu":
            known["problem"] = "torch finds no GPU"
        session.report["python_torch"] = known
    if "problem" in known:
        raise NotRun(f"{session.product.python}: {known['problem']}")
    return known


def grid(session, result):
    python_torch(session)
    done = session.python("grid.py", session.product.operators, "--device", session.device, result=result)
    require(done, "the grid", result)


def measure(session, result, *words):
    python_torch(session)
    done = session.python("speed.py", session.product.operators, "--device", session.device, *words, result=result)
    if require(done, "speed.py", result):
        print(done.text.rstrip(), flush=True)


def speed(session, result):
    measure(session, result)


def flex(session, result):
    measure(session, result, "--flex")


def own_step(session, result):
    for backend in ("fused", "sdpa"):
        # On a CPU this only shows that the part works.
        small = ("train.batch=1", "train.length=64") if session.device == "cpu" else ()
        steps = ("--steps", "1", "--warmup-steps", "0") if session.device == "cpu" else \
            ("--steps", "20", "--warmup-steps", "5")
        done = session.longbow("bench", "train", "-c", HERE / "step.yaml", f"data.store={store(session, LARGE)}",
                               f"attention.backend={backend}", *small, *steps, "--json", "--device", session.device)
        if require(done, f"longbow bench train with {backend}", result):
            row = json.loads(next(line for line in done.text.splitlines() if line.startswith("{")))
            result.rows.append({"name": f"longbow {backend}", "ms": 1e3 * row["seconds_min"],
                                "median_ms": 1e3 * row["seconds_median"], "tokens": row["tokens_per_update"]})


def step(session, result):
    """Times an update of 124M parameters beside PyTorch's, and gives each the share of the card's peak."""
    own_step(session, result)
    try:
        gpu = python_torch(session)
        session.python("step.py", "--device", session.device, result=result)
    finally:
        rate, of = DATA_SHEETS.get(tuple(session.report.get("capability", ())), (None, 1))
        for row in result.rows:
            if "ms" not in row:
                print(f"  {row['name']:36} not run: {row['not_run']}", flush=True)
                continue
            length = 64 if session.device == "cpu" else LENGTH
            row["tflops"] = flops(row["tokens"], length) / row["ms"] / 1e9
            multiprocessors = session.report.get("python_torch", {}).get("multiprocessors")
            if rate and multiprocessors:
                row["share_of_peak"] = row["tflops"] / (rate * multiprocessors / of)
            print(f"  {row['name']:36} {row['ms']:8.1f} ms {row['tflops']:6.1f} TFLOP/s"
                  + (f" {100 * row['share_of_peak']:.0f} % of peak" if "share_of_peak" in row else ""), flush=True)
