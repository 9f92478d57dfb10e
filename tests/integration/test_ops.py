"""Compares the registered operators, called from Python by liblongbow_ops.so, with PyTorch's own attention, including
gradients."""
import math
import os
import pathlib
import sys
import unittest

try:
    import torch
    import torch.nn.functional as F
except ImportError as error:
    if __name__ == "__main__":
        print(f"skipped: {error}")
        sys.exit(77)
    raise unittest.SkipTest(str(error))

LIBRARY = pathlib.Path(os.environ["LONGBOW"]).parent / "liblongbow_ops.so"


def alibi_mask(slopes, rows, columns):
    distance = torch.arange(columns - rows, columns)[:, None] - torch.arange(columns)[None, :]
    bias = -slopes[:, None, None] * distance
    return bias.masked_fill(distance < 0, -math.inf)[None]


class Operators(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        torch.ops.load_library(str(LIBRARY))
        torch.set_num_threads(1)
        torch.manual_seed(1)

    def close(self, found, wanted, tolerance):
        self.assertEqual(found.shape, wanted.shape)
        self.assertLess((found - wanted).abs().max().item(), tolerance * max(1.0, wanted.abs().max().item()))

    def test_equals_scaled_dot_product_attention_with_gradients(self):
        for rows, columns in ((90, 90), (20, 100)):
            q, k, v = (torch.randn(2, 3, n, 32, requires_grad=True) for n in (rows, columns, columns))
            slopes = torch.tensor([0.5, 0.1, 0.01])
            out, lse = torch.ops.longbow.fused_attention(q, k, v, slopes)
            wanted = F.scaled_dot_product_attention(q, k, v, attn_mask=alibi_mask(slopes, rows, columns))
            self.close(out, wanted, 4e-6)
            self.assertEqual(lse.shape, (2, 3, rows))
            weight = torch.randn_like(out)
            for found, expected in zip(torch.autograd.grad(out, (q, k, v), weight),
                                       torch.autograd.grad(wanted, (q, k, v), weight)):
                self.close(found, expected, 1e-5)

    def test_gradient_of_slopes_and_table(self):
        q, k, v = (torch.randn(2, 3, 70, 32) for _ in range(3))
        slopes = torch.rand(3, requires_grad=True)
        out, _ = torch.ops.longbow.fused_attention(q, k, v, slopes)
        wanted = F.scaled_dot_product_attention(q, k, v, attn_mask=alibi_mask(slopes, 70, 70))
        weight = torch.randn_like(out)
        self.close(torch.autograd.grad(out, slopes, weight)[0], torch.autograd.grad(wanted, slopes, weight)[0], 1e-4)

        table = torch.randn(3, 10, requires_grad=True)
        out, _ = torch.ops.longbow.fused_attention(q, k, v, None, table)
        distance = torch.arange(70)[:, None] - torch.arange(70)[None, :]
        mask = table[:, distance.clamp(0, 9)].masked_fill(distance < 0, -math.inf)[None]
        wanted = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        self.close(torch.autograd.grad(out, table, weight)[0], torch.autograd.grad(wanted, table, weight)[0], 1e-4)

    def test_parts_by_place_with_gradients(self):
        q, k, v = (torch.randn(2, 3, 70, 32, requires_grad=True) for _ in range(3))
        gates = torch.randn(2, 3, 70, dtype=torch.double, requires_grad=True)
        sink = torch.randn(3, requires_grad=True)
        sums = F.logsigmoid(gates).cumsum(2)
        out, _ = torch.ops.longbow.fused_attention(q, k, v, row=sums, column=-sums, sink_logit=sink, window=20, sinks=2)
        distance = torch.arange(70)[:, None] - torch.arange(70)[None, :]
        hidden = (distance < 0) | (distance >= 20) & (torch.arange(70) >= 2)
        scores = q @ k.transpose(2, 3) / math.sqrt(32) + (sums[..., None] - sums[:, :, None]).float()
        scores = torch.cat([scores.masked_fill(hidden, -math.inf), sink.view(1, 3, 1, 1).expand(2, -1, 70, -1)], -1)
        wanted = scores.softmax(-1)[..., :70] @ v
        self.close(out, wanted, 4e-6)
        weight = torch.randn_like(out)
        for found, expected in zip(torch.autograd.grad(out, (q, k, v, gates, sink), weight, retain_graph=True),
                                   torch.autograd.grad(wanted, (q, k, v, gates, sink), weight)):
            self.assertEqual(found.dtype, expected.dtype)
            self.close(found, expected, 2e-5)

    def test_gates_skip_as_slopes_do(self):
        q, k = (torch.randn(1, 1, 1024, 32) for _ in range(2))
        place = torch.arange(1024, dtype=torch.double).view(1, 1, -1)
        fraction = torch.ops.longbow.visited_fraction(q, k, None, row=-0.2 * place, column=0.2 * place)
        slopes = torch.ops.longbow.visited_fraction(q, k, torch.tensor([0.2]))
        self.assertLess(fraction.item(), 0.5)
        self.assertLess(abs(fraction.item() - slopes.item()), 0.1)

    def test_the_backward_operator_takes_any_strides(self):
        q, k, v, grad = (torch.randn(2, 3, 70, 32) for _ in range(4))
        slopes = torch.tensor([0.5, 0.1, 0.01])
        call = (slopes, None, None, True, 0, 0.0, 0, 0, 32**-0.5)
        out, lse, first = torch.ops.longbow.fused_attention_forward(q, k, v, *call, -1.0)

        # The same numbers with the dimensions in another order in memory and other numbers between them.
        def strided(t):
            return torch.stack([t.transpose(-1, -2), torch.full_like(t.transpose(-1, -2), math.nan)],
                               -1)[..., 0].transpose(-1, -2)

        wanted = torch.ops.longbow.fused_attention_backward(grad, q, k, v, out, lse, first, *call, True, False)
        found = torch.ops.longbow.fused_attention_backward(*map(strided, (grad, q, k, v, out, lse)), first, *call,
                                                           True, False)
        for ours, expected in zip(found[:4], wanted[:4]):
            self.assertTrue(torch.equal(ours, expected))

    def test_visited_fraction_falls_with_the_slope(self):
        q, k = (torch.randn(1, 3, 1024, 32) for _ in range(2))
        fraction = torch.ops.longbow.visited_fraction(q, k, torch.tensor([1.0, 0.1, 0.0]))
        self.assertEqual(fraction.shape, (1, 3))
        self.assertLess(fraction[0, 0].item(), fraction[0, 1].item())
        self.assertEqual(fraction[0, 2].item(), 1.0)

    def test_shapes_without_data(self):
        q = torch.empty(2, 3, 50, 64, device="meta", dtype=torch.bfloat16)
        out, lse = torch.ops.longbow.fused_attention(q, q, q)
        self.assertEqual((out.shape, out.dtype, lse.dtype), (q.shape, torch.bfloat16, torch.float32))
        row = torch.empty(2, 3, 50, device="meta", requires_grad=True)
        out, _ = torch.ops.longbow.fused_attention(q, q, q, row=row, column=-row)
        self.assertEqual(torch.autograd.grad(out.sum(), row)[0].shape, row.shape)

    def test_errors_name_the_argument(self):
        q = torch.randn(1, 2, 8, 32)
        with self.assertRaisesRegex(ValueError, "alibi_slopes must be"):
            torch.ops.longbow.fused_attention(q, q, q, torch.ones(3))
        with self.assertRaisesRegex(ValueError, "column must be"):
            torch.ops.longbow.fused_attention(q, q, q, column=torch.ones(3))
        with self.assertRaisesRegex(ValueError, "fp32, bf16 and fp16 are served"):
            torch.ops.longbow.fused_attention(q.double(), q.double(), q.double())


if __name__ == "__main__":
    unittest.main()
