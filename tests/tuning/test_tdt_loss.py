"""The TDT loss on a CPU: NeMo's, value and gradient."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import UserError
from tuning.asr import load
from tuning.tdt_loss import TDTLoss, replace_loss

TOKENS = 5
BLANK = TOKENS


@pytest.fixture(autouse=True, scope="module")
def reference_without_cuda():
    """NeMo's reference moves single numbers to CUDA: here they stay where they are."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(torch.Tensor, "cuda", lambda tensor: tensor)
        yield


@st.composite
def batches(draw):
    durations = draw(st.sampled_from([[0, 1], [0, 1, 2, 3, 4], [0, 1, 3], [1, 2]]))
    sizes = draw(st.lists(st.tuples(st.integers(1, 7), st.integers(0, 4)), min_size=1, max_size=3))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    frames, tokens = (torch.tensor(lengths) for lengths in zip(*sizes, strict=True))
    shape = (len(sizes), int(frames.max()), int(tokens.max()) + 1, TOKENS + 1 + len(durations))
    acts = 2 * torch.randn(shape, generator=generator)
    labels = torch.randint(TOKENS, (len(sizes), int(tokens.max())), generator=generator)
    return durations, acts, labels, frames, tokens


def losses_and_gradient(loss, acts, *others):
    acts = acts.clone().requires_grad_()
    losses = loss(acts=acts, labels=others[0], act_lens=others[1], label_lens=others[2])
    (losses * torch.arange(1, len(losses) + 1)).sum().backward()
    return losses.detach(), acts.grad


@settings(max_examples=25)
@given(batches(), st.sampled_from([0.0, 0.05]))
def test_losses_and_gradients_are_those_of_nemos_reference(batch, sigma):
    from nemo.collections.asr.losses.rnnt_pytorch import TDTLossPytorch

    durations, *rest = batch
    ours, gradient = losses_and_gradient(TDTLoss(BLANK, durations, sigma), *rest)
    theirs, expected = losses_and_gradient(TDTLossPytorch(BLANK, durations, reduction=None, sigma=sigma), *rest)
    possible = theirs < 500  # NeMo's reference counts what cannot be aligned as a loss of about 1000
    assert torch.equal(possible, ours < 500)
    torch.testing.assert_close(ours[possible], theirs[possible], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(gradient[possible], expected[possible], rtol=1e-4, atol=1e-4)


@settings(max_examples=20)
@given(batches())
def test_what_stands_behind_the_end_of_a_recording_or_transcript_does_not_count(batch):
    durations, acts, labels, frames, tokens = batch
    alone = [
        TDTLoss(BLANK, durations)(
            acts[i : i + 1, :t, : u + 1], labels[i : i + 1, :u], frames[i : i + 1], tokens[i : i + 1]
        )
        for i, (t, u) in enumerate(zip(frames, tokens, strict=True))
    ]
    torch.testing.assert_close(TDTLoss(BLANK, durations)(acts, labels, frames, tokens), torch.cat(alone))


def test_a_transcript_that_cannot_be_aligned_has_a_finite_gradient():
    acts, labels = torch.zeros(1, 1, 4, TOKENS + 2, requires_grad=True), torch.zeros(1, 3, dtype=torch.long)
    loss = TDTLoss(BLANK, [1])(acts, labels, torch.tensor([1]), torch.tensor([3]))
    loss.sum().backward()
    assert loss.item() > 1e20 and acts.grad.isfinite().all()


def test_gradients_of_tokens_are_clamped_before_they_are_scaled():
    torch.manual_seed(0)
    acts, labels = 3 * torch.randn(2, 4, 3, TOKENS + 3), torch.randint(TOKENS, (2, 2))
    lengths = torch.tensor([4, 3]), torch.tensor([2, 1])
    _, free = losses_and_gradient(TDTLoss(BLANK, [0, 1]), acts, labels, *lengths)
    _, clamped = losses_and_gradient(TDTLoss(BLANK, [0, 1], clamp=0.1), acts, labels, *lengths)
    scale = torch.tensor([1.0, 2.0]).view(2, 1, 1, 1)
    expected = scale * (free / scale)[..., : BLANK + 1].clamp(-0.1, 0.1)
    torch.testing.assert_close(clamped[..., : BLANK + 1], expected)
    assert not torch.equal(free, clamped)


@pytest.mark.skipif(torch.cuda.is_available(), reason="with CUDA, NeMo's own loss is used")
def test_a_model_gets_it_with_its_own_settings_and_its_files_do_not_change(tiny_parakeet):
    from nemo.collections.asr.models import ASRModel

    model = ASRModel.restore_from(str(tiny_parakeet), map_location=torch.device("cpu"))
    before = list(model.state_dict())
    replace_loss(model)
    loss = model.loss._loss
    assert isinstance(loss, TDTLoss)
    assert (loss.blank, loss.durations, loss.sigma) == (len(model.tokenizer.vocab), [0, 1, 2, 3, 4], 0.02)
    assert list(model.state_dict()) == before


@pytest.mark.skipif(torch.cuda.is_available(), reason="with CUDA, NeMo's own loss is used")
def test_a_model_that_joins_a_few_recordings_at_a_time_has_the_same_loss(tiny_parakeet):
    """Parakeet does so, to save memory; the tiny models do not."""
    from nemo.collections.asr.models import ASRModel

    model = ASRModel.restore_from(str(tiny_parakeet), map_location=torch.device("cpu")).eval()
    replace_loss(model)
    torch.manual_seed(0)
    samples, lengths = torch.randn(5, 32_000), torch.tensor([32_000, 9_000, 30_000, 16_000, 24_000])
    texts, text_lengths = torch.randint(90, (5, 6)), torch.tensor([6, 2, 5, 3, 4])
    with torch.no_grad():
        encoded, encoded_lengths = model(input_signal=samples, input_signal_length=lengths)
        decoded, target_lengths, _ = model.decoder(targets=texts, target_length=text_lengths)
        joint = model.joint(encoder_outputs=encoded, decoder_outputs=decoded)
        whole = model.loss(log_probs=joint, targets=texts, input_lengths=encoded_lengths, target_lengths=target_lengths)
        model.joint.set_fuse_loss_wer(True, model.loss, model.wer)
        model.joint.set_fused_batch_size(2)
        fused, *_ = model.joint(
            encoder_outputs=encoded,
            decoder_outputs=decoded,
            encoder_lengths=encoded_lengths,
            transcripts=texts,
            transcript_lengths=text_lengths,
            compute_wer=False,
        )
    torch.testing.assert_close(fused, whole)


def test_kernels_that_cannot_be_compiled_are_one_sentence_before_the_training(tiny_parakeet, monkeypatch):
    if torch.cuda.is_available():
        pytest.skip("left out: it needs a machine without CUDA, where numba finds no compiler for it")
    model = load(tiny_parakeet)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with pytest.raises(UserError, match=r"^NeMo's loss cannot be compiled .*requirements-gpu.txt.*driver 580"):
        replace_loss(model)
