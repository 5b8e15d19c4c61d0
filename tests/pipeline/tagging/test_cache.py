import pytest
import torch

from pipeline.tagging.cache import RaggedCache

HEADS, SIZE = 2, 3


def tokens(batch: int, count: int, first: float = 0.0) -> torch.Tensor:
    """Keys of tokens, batch × heads × tokens × size, no two alike."""
    return (first + 1 + torch.arange(batch * HEADS * count * SIZE)).reshape(batch, HEADS, count, SIZE).float()


def write(cache: RaggedCache, rows: list[int], slots: list[list[int]], visible: int, new: torch.Tensor):
    cache.aim(rows, torch.tensor(slots), visible)
    return cache.update(new, -new, 0)


@pytest.fixture()
def cache() -> RaggedCache:
    cache = RaggedCache(1)
    cache.shape(3, 10)
    return cache


def test_each_row_is_written_at_its_own_offset(cache):
    first = tokens(3, 2)
    write(cache, [0, 1, 2], [[0, 1]] * 3, 2, first)
    second = tokens(3, 1, 100)
    keys, values = write(cache, [0, 1, 2], [[2], [1], [0]], 3, second)
    assert torch.equal(values, -keys)
    assert torch.equal(keys[0], torch.cat([first[0], second[0]], 1))
    assert torch.equal(keys[1, :, :2], torch.stack([first[1, :, 0], second[1, :, 0]], 1))
    assert torch.equal(keys[2, :, :2], torch.stack([second[2, :, 0], first[2, :, 1]], 1))


def test_some_rows_pass_while_the_others_stay(cache):
    write(cache, [0, 1, 2], [[0]] * 3, 1, tokens(3, 1))
    new = tokens(2, 1, 100)
    keys, _ = write(cache, [0, 2], [[1], [1]], 2, new)
    assert torch.equal(keys[:, :, 1], new[:, :, 0])
    assert torch.equal(keys[:, :, 0], tokens(3, 1)[[0, 2], :, 0])
    keys, _ = write(cache, [1], [[1]], 2, tokens(1, 1, 200))
    assert torch.equal(keys[0, :, 0], tokens(3, 1)[1, :, 0])


def test_growing_keeps_what_is_there(cache):
    before = cache.slots
    first = tokens(3, 2)
    write(cache, [0, 1, 2], [[0, before - 2]] * 3, before - 1, first)
    cache.grow(before)
    assert cache.slots > before
    keys, _ = write(cache, [0, 1, 2], [[before]] * 3, before + 1, tokens(3, 1, 100))
    assert torch.equal(keys[:, :, [0, before - 2]], first)
    assert torch.equal(keys[:, :, before], tokens(3, 1, 100)[:, :, 0])
    assert not keys[:, :, 1 : before - 2].any()


def test_growing_to_what_fits_changes_nothing(cache):
    before = cache.slots
    cache.grow(before - 1)
    assert cache.slots == before


def test_buffers_are_reused_when_the_rows_are_divided_anew(cache):
    write(cache, [0, 1, 2], [[0]] * 3, 1, tokens(3, 1))
    buffer = cache.layers[0].keys
    cache.shape(2, 10)
    write(cache, [0, 1], [[0]] * 2, 1, tokens(2, 1))
    assert cache.layers[0].keys is buffer
    cache.shape(8, 10)
    keys, _ = write(cache, list(range(8)), [[0]] * 8, 1, tokens(8, 1))
    assert torch.equal(keys, tokens(8, 1))
    assert len(cache.layers[0].keys) == 8 * cache.slots


@pytest.mark.parametrize("rows", [[0, 1, 2], [1], [0, 2]])
def test_a_prefix_is_copied_into_rows(cache, rows: list[int]):
    first = tokens(3, 4)
    write(cache, [0, 1, 2], [[0, 1, 2, 3]] * 3, 4, first)
    cache.paste(cache.copy(1, 3), rows)
    keys, values = write(cache, [0, 1, 2], [[4]] * 3, 5, tokens(3, 1, 100))
    for row in range(3):
        kept = first[1 if row in rows else row, :, :3]
        assert torch.equal(keys[row, :, :3], kept)
        assert torch.equal(values[row, :, :3], -kept)
        assert torch.equal(keys[row, :, 3], first[row, :, 3])


def test_a_copy_is_not_touched_by_later_writing(cache):
    write(cache, [0, 1, 2], [[0]] * 3, 1, tokens(3, 1))
    kept = cache.copy(0, 1)
    write(cache, [0, 1, 2], [[0]] * 3, 1, tokens(3, 1, 100))
    assert torch.equal(kept.keys[0][0], tokens(3, 1)[0, :, 0])


def test_a_cleared_row_is_all_zeros(cache):
    write(cache, [0, 1, 2], [[0]] * 3, 1, tokens(3, 1) * torch.tensor([1.0, torch.nan, 1.0])[:, None, None, None])
    cache.clear(1)
    keys, values = write(cache, [0, 1, 2], [[1]] * 3, 2, tokens(3, 1))
    assert not keys[1, :, 0].any() and not values[1, :, 0].any()
    assert torch.equal(keys[[0, 2], :, 0], tokens(3, 1)[[0, 2], :, 0])


def test_a_model_reads_from_it_what_it_reads_from_the_cache_of_transformers(tagger_base, tagger_tokenizer):
    ids = torch.tensor([tagger_tokenizer("tell me about the patient, please")["input_ids"][:8]])
    cache = RaggedCache(tagger_base.config.num_hidden_layers)
    cache.shape(1, 8)
    rejected = ids.flip(1)
    with torch.inference_mode():
        expected = tagger_base(input_ids=ids).logits
        for tokens_, slots in ((ids[:, :3], [0, 1, 2]), (rejected[:, :4], [3, 4, 5, 6]), (ids[:, 3:], [3, 4, 5, 6, 7])):
            slot = torch.tensor([slots])
            visible = slots[-1] + 1
            cache.aim([0], slot, visible)
            mask = torch.zeros(1, 1, len(slots), visible)
            mask.masked_fill_(torch.arange(visible) > slot[:, None, :, None], torch.finfo(torch.float32).min)
            found = tagger_base(
                input_ids=tokens_, position_ids=slot, attention_mask=mask, past_key_values=cache, use_cache=True
            ).logits
    assert torch.allclose(found, expected[:, 3:], atol=1e-5)
