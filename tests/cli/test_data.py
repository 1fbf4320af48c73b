from __future__ import annotations

from recdistill.cli.app import run
from recdistill.data.dataset import Dataset


def test_prepare_writes_a_dataset_and_inspect_reads_it(make_source, tmp_path, capsys):
    source = make_source(tmp_path)
    into = tmp_path / "prepared"
    arguments = ["data", "prepare", str(source), "--into", str(into)]
    assert run([*arguments, "--set", "split={kind: leave-one-out}"]) == 0
    told = capsys.readouterr().out
    assert "leave-one-out" in told
    assert "Each user is cut at another moment" in told
    assert run(["data", "inspect", str(into)]) == 0
    assert capsys.readouterr().out.strip() == told.strip().rsplit("\n", 1)[0]
    assert Dataset.open(into).num_items == 40


def test_the_dataset_of_a_configuration_can_be_inspected(
    make_source, tmp_path, capsys, monkeypatch
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    config = tmp_path / "run.yaml"
    config.write_text(f"dataset: {{source: {make_source(tmp_path)}, name: shop}}\nteacher: {{}}\n")
    assert run(["data", "inspect", str(config), "--set", "filters.min_user_events=5"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("dataset         shop")
    assert "0 without text" in told


def test_what_is_no_dataset_is_refused(tmp_path, capsys):
    config = tmp_path / "run.yaml"
    config.write_text("teacher: {}\n")
    assert run(["data", "inspect", str(config)]) == 2
    assert "no `dataset:` section" in capsys.readouterr().err
    assert run(["data", "inspect", "movielens-100q"]) == 3
    assert "Did you mean 'movielens-100k'?" in capsys.readouterr().err
    assert run(["data", "inspect", "x.csv", "--set", "colums={}"]) == 2
    assert "Did you mean 'columns'?" in capsys.readouterr().err
