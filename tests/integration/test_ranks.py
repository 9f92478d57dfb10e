"""Training by several processes over Gloo must follow the same trajectory as by one, whatever their number: with a
sharded optimizer, with accumulation, and resumed by another number of ranks. Runs the real binary (environment variable
LONGBOW)."""
import json
import unittest

from ranks_case import (FOLDER, furthest, longbow, losses, make_corpus as setUpModule,
                        remove_corpus as tearDownModule, tensors, train, weights)


class Ranks(unittest.TestCase):
    def trained(self, name, *arguments, method="alibi"):
        run = FOLDER / name
        if not run.exists():
            done = train(run, *arguments, method=method)
            self.assertEqual(done.returncode, 0, done.stderr)
        return run

    def expect_same(self, name, *arguments, method="alibi", reference=None):
        one = self.trained(reference or f"{method}-1", method=method)
        other = self.trained(name, *arguments, method=method)
        self.assertLess(furthest(weights(one), weights(other)), 1e-10, name)

    def test_two_and_four_ranks_follow_one(self):
        self.expect_same("alibi-2", "--nproc", 2)
        self.expect_same("alibi-4", "--nproc", 4)

    def test_with_the_optimizer_sharded(self):
        self.expect_same("sharded-2", "--nproc", 2, "dist.shard_optimizer=true")
        self.expect_same("sharded-3", "--nproc", 3, "dist.shard_optimizer=true")
        files = sorted(path.name for path in (FOLDER / "sharded-3/checkpoints/last").glob("optimizer-*"))
        self.assertEqual(files, [f"optimizer-0000{rank}-of-00003.safetensors" for rank in range(3)])

    def test_with_accumulation(self):
        accumulated = ("train.batch=2", "train.accumulate=4")
        self.expect_same("accumulate-1", *accumulated)
        self.expect_same("accumulate-2", "--nproc", 2, *accumulated)
        self.expect_same("accumulate-3", "--nproc", 3, *accumulated)  # three does not divide four

    def test_with_recomputed_activations(self):
        self.expect_same("recompute-2", "--nproc", 2, "train.recompute=layer")
        self.expect_same("recompute-sharded", "--nproc", 3, "train.recompute=layer", "dist.shard_optimizer=true",
                         "train.batch=4", "train.accumulate=2")

    def test_a_table_that_all_layers_share(self):
        self.expect_same("t5-2", "--nproc", 2, method="t5")
        self.expect_same("t5-sharded", "--nproc", 2, "dist.shard_optimizer=true", method="t5")

    def test_the_same_ranks_twice_give_the_same_bits(self):
        dropped = ("model.dropout=0.1", "train.dtype=fp32", "--nproc", 2)
        one, two = self.trained("twice-1", *dropped), self.trained("twice-2", *dropped)
        self.assertEqual((one / "checkpoints/last/model.safetensors").read_bytes(),
                         (two / "checkpoints/last/model.safetensors").read_bytes())
        drop = lambda row: {key: value for key, value in row.items() if key != "timing"}
        rows = [[drop(json.loads(line)) for line in (run / "metrics.jsonl").read_text().splitlines()]
                for run in (one, two)]
        self.assertEqual(*rows)

    def test_fp32_losses_stay_near(self):
        one, two = (self.trained("single-1", "train.dtype=fp32"),
                    self.trained("single-2", "train.dtype=fp32", "--nproc", 2))
        self.assertLess(max(abs(a - b) for a, b in zip(losses(one), losses(two))), 0.01)

    def test_the_reduced_gradients_of_the_first_update(self):
        """One step of plain SGD, so large that the weights after it are the gradient."""
        sgd = ("train.dtype=fp32", "optim.name=sgd", "optim.lr=1000", "optim.clip_norm=0", "schedule.name=constant",
               "schedule.warmup=0 updates", "train.stop=1 updates", "data.valid=null", "eval.lengths=null")
        one, two = (self.first_step(f"gradient-{ranks}", *sgd, "--nproc", ranks) for ranks in (1, 2))
        for name, step in one.items():
            largest = max(map(abs, step))
            difference = max(abs(a - b) for a, b in zip(step, two[name]))
            self.assertLessEqual(difference, 2e-6 * largest, name)

    def first_step(self, name, *arguments):
        run = FOLDER / name
        done = train(run, *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        before = tensors(run / "checkpoints/step-00000000/model.safetensors")
        return {key: [a - b for a, b in zip(values, before[key])] for key, values in weights(run).items()}

    def test_a_trace_shows_buckets_sent_during_the_backward_pass(self):
        """Buckets must go to the network as soon as their gradients are complete, before the rest of the backward pass.
        Both happen in one thread, in an order that holds however busy the machine is. When the bytes then travel is not
        tested."""
        run = FOLDER / "traced"
        done = train(run, "--nproc", 2, "train.dtype=fp32", "train.stop=8 updates", "train.profile=2",
                     "schedule.name=constant", "model.dim=128", "model.ffn_dim=512", "model.layers=4",
                     "dist.bucket_mb=0.5")
        self.assertEqual(done.returncode, 0, done.stderr)
        for rank in (0, 1):
            events = [event for event in json.loads((run / f"trace-rank{rank}.json").read_text())["traceEvents"]
                      if event.get("ph") == "X"]
            backward = [event for event in events if event["name"].startswith("autograd::engine::evaluate_function")]
            sent = [event for event in events if event["name"] == "c10d::allreduce_"]
            within = lambda event, node: (node["tid"] == event["tid"]
                                          and node["ts"] <= event["ts"] < node["ts"] + node["dur"])
            buckets = [event for event in sent if any(within(event, node) for node in backward)]
            others = [event["ts"] for event in sent if event not in buckets]  # the loss and the counts, after each pass
            self.assertGreaterEqual(len(others), 2, "two updates are traced")
            early = 0
            for event in buckets:
                end = min((ts for ts in others if ts > event["ts"]), default=float("inf"))
                early += any(event["ts"] + event["dur"] < node["ts"] < end and node["tid"] == event["tid"]
                             for node in backward)
            self.assertGreaterEqual(early, 4, "buckets wait for the end of the backward pass")

    def test_gradients_that_travel_narrow_still_train(self):
        full = losses(self.trained("single-2", "train.dtype=fp32", "--nproc", 2))
        for dtype in ("bf16", "fp16"):
            narrow = losses(self.trained(f"narrow-{dtype}", "train.dtype=fp32",
                                         "--nproc", 2, f"dist.reduce_dtype={dtype}"))
            self.assertNotEqual(narrow, full)
            self.assertLess(abs(narrow[-1] - full[-1]), 0.05)

    def test_goes_on_with_another_number_of_ranks(self):
        """Interrupted with three ranks and a sharded optimizer, continued with two ranks, then with one."""
        run = FOLDER / "elastic"
        done = train(run, "--nproc", 3, "dist.shard_optimizer=true", "train.stop=20 updates",
                     "schedule.period=50 updates")
        self.assertEqual(done.returncode, 0, done.stderr)
        done = train(run, "--nproc", 2, "dist.shard_optimizer=true", "train.stop=35 updates",
                     "schedule.period=50 updates")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("used 3 ranks and continues with 2", done.stderr)
        done = train(run, "schedule.period=50 updates")
        self.assertEqual(done.returncode, 0, done.stderr)
        one = self.trained("alibi-1")
        self.assertLess(furthest(weights(one), weights(run)), 1e-10)

    def test_evaluation_by_ranks_has_the_same_bits(self):
        run = self.trained("alibi-1")
        rows = {}
        for ranks in (1, 2, 3):
            files = FOLDER / f"eval-{ranks}.npy"
            done = longbow("eval", run, "--data", FOLDER / "store", "--lengths", 16, "--stride", 4, "--max-tokens", 512,
                           "--threads", 1, "--json", "--nproc", ranks, "--out", FOLDER / f"eval-{ranks}.jsonl",
                           "--token-logprobs", files)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(len(done.stdout.splitlines()), 1)
            rows[ranks] = (json.loads(done.stdout)["nll"], files.read_bytes())
        self.assertEqual(rows[1], rows[2])
        self.assertEqual(rows[1], rows[3])

    def test_verify_replays_with_the_ranks_that_trained(self):
        run = FOLDER / "verified"
        done = train(run, "--nproc", 2, "dist.shard_optimizer=true", "train.stop=12 updates",
                     "checkpoint.every=5 updates", "schedule.name=constant")
        self.assertEqual(done.returncode, 0, done.stderr)
        done = longbow("verify", run, "--threads", 1)
        self.assertEqual(done.returncode, 2)
        self.assertIn("--nproc 2", done.stderr)
        done = longbow("verify", run, "--threads", 1, "--nproc", 2)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("bit for bit", done.stdout)
        self.assertIn("2 agree", done.stdout)

    def test_mistakes(self):
        done = train(FOLDER / "mistake", "--nproc", 9)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("train.batch", done.stderr)
        done = train(FOLDER / "mistake", "--nproc", 2, RANK="0", WORLD_SIZE="2", MASTER_ADDR="127.0.0.1",
                     MASTER_PORT="1234")
        self.assertEqual(done.returncode, 2, done.stderr)
        done = train(FOLDER / "mistake", RANK="0", WORLD_SIZE="2")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("MASTER_ADDR", done.stderr)
        done = train(FOLDER / "mistake", "model.dim=33", "--nproc", 2)
        self.assertEqual(done.returncode, 3, done.stderr)


if __name__ == "__main__":
    unittest.main()
