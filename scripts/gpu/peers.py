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
    print(done.text.rstrip(), flush=True)
    require(done, "speed.py", result)
    require_ours(result)


def require_ours(result):
    """A peer may be absent; our own side may not."""
    result.failures += [f"{row['name']}: {row['not_run']}" for row in result.rows
                        if "not_run" in row and row["name"].startswith("longbow")]


def require_a_peer(result):
    peers = [row for row in result.rows if not row["name"].startswith("longbow")]
    if all("not_run" in row for row in peers):
        raise NotRun("; ".join(sorted({f"{row['name']}: {row['not_run']}" for row in peers})) or "no peer was measured")


def speed(session, result):
    measure(session, result)


def flex(session, result):
    measure(session, result, "--flex")
    require_a_peer(result)


def own_step(session, result):
    for backend in ("fused", "sdpa"):
        # On a CPU this only shows that the part works.
        small = ("model.layers=1", "train.batch=1", "train.length=64") if session.device == "cpu" else ()
        steps = ("--steps", "1", "--warmup-steps", "0") if session.device == "cpu" else \
            ("--steps", "20", "--warmup-steps", "5")
        done = session.longbow("bench", "train", "-c", HERE / "step.yaml", f"data.store={store(session, LARGE)}",
                               f"attention.backend={backend}", *small, *steps, "--json", "--device", session.device)
        if require(done, f"longbow bench train with {backend}", result):
            row = json.loads(next(line for line in done.text.splitlines() if line.startswith("{")))
            result.rows.append({"name": f"longbow {backend}", "ms": 1e3 * row["seconds_min"],
                                "median_ms": 1e3 * row["seconds_median"], "tokens": row["tokens_per_update"]})


def peak_tflops(session, multiprocessors):
    """Returns the card's rate by its data sheet, or None if that is not known."""
    rate, of = DATA_SHEETS.get(tuple(session.report.get("capability", ())), (None, 1))
    return rate * multiprocessors / of if rate and multiprocessors else None


def say_speed(row, peak):
    """Prints a row of the step, after adding its rate and share of the peak."""
    text = f"  {row['name']:36} "
    if "not_run" in row:
        print(f"{text} not run: {row['not_run']}", flush=True)
        return
    text += f"{row['ms']:8.1f} ms"
    if peak:
        row["tflops"] = flops(row["tokens"], LENGTH) / row["ms"] / 1e9
        row["share_of_peak"] = row["tflops"] / peak
        text += f" {row['tflops']:6.1f} TFLOP/s, {100 * row['share_of_peak']:.0f} % of peak"
    print(text, flush=True)


def step(session, result):
    """Times an update of 124M parameters beside PyTorch's, and gives each the share of the card's peak."""
    own_step(session, result)
    multiprocessors = 0
    try:
        multiprocessors = python_torch(session)["multiprocessors"]
        require(session.python("step.py", "--device", session.device, result=result), "step.py", result)
        require_a_peer(result)
    finally:
        for row in result.rows:
            say_speed(row, peak_tflops(session, multiprocessors))
