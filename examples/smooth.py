"""Use an operator of your own: fit a noisy signal whose moving average is known.

python examples/smooth.py
"""

from moving_average import moving_average

import numtorch as torch


def main() -> None:
    """Gradient descent through the operator of examples/moving_average."""
    torch.manual_seed(0)
    truth = torch.linspace(0, 6, 64).sin()
    target = moving_average(truth, 5)
    guess = torch.randn(64, requires_grad=True)
    optimizer = torch.optim.Adam([guess], lr=0.1)
    for step in range(301):
        optimizer.zero_grad()
        error = (moving_average(guess, 5) - target).square().mean()
        error.backward()
        optimizer.step()
        if step % 100 == 0:
            print(f"step {step:3d}: mean squared error {error.item():.2e}")
    checked = torch.rand(2, 7, dtype=torch.float64, requires_grad=True)
    print("gradient checked:", torch.autograd.gradcheck(lambda x: moving_average(x, 3), checked))


if __name__ == "__main__":
    main()
