"""Forced alignment: words of a known text get the times at which a CTC model hears them in the sound."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import opencc

from pipeline.errors import UserError
from pipeline.speech.audio import SAMPLE_RATE
from pipeline.speech.batches import in_batches
from pipeline.speech.parakeet import load_nemo
from pipeline.speech.words import SHORTEST_S, WORD, Transcript, Word, Writer, mended_times

if TYPE_CHECKING:
    import torch

_BATCH_SECONDS = 240.0
_UNKNOWN = math.inf, -math.inf  # no time, which mended_times replaces
_TAIL_S = 0.16  # CTC models hear a token where it begins


@dataclass(frozen=True)
class Token:
    """A token of a CTC model, and the characters of a text that it stands for.

    Attributes:
        id: Index in the model's vocabulary.
        char_start: Index of the first character.
        char_end: Index after the last one.
    """

    id: int
    char_start: int
    char_end: int


class Aligned:
    """An ASR model whose words get their times from forced alignment.

    Args:
        transcriber: The model.
        aligner: What aligns its transcripts.
    """

    def __init__(self, transcriber: Writer, aligner: "Aligner"):
        self.name = transcriber.name
        self._transcriber = transcriber
        self._aligner = aligner

    def english(self, batch: Sequence[np.ndarray]) -> list[float]:
        """Return the probability that a segment is English, for each."""
        return self._transcriber.english(batch)

    def transcribe(self, batch: Sequence[np.ndarray], english: Sequence[float] | None = None) -> list[Transcript]:
        """Transcribe segments (float32, mono, 16 kHz, at most 30 s), one transcript each, in order."""
        return self._aligner.align(batch, self._transcriber.transcribe(batch, english))


class Aligner:
    """NeMo's forced aligner. Creating it imports NeMo, which takes about 20 s.

    Args:
        model: A .nemo file with a CTC model, or with a hybrid one.
        device: ``cuda`` or ``cpu``. By default, the GPU if there is one.

    Raises:
        UserError: The model cannot align.
    """

    def __init__(self, model: str, device: str | None = None):
        self._model = load_nemo(model, device).float()
        self._head = ctc_head(self._model)
        if self._head is None:
            raise UserError(
                f"--aligner {model} cannot align: it has no CTC head for characters or SentencePiece tokens, such as "
                "nvidia/stt_zh_citrinet_512 and nvidia/parakeet-tdt_ctc-110m have."
            )
        self._vocabulary = Vocabulary(self._model, self._head.vocabulary)

    def align(self, batch: Sequence[np.ndarray], transcripts: Sequence[Transcript]) -> list[Transcript]:
        """Give the words of transcripts the times at which they are heard.

        Args:
            batch: Segments (float32, mono, 16 kHz, at least 0.1 s and as long as the model's memory allows).
            transcripts: What was written of each, by whatever model or person.

        Returns:
            The same transcripts with other times. A word of which the model's vocabulary has no character gets a time
            between its neighbours. A transcript of which it has none at all, or that has more tokens than the segment
            has frames, stays as it is.
        """
        aligned = list(transcripts)
        with_text = [place for place, transcript in enumerate(transcripts) if transcript.text]
        for group in in_batches([len(batch[place]) / SAMPLE_RATE for place in with_text], _BATCH_SECONDS):
            places = [with_text[number] for number in group]
            heard, frame_s = self._hear([batch[place] for place in places])
            tokens = [self._vocabulary.tokens(transcripts[place].text) for place in places]
            frames = token_frames(heard, [[token.id for token in some] for some in tokens])
            for place, some, theirs in zip(places, tokens, frames, strict=True):
                times = [(start * frame_s, end * frame_s) for start, end in theirs]
                if times:
                    aligned[place] = with_times(transcripts[place], some, times, len(batch[place]) / SAMPLE_RATE)
        return aligned

    def _hear(self, batch: Sequence[np.ndarray]) -> tuple[list["torch.Tensor"], float]:
        """Return the log probabilities of each segment, (frames, tokens and blank), and the seconds of a frame."""
        import torch

        lengths = torch.tensor([len(audio) for audio in batch])
        sound = torch.zeros(len(batch), max(int(lengths.max()), SAMPLE_RATE))
        for row, audio in zip(sound, batch, strict=True):
            row[: len(audio)] = torch.from_numpy(audio)
        with torch.inference_mode():
            # A segment that is shorter than a second counts with the silence behind it, as for Parakeet.
            features, counts = self._model.preprocessor(
                input_signal=sound.to(self._model.device), length=lengths.clamp(min=SAMPLE_RATE).to(self._model.device)
            )
            encoded, encoded_counts = self._model.encoder(audio_signal=features, length=counts)
            log_probs = self._head(encoder_output=encoded).float().cpu()
        steps = round(int(counts.max()) / int(encoded_counts.max()))
        frame_s = steps * float(self._model.cfg.preprocessor.window_stride)
        inside = torch.ceil(lengths / SAMPLE_RATE / frame_s).long().minimum(encoded_counts.cpu())
        return [rows[:count] for rows, count in zip(log_probs, inside.tolist(), strict=True)], frame_s


class Vocabulary:
    """The tokens of a CTC model: characters, or the pieces of a SentencePiece tokenizer.

    Args:
        model: The model.
        tokens: Its tokens.
    """

    def __init__(self, model: Any, tokens: Sequence[str]):
        tokenizer = getattr(model, "tokenizer", None)
        self._pieces = tokenizer.tokenizer if tokenizer else None
        self._ids = {token: index for index, token in enumerate(tokens)}
        self._known = set("".join(tokens))
        self._converters = [opencc.OpenCC("t2s"), opencc.OpenCC("s2t")]

    def tokens(self, text: str) -> list[Token]:
        """Split a text into tokens, without the characters that no token has; empty if only spaces have one."""
        spelled = "".join(map(self._spell, text))
        if self._pieces:
            found = self._pieces.encode(spelled, out_type="offset_mapping")
            pairs = list(zip(found["ids"], found["offsets"], strict=True))
            tokens = [Token(id_, *span) for id_, span in pairs if id_ != self._pieces.unk_id()]
        else:
            tokens = [Token(self._ids[c], place, place + 1) for place, c in enumerate(spelled) if c in self._ids]
        return tokens if any(text[token.char_start : token.char_end].strip() for token in tokens) else []

    def _spell(self, character: str) -> str:
        """Return a character as the model writes it: small, or in the other Chinese script, if it is not known."""
        spellings = [character, character.lower(), *(converter.convert(character) for converter in self._converters)]
        return next((spelling for spelling in spellings if spelling in self._known), character)


def ctc_head(model: Any) -> Any:
    """Return the CTC head of a NeMo model, or None if it has none whose tokens ``Vocabulary`` knows."""
    from nemo.collections.asr.modules import ConvASRDecoder
    from nemo.collections.common.tokenizers import SentencePieceTokenizer

    head = getattr(model, "ctc_decoder", None) or getattr(model, "decoder", None)
    tokenizer = getattr(model, "tokenizer", None)
    fits = isinstance(head, ConvASRDecoder) and (tokenizer is None or isinstance(tokenizer, SentencePieceTokenizer))
    return head if fits else None


def token_frames(log_probs: Sequence["torch.Tensor"], tokens: Sequence[Sequence[int]]) -> list[list[tuple[int, int]]]:
    """Find the most probable frames of each token in CTC's alignment of texts.

    Args:
        log_probs: For each text, log probabilities of shape (frames, tokens of the vocabulary and, last, the blank).
        tokens: The tokens of each text.

    Returns:
        For each text, the first frame of each token and the one after its last. Empty for a text without tokens, or
        with more tokens than frames (and a frame for the blank between two that are the same).
    """
    import torch
    from nemo.collections.asr.parts.utils.aligner_utils import viterbi_decoding

    found: list[list[tuple[int, int]]] = [[] for _ in tokens]
    fitting = [
        place
        for place, some in enumerate(tokens)
        if some and len(some) + sum(map(int.__eq__, some, some[1:])) <= len(log_probs[place])
    ]
    if not fitting:
        return found
    padding = log_probs[0].shape[1]
    blank = padding - 1
    # States of CTC's path: a blank, then each token with a blank behind it.
    states = [
        torch.tensor([blank, *(state for token in tokens[place] for state in (token, blank))]) for place in fitting
    ]
    paths = viterbi_decoding(
        torch.nn.utils.rnn.pad_sequence(
            [log_probs[place] for place in fitting], batch_first=True, padding_value=-3.4e38
        ),
        torch.nn.utils.rnn.pad_sequence(states, batch_first=True, padding_value=padding),
        torch.tensor([len(log_probs[place]) for place in fitting]),
        torch.tensor([len(some) for some in states]),
        torch.device("cpu"),
    )
    for place, path in zip(fitting, paths, strict=True):
        spans: list[list[int]] = [[] for _ in tokens[place]]
        for frame, state in enumerate(path):
            if state % 2:
                spans[state // 2].append(frame)
        found[place] = [(frames[0], frames[-1] + 1) for frames in spans]
    return found


def with_times(
    transcript: Transcript, tokens: Sequence[Token], times: Sequence[tuple[float, float]], duration_s: float
) -> Transcript:
    """Give the words of a transcript the times of its tokens.

    Args:
        transcript: The transcript; its words are found anew if it has none.
        tokens: Tokens of its text, in order.
        times: Start and end of each in seconds. The characters of a token share its time evenly.
        duration_s: Duration of the segment in seconds.

    Returns:
        The same words with other times: in order, within the segment, each of them with some length. One whose
        follower is heard too lasts up to it, though not much longer than its last token.
    """
    of_characters = [_UNKNOWN] * len(transcript.text)
    for token, (start_s, end_s) in zip(tokens, times, strict=True):
        places = [place for place in range(token.char_start, token.char_end) if not transcript.text[place].isspace()]
        step = (end_s - start_s) / max(len(places), 1)
        for number, place in enumerate(places):
            of_characters[place] = start_s + number * step, start_s + (number + 1) * step
    words = transcript.words or [
        Word(match.group(), *match.span(), *_UNKNOWN) for match in WORD.finditer(transcript.text)
    ]
    heard = []
    for word in words:
        known = [time for time in of_characters[word.char_start : word.char_end] if time != _UNKNOWN]
        heard.append((known[0][0], known[-1][1]) if known else _UNKNOWN)
    followers = [start_s for start_s, _ in heard[1:]] + [duration_s]
    heard = [
        (start_s, max(end_s, min(end_s + _TAIL_S, after)) if after < math.inf else end_s)
        for (start_s, end_s), after in zip(heard, followers, strict=True)
    ]
    timed = []
    for word, (start_s, end_s) in zip(words, mended_times(heard, duration_s), strict=True):
        start_s = round(min(start_s, duration_s - SHORTEST_S), 3)
        timed.append(replace(word, start_s=start_s, end_s=round(max(end_s, start_s + SHORTEST_S), 3)))
    return replace(transcript, words=timed)
