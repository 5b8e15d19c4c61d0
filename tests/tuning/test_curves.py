"""Metrics of a training, as rows and as a picture."""

from tuning.curves import METRICS, Metrics, draw, lowest


def test_metrics_go_on_where_an_earlier_part_ended(tmp_path):
    first = Metrics(tmp_path)
    first.add(0, 0.0, valid_wer=1.0)
    first.add(10, 0.5, train_loss=3.0, learning_rate=1e-4)
    first.add(20, 1.0, valid_wer=0.5, valid_loss=float("nan"))
    then = Metrics(tmp_path, first.table().to_pylist())
    then.add(40, 2.0, valid_wer=0.5)
    table = then.table()
    assert table.schema == METRICS
    assert [(row["step"], row["name"]) for row in table.to_pylist()] == [
        (0, "valid_wer"),
        (10, "train_loss"),
        (10, "learning_rate"),
        (20, "valid_wer"),
        (40, "valid_wer"),
    ], "what is no number is left out"
    seconds = table["seconds"].to_pylist()
    assert seconds == sorted(seconds)
    assert lowest(table, "valid_wer") == (20, 0.5)
    assert len(list(tmp_path.glob("events.out.tfevents.*"))) == 2


def test_curves_are_a_picture_with_or_without_an_error_rate(tmp_path):
    metrics = Metrics(tmp_path)
    metrics.add(0, 0.0, valid_loss=3.0)
    metrics.add(10, 1.0, train_loss=2.0, valid_loss=2.5)
    draw(metrics.table(), 10, "an adapter", tmp_path / "loss.png")
    metrics.add(10, 1.0, valid_wer=0.2)
    draw(metrics.table(), 10, "Parakeet", tmp_path / "both.png")
    loss, both = ((tmp_path / name).read_bytes() for name in ("loss.png", "both.png"))
    assert loss.startswith(b"\x89PNG") and both.startswith(b"\x89PNG") and loss != both
