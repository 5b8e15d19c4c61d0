"""Each card gets one actor of each model, and what does not fit is refused before it is waited for."""

import pytest

from pipeline.errors import UserError
from pipeline.placement import Node, place
from pipeline.settings import PROFILES, Pool

MODELS = ("whisper", "parakeet", "tagger")


def same(pool: Pool) -> dict[str, Pool]:
    return dict.fromkeys(MODELS, pool)


@pytest.mark.parametrize("nodes", [[Node(16, 4)], [Node(4, 1)] * 4, [Node(32, 3), Node(8, 1), Node(8, 0)]])
def test_each_card_gets_one_actor_of_each_model(nodes):
    placement = place(PROFILES["rtx4090"].pools, nodes)
    assert {model: sorted(cards) for model, cards in placement.cards.items()} == {key: [0, 1, 2, 3] for key in MODELS}
    assert placement.bundles == [{"GPU": 1.0, "CPU": 3.0}] * 4


def test_a_model_that_needs_a_whole_card_gets_one_and_the_others_share_the_rest():
    third = Pool(num_gpus=0.33, num_cpus=1.0)
    pools = {"whisper": third, "parakeet": third, "tagger": Pool(actors=1, num_gpus=1.0)}
    pools = {model: Pool(1, pool.num_gpus, pool.num_cpus) for model, pool in pools.items()}
    placement = place(pools, [Node(8, 2)])
    (of_tagger,), (of_whisper,) = placement.cards["tagger"], placement.cards["whisper"]
    assert of_tagger != of_whisper and placement.cards["parakeet"] == placement.cards["whisper"]


def test_without_gpus_there_is_an_actor_of_each_model_and_nothing_is_reserved():
    placement = place(PROFILES["demo"].pools, [Node(2, 0)])
    assert placement.cards == {key: [None] for key in MODELS} and not placement.bundles


@pytest.mark.parametrize(
    ("pool", "nodes", "says"),
    [
        (Pool(num_gpus=0.5), [Node(8, 0)], r"ask for GPUs \(whisper 1 x 0.5, .* fit on the 0 that Ray has"),
        (Pool(num_gpus=0.6, actors=1), [Node(48, 2)], r"ask for GPUs .* fit on the 2 that Ray has"),
        (Pool(actors=100), [Node(4, 0)], r"ask for CPUs \(whisper 100 x 0.25, .* fit .* on the 4 that Ray has"),
        (Pool(num_gpus=0.33, num_cpus=2.0), [Node(2, 1), Node(16, 0)], r"ask for CPUs .* that Ray has"),
    ],
)
def test_what_does_not_fit_is_one_sentence(pool, nodes, says):
    with pytest.raises(UserError, match=says):
        place(same(pool), nodes)
