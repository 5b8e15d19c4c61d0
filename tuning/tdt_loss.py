"""The token-and-duration transducer loss: on a CPU, where NeMo's own does not run, and whether that runs on a GPU.

NeMo computes this loss in CUDA kernels, and its reference implementation needs CUDA too. This one serves training on
a CPU, with small models and in tests. It sums over all alignments by dynamic programming: a state is a frame and a
number of written tokens, and all states with the same sum of both are computed at once.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch.autograd.function import once_differentiable

from pipeline.errors import UserError

_IMPOSSIBLE = -1e30
"""A log probability; finite, because the gradient of a sum of infinities only is not a number."""


def replace_loss(model: Any) -> None:
    """Let a NeMo model compute its TDT loss here where there is no CUDA; other losses stay as they are.

    The model is saved without this change. Unlike the reference training, which mixes in the plain transducer loss at
    random (``omega``), this one computes the TDT loss only.

    Raises:
        UserError: There is CUDA, and NeMo's kernels cannot be compiled for it.
    """
    from nemo.collections.asr.parts.numba.rnnt_loss import TDTLossNumba

    theirs = model.loss._loss
    if not isinstance(theirs, TDTLossNumba):
        return
    if torch.cuda.is_available():
        _check_compiler()
    else:
        model.loss._loss = TDTLoss(theirs.blank, theirs.durations, theirs.sigma, theirs.clamp)


def _check_compiler() -> None:
    from numba import cuda

    try:
        cuda.jit("void(float32[:])")(lambda values: None)
    except Exception as error:
        raise UserError(
            f"NeMo's loss cannot be compiled for this GPU ({type(error).__name__}): install requirements-gpu.txt and "
            "NVIDIA's driver 580 or newer (`make setup` does the former where it finds nvidia-smi)."
        ) from None


class TDTLoss(torch.nn.Module):
    """Negative log probability of each transcript, as https://arxiv.org/abs/2304.06795 defines it.

    Args:
        blank: Index of the blank, the last of the tokens.
        durations: How many frames an output may step forward.
        sigma: Subtracted from the log probability of every token.
        clamp: The gradient of each logit is kept within plus and minus this; 0 leaves it as it is.
    """

    def __init__(self, blank: int, durations: Sequence[int], sigma: float = 0.0, clamp: float = 0.0):
        super().__init__()
        self.blank, self.durations, self.sigma, self.clamp = blank, list(durations), sigma, clamp
        self.reduction: str | None = None
        """NeMo sets it and reduces for itself."""

    def forward(
        self, acts: torch.Tensor, labels: torch.Tensor, act_lens: torch.Tensor, label_lens: torch.Tensor
    ) -> torch.Tensor:
        """Return the loss of each transcript, shape (batch,).

        Args:
            acts: Logits of tokens, blank and durations, shape (batch, frames, 1 + tokens, blank + 1 + durations).
            labels: Tokens of the transcripts, shape (batch, tokens).
            act_lens: Frames of each recording.
            label_lens: Tokens of each transcript.
        """
        tokens, durations = acts.split([self.blank + 1, len(self.durations)], dim=-1)
        return _Clamped.apply(tokens, durations.log_softmax(-1), labels, act_lens, label_lens, self)


class _Clamped(torch.autograd.Function):
    """The losses; as in NeMo's kernels, their gradients are clamped before the backward pass scales them."""

    @staticmethod
    def forward(ctx: Any, tokens: Any, durations: Any, labels: Any, act_lens: Any, label_lens: Any, loss: Any) -> Any:
        with torch.enable_grad():
            inputs = [tokens.detach().requires_grad_(), durations.detach().requires_grad_()]
            losses = -_log_probability(inputs[0], inputs[1], labels, act_lens, label_lens, loss)
            gradients = torch.autograd.grad(losses.sum(), inputs) if any(ctx.needs_input_grad) else ()
        if loss.clamp > 0:
            gradients = tuple(gradient.clamp(-loss.clamp, loss.clamp) for gradient in gradients)
        ctx.save_for_backward(*gradients)
        return losses.detach()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, above: torch.Tensor) -> Any:
        scale = above.view(-1, 1, 1, 1)
        return *(gradient * scale for gradient in ctx.saved_tensors), None, None, None, None


def _log_probability(
    tokens: torch.Tensor,
    durations: torch.Tensor,
    labels: torch.Tensor,
    act_lens: torch.Tensor,
    label_lens: torch.Tensor,
    loss: TDTLoss,
) -> torch.Tensor:
    batch, frames, places, _ = tokens.shape
    tokens = tokens.log_softmax(-1) - loss.sigma
    blank = tokens[..., loss.blank]
    targets = labels[:, None, : places - 1, None].expand(-1, frames, -1, -1)
    label = tokens[:, :, :-1].gather(-1, targets).squeeze(-1)
    label = torch.nn.functional.pad(label, (0, 1), value=_IMPOSSIBLE)
    # What leaves a state by each duration, by diagonal: (diagonals, batch, places, durations).
    blanks = _by_diagonal(blank[..., None] + durations)
    written = _by_diagonal(label[..., None] + durations)

    impossible = tokens.new_full((batch, places), _IMPOSSIBLE)
    first = impossible.clone()
    first[:, 0] = 0.0
    reached = [first]
    for diagonal in range(1, frames + places - 1):
        arrivals = [impossible]
        for i, step in enumerate(loss.durations):
            if 0 < step <= diagonal:
                arrivals.append(reached[diagonal - step] + blanks[diagonal - step, ..., i])
            if step < diagonal:
                arrived = reached[diagonal - step - 1] + written[diagonal - step - 1, ..., i]
                arrivals.append(torch.nn.functional.pad(arrived[:, :-1], (1, 0), value=_IMPOSSIBLE))
        reached.append(torch.stack(arrivals).logsumexp(0))

    # The end: all tokens are written, and a blank steps just past the last frame.
    rows = torch.arange(batch)
    states = torch.stack(reached)
    ends = [impossible[:, 0]]
    for i, step in enumerate(loss.durations):
        if step:
            diagonals = (act_lens - step + label_lens).clamp(min=0)
            end = states[diagonals, rows, label_lens] + blanks[diagonals, rows, label_lens, i]
            ends.append(end.where(act_lens >= step, impossible[:, 0]))
    return torch.stack(ends).logsumexp(0)


def _by_diagonal(values: torch.Tensor) -> torch.Tensor:
    """Order (batch, frames, places, durations) by frame + place; frames that do not exist are impossible."""
    _, frames, places, _ = values.shape
    frame = torch.arange(frames + places - 1)[:, None] - torch.arange(places)
    found = values[:, frame.clamp(0, frames - 1), torch.arange(places)]
    exists = ((frame >= 0) & (frame < frames))[None, ..., None]
    return found.where(exists, values.new_tensor(_IMPOSSIBLE)).transpose(0, 1)
