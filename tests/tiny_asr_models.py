"""Tiny recognisers of the real architectures, seeded and untrained.

What they write means nothing, but it goes the real way: real files, real loading, real decoding, real times.
"""

import tempfile
from pathlib import Path
from typing import Any

from pipeline.speech.whisper import token_to_bytes
from tests.parakeet_files import parakeet_config, write_sentencepiece
from tests.whisper_files import save_whisper, whisper_token_ids, whisper_tokenizer

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


def build_ctc(file: Path, characters: str = "", seed: int = 0) -> None:
    """Build a CTC model over a FastConformer of two layers and write it as a .nemo file.

    Args:
        file: Where it goes; the name ends in .nemo.
        characters: Its vocabulary. Without any, the pieces of a tokenizer of both languages.
        seed: Seed of the weights.
    """
    import torch
    from nemo.collections.asr.models import EncDecCTCModel, EncDecCTCModelBPE
    from nemo.utils import logging
    from omegaconf import OmegaConf

    logging.set_verbosity(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder, torch.random.fork_rng(devices=[]):
        config = parakeet_config(folder)
        kept = ("sample_rate", "preprocessor", "encoder") + (() if characters else ("tokenizer",))
        head = {"feat_in": 64, "num_classes": len(characters) or -1, "vocabulary": list(characters)}
        config = {name: config[name] for name in kept} | {
            "decoder": {"_target_": "nemo.collections.asr.modules.ConvASRDecoder", **head}
        }
        if not characters:
            write_sentencepiece(Path(folder), SENTENCES, 240)
        torch.manual_seed(seed)
        model = (EncDecCTCModel if characters else EncDecCTCModelBPE)(cfg=OmegaConf.create(config))
        model.save_to(str(file))


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
