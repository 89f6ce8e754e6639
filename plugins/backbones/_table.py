"""The sparse third layer of LeNet-5."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# LeCun et al. 1998, Table I: the maps of S2 that each map of C3 sees.
TABLE = (
    *((0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5)),
    *((0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5)),
    *((0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5)),
    (0, 1, 2, 3, 4, 5),
)
INPUTS, OUTPUTS = 6, len(TABLE)


class TableConv(nn.Module):
    """A convolution whose maps see only some of its input: (N, 6 m, H, W) -> (N, 16 n, H', W').

    It has the kernels of the connections that exist, and runs as a full convolution with zeros elsewhere: ten times as
    fast as one convolution a map. Its zeros do not count as multiply-adds. An init plugin does not know its weights;
    they start as He et al. 2015 (arXiv 1502.01852) have it, normal with variance 2 / fan-in of their map.

    Args:
        in_channels: 6 m; each entry of the table stands for m maps.
        out_channels: 16 n; each row of the table stands for n maps.
        kernel: height and width k.
        padding: zeros on each side; the output is so much larger.
    """

    connected: Tensor

    def __init__(self, in_channels: int, out_channels: int, kernel: int, padding: int = 0) -> None:
        super().__init__()
        self.kernel = kernel
        self.padding = padding
        rows = torch.tensor([[entry in row for entry in range(INPUTS)] for row in TABLE])
        connected = rows.repeat_interleave(out_channels // OUTPUTS, 0).repeat_interleave(in_channels // INPUTS, 1)
        kernels = sum(map(len, TABLE)) * (out_channels // OUTPUTS) * (in_channels // INPUTS)
        self.register_buffer("connected", connected[:, :, None, None], persistent=False)
        self.weight = nn.Parameter(torch.empty(kernels, kernel, kernel))
        self.bias = nn.Parameter(torch.empty(out_channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights and set the biases to 0."""
        fan_in = self.connected.sum((1, 2, 3)) * self.kernel**2
        deviation = (2 / fan_in).sqrt().repeat_interleave(self.connected.sum((1, 2, 3)), output_size=len(self.weight))
        with torch.no_grad():
            self.weight.normal_().mul_(deviation[:, None, None])
            self.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        mask = self.connected.expand(-1, -1, self.kernel, self.kernel)
        return F.conv2d(
            x, self.weight.new_zeros(mask.shape).masked_scatter(mask, self.weight), self.bias, padding=self.padding
        )

    def multiply_adds(self, x: Tensor, output: Tensor) -> int:
        """Of the connections that exist: each kernel at each pixel of each image's map."""
        images, _, height, width = output.shape
        return images * height * width * self.weight.numel()
