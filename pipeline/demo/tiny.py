"""Tiny recognisers of the real architectures, seeded and untrained: for tests, and for a demo without a download.

What they write means nothing, but it goes the real way: real files, real loading, real decoding, real times.
"""

import json
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pipeline.speech.whisper import token_to_bytes

SENTENCES = (
    "Good morning, I am the nurse who called you on Tuesday.",
    "The patient is sixty two years old and lives in Taichung.",
    "She takes two tablets every evening after dinner.",
    "Please bring your health card to the clinic next Friday.",
    "My son drove me here because my left knee still hurts.",
    "Doctor Chang will look at the blood test on the ninth of March.",
    "How long have you had this cough?",
    "The appointment is at half past three in room twelve.",
    "醫師您好，我是王先生的女兒。",
    "請問您最近睡得好不好？",
    "我媽媽上個星期三在臺中的醫院開刀。",
    "這個藥早上和晚上各吃一顆。",
    "下個月十五號再回來看報告。",
    "您的電話號碼是幾號？",
    "她今年六十八歲，以前是國小老師。",
    "我們先抽血，再做心電圖。",
)
"""What the tokenizers are trained on."""

_TIMESTAMPS = 1501
_NEVER = -50.0


def build_whisper(folder: Path, seed: int = 0, window_s: int = 8) -> None:
    """Build a Whisper of two decoder layers and write it as a Transformers folder.

    Args:
        folder: Where its files go.
        seed: Seed of the weights.
        window_s: Length of its window in seconds.
    """
    import torch
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    tokenizer = whisper_tokenizer(SENTENCES, 480)
    config = WhisperConfig(
        **whisper_token_ids(tokenizer),
        vocab_size=len(tokenizer),
        encoder_layers=1,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        d_model=32,
        max_source_positions=window_s * 50,
        max_target_positions=448,
        init_std=0.3,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = WhisperForConditionalGeneration(config)
        _steer(model, tokenizer, window_s)
    save_whisper(folder, model, tokenizer, alignment_heads=[[1, 0], [1, 1]], max_new_tokens=20)


def whisper_token_ids(tokenizer: Any) -> dict[str, Any]:
    """Return the special tokens that the configurations of a Whisper name."""
    end, start = tokenizer.convert_tokens_to_ids(["<|endoftext|>", "<|startoftranscript|>"])
    return {"bos_token_id": end, "eos_token_id": end, "pad_token_id": end, "decoder_start_token_id": start}


def save_whisper(
    folder: Path, model: Any, tokenizer: Any, alignment_heads: list[list[int]], max_new_tokens: int
) -> None:
    """Write a Whisper as a Transformers folder, all that decoding needs beside the weights.

    Args:
        folder: Where its files go.
        model: The model; its dtype is that of the file.
        tokenizer: Its tokenizer, as ``whisper_tokenizer`` makes it.
        alignment_heads: Layer and head of the cross-attention that gives words their times.
        max_new_tokens: The most tokens that it writes in a window.
    """
    from transformers import GenerationConfig, WhisperFeatureExtractor

    ids = tokenizer.get_vocab()
    special = whisper_token_ids(tokenizer)
    no_timestamps = ids["<|notimestamps|>"]
    specials_not_written = [ids["<|startoftranscript|>"], *range(ids["<|translate|>"], no_timestamps)]
    model.generation_config = GenerationConfig(
        **special,
        max_new_tokens=max_new_tokens,
        is_multilingual=True,
        lang_to_id={f"<|{code}|>": ids[f"<|{code}|>"] for code in _languages()},
        task_to_id={"transcribe": ids["<|transcribe|>"], "translate": ids["<|translate|>"]},
        no_timestamps_token_id=no_timestamps,
        prev_sot_token_id=ids["<|startofprev|>"],
        alignment_heads=alignment_heads,
        max_initial_timestamp_index=50,
        suppress_tokens=sorted({*_noise_tokens(tokenizer), *specials_not_written}),
        begin_suppress_tokens=[ids["Ġ"], special["eos_token_id"]],
        return_timestamps=False,
    )
    window_s = model.config.max_source_positions // 50
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    WhisperFeatureExtractor(feature_size=model.config.num_mel_bins, chunk_length=window_s).save_pretrained(folder)


def _noise_tokens(tokenizer: Any) -> tuple[int, ...]:
    """Tokens of brackets, notes and the like, which Whisper is kept from writing."""
    from faster_whisper.tokenizer import Tokenizer

    return Tokenizer(tokenizer.backend_tokenizer, True, "transcribe", "zh").non_speech_tokens


def _languages() -> list[str]:
    from transformers.models.whisper.tokenization_whisper import LANGUAGES

    return list(LANGUAGES)


def whisper_tokenizer(texts: Iterable[str], vocab_size: int) -> Any:
    """Train a byte-level BPE and put Whisper's special tokens behind it, in Whisper's order.

    Args:
        texts: What it is trained on.
        vocab_size: Tokens of the BPE, the 256 bytes among them.
    """
    from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, trainers
    from transformers import WhisperTokenizer

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, initial_alphabet=alphabet, show_progress=False)
    bpe.train_from_iterator(texts, trainer)
    trained = json.loads(bpe.to_str())["model"]
    vocab, merges = trained["vocab"], [tuple(merge) for merge in trained["merges"]]
    specials = [
        "<|startoftranscript|>",
        *(f"<|{code}|>" for code in _languages()),
        *("<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"),
    ]
    # OpenAI's multilingual vocabulary has an empty token, and CTranslate2 knows a multilingual model by that.
    vocab[""] = len(vocab)
    tokenizer = WhisperTokenizer(vocab=vocab, merges=merges)
    tokenizer.add_special_tokens({"extra_special_tokens": specials})
    tokenizer.add_tokens([AddedToken(f"<|{i * 0.02:.2f}|>", normalized=False) for i in range(_TIMESTAMPS)])
    return tokenizer


def _steer(model: Any, tokenizer: Any, window_s: int) -> None:
    """Make random weights write like Whisper: short text, mostly whole characters, in Chinese or Latin letters.

    Three features of the decoder are set apart. The first is a constant, so that a token's own weight on it is its
    bias; the second grows with the position and calls the end; the third hears the recording and chooses between
    Chinese and Latin letters. Input and output embeddings are one matrix, so this is all there is to set.
    """
    import torch

    decoder = model.model.decoder
    ids = tokenizer.get_vocab()
    end, first_timestamp = ids["<|endoftext|>"], ids["<|0.00|>"]
    with torch.no_grad():
        for layer in decoder.layers:
            for writer in (layer.self_attn.out_proj, layer.encoder_attn.out_proj, layer.fc2):
                writer.weight[:3] = 0.0
                writer.bias[:3] = 0.0
        hears = decoder.layers[-1].encoder_attn.out_proj
        hears.weight[2] = 3.0 * torch.randn(hears.in_features)
        places = decoder.embed_positions.weight
        places *= 4.0  # or one token repeats itself for ever
        places[:, :3] = 0.0
        places[:, 1] = 0.4 * (torch.arange(len(places)) % 32)  # again and again, for there may be a prompt
        decoder.layer_norm.weight[0], decoder.layer_norm.bias[0] = 0.0, 1.0
        embedding = decoder.embed_tokens.weight
        embedding[:, :3] = 0.0
        embedding[end, 1] = 4.0
        embedding[end + 1 : first_timestamp, 0] = _NEVER
        embedding[first_timestamp:, 0] = -4.0
        embedding[first_timestamp + 50 * window_s + 1 :, 0] = _NEVER
        for token, index in ids.items():
            if not token:
                embedding[index, 0] = _NEVER
            elif index < end:
                text = token_to_bytes(token).decode(errors="replace")
                latin = text.isascii()
                embedding[index, 2] = -2.0 if latin else 2.0
                word = text[0] == " " and text.strip().isalpha() if latin else "\ufffd" not in text
                embedding[index, 0] = 0.0 if word else -2.0
        # What is heard in noise and tones of all kinds is the middle between the languages.
        heard: list[torch.Tensor] = []
        hook = hears.register_forward_hook(lambda module, inputs, output: heard.append(output[:, -1, 2]))
        start = torch.tensor([[ids["<|startoftranscript|>"], ids["<|zh|>"], ids["<|transcribe|>"], first_timestamp]])
        sounds = torch.randn(16, 80, 1).cumsum(1) / 9 + 0.3 * torch.randn(16, 80, 100 * window_s)
        model.eval()(input_features=sounds, decoder_input_ids=start.expand(16, -1))
        hook.remove()
        hears.bias[2] = -torch.cat(heard).median()


def build_parakeet(file: Path, seed: int = 0) -> None:
    """Build a FastConformer-TDT of two layers and write it as a .nemo file.

    Args:
        file: Where it goes; the name ends in .nemo.
        seed: Seed of the weights.
    """
    import torch
    from nemo.collections.asr.models import EncDecRNNTBPEModel
    from nemo.utils import logging
    from omegaconf import OmegaConf

    logging.set_verbosity(logging.ERROR)
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, torch.random.fork_rng(devices=[]):
        write_sentencepiece(Path(folder), [sentence for sentence in SENTENCES if sentence.isascii()], 96)
        torch.manual_seed(seed)
        model = EncDecRNNTBPEModel(cfg=OmegaConf.create(parakeet_config(folder)))
        _steer_parakeet(model)
        model.save_to(str(file))


def write_sentencepiece(folder: Path, texts: Iterable[str], vocab_size: int) -> None:
    """Train a SentencePiece tokenizer and write tokenizer.model and vocab.txt, as NeMo wants them."""
    import sentencepiece

    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_prefix=str(folder / "tokenizer"),
        vocab_size=vocab_size,
        model_type="bpe",
        bos_id=-1,
        eos_id=-1,
        pad_id=-1,
        minloglevel=2,
    )
    tokens = sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
    words = [tokens.id_to_piece(i) for i in range(1, len(tokens))]
    lines = [word[1:] or "▁" if word.startswith("▁") else f"##{word}" for word in words]
    (folder / "vocab.txt").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def parakeet_config(tokenizer: str, width: int = 64, layers: int = 2, channels: int = 32) -> dict[str, Any]:
    """Return NeMo's configuration of a small Parakeet.

    Args:
        tokenizer: Folder of its tokenizer.
        width: Size of all hidden states.
        layers: Of the encoder.
        channels: Of the convolutions in front of it.
    """
    durations = list(range(5))
    data = {"sample_rate": 16000, "batch_size": 8, "shuffle": False, "num_workers": 0, "pin_memory": False}
    return {
        "sample_rate": 16000,
        "model_defaults": {
            "enc_hidden": width,
            "pred_hidden": width,
            "joint_hidden": width,
            "tdt_durations": durations,
            "num_tdt_durations": len(durations),
        },
        "train_ds": {**data, "manifest_filepath": None, "shuffle": True},
        "validation_ds": {**data, "manifest_filepath": None},
        "tokenizer": {"dir": tokenizer, "type": "bpe"},
        "preprocessor": {
            "_target_": "nemo.collections.asr.modules.AudioToMelSpectrogramPreprocessor",
            "sample_rate": 16000,
            "normalize": "per_feature",
            "window_size": 0.025,
            "window_stride": 0.01,
            "window": "hann",
            "features": 80,
            "n_fft": 512,
            "log": True,
            "frame_splicing": 1,
            "dither": 0.0,
            "pad_to": 0,
        },
        "spec_augment": {
            "_target_": "nemo.collections.asr.modules.SpectrogramAugmentation",
            "freq_masks": 2,
            "time_masks": 10,
            "freq_width": 27,
            "time_width": 0.05,
        },
        "encoder": {
            "_target_": "nemo.collections.asr.modules.ConformerEncoder",
            "feat_in": 80,
            "feat_out": -1,
            "n_layers": layers,
            "d_model": width,
            "subsampling": "dw_striding",
            "subsampling_factor": 8,
            "subsampling_conv_channels": channels,
            "causal_downsampling": False,
            "ff_expansion_factor": 4,
            "self_attention_model": "rel_pos",
            "n_heads": 4,
            "att_context_size": [-1, -1],
            "xscaling": False,
            "untie_biases": True,
            "pos_emb_max_len": 5000,
            "conv_kernel_size": 9,
            "conv_norm_type": "batch_norm",
            "dropout": 0.0,
            "dropout_pre_encoder": 0.0,
            "dropout_emb": 0.0,
            "dropout_att": 0.0,
        },
        "decoder": {
            "_target_": "nemo.collections.asr.modules.RNNTDecoder",
            "normalization_mode": None,
            "random_state_sampling": False,
            "blank_as_pad": True,
            "prednet": {"pred_hidden": width, "pred_rnn_layers": 1, "t_max": None, "dropout": 0.0},
        },
        "joint": {
            "_target_": "nemo.collections.asr.modules.RNNTJoint",
            "log_softmax": None,
            "preserve_memory": False,
            "fuse_loss_wer": False,
            "num_extra_outputs": len(durations),
            "jointnet": {"joint_hidden": width, "activation": "relu", "dropout": 0.0},
        },
        "decoding": {
            "strategy": "greedy_batch",
            "model_type": "tdt",
            "durations": durations,
            "greedy": {"max_symbols": 10},
        },
        "loss": {
            "loss_name": "tdt",
            "tdt_kwargs": {
                "fastemit_lambda": 0.0,
                "clamp": -1.0,
                "durations": durations,
                "sigma": 0.02,
                "omega": 0.1,
            },
        },
        "optim": {"name": "adamw", "lr": 1e-3, "betas": [0.9, 0.98], "weight_decay": 1e-3},
    }


def _steer_parakeet(model: Any) -> None:
    """Make random weights write like Parakeet: words that hang on what is heard, blanks between, steps in time."""
    import torch

    joint, blank = model.joint, len(model.tokenizer.vocab)
    model.eval()
    with torch.no_grad():
        noise = torch.randn(4, 32000)
        heard, _ = model(input_signal=noise, input_signal_length=torch.full((4,), 32000))
        frames = heard.transpose(1, 2).flatten(0, 1)
        # Untrained, all frames are nearly alike: what they share goes, what tells them apart grows.
        joint.enc.weight *= 3.0 / frames.std(0).mean()
        joint.enc.bias[:] = -joint.enc.weight @ frames.mean(0)
        output = joint.joint_net[-1]
        output.bias[:] = 0.0
        output.weight *= 4.0
        output.weight[blank:] *= 0.1
        output.bias[:blank] = torch.tensor([float(token.startswith("▁")) for token in model.tokenizer.vocab])
        output.bias[blank] = 3.0
        output.bias[-1] = 1.0
