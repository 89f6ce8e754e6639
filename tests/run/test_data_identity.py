"""Two runs in one store whose data differ get results of their own, and whose data are the same share them."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from ablate import load_results, registry
from ablate.__main__ import main
from ablate.config import code, contents
from ablate.study.plan import plan_study
from tests import published

SMALL = ["depth=8", "width=0.25", "trainer.epochs=1", "augment=none", "optim.lr=0.02", "engine.slots=1"]
PICTURES = [
    *SMALL, "data=imagefolder", "data.classes=2", "data.size=16", "data.resize=null", "data.channels=1",
    "data.batch_size=20",
]  # fmt: skip
Run = Callable[..., int]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ablate.report.write_report", lambda *arguments: None)
    with registry.isolated():
        yield tmp_path


@pytest.fixture
def run() -> Run:
    """Run a command, as in a process of its own; gives how many cells it has trained."""

    def command(*arguments: str) -> int:
        for one in (code, contents):
            one.forget()
        before = set(Path().glob("runs/*/cells/*/log.txt"))
        assert main(list(arguments)) == 0
        return len(set(Path().glob("runs/*/cells/*/log.txt")) - before)

    return command


def pictures(root: str, seed: int) -> None:
    """Two classes of grey noise."""
    image = pytest.importorskip("PIL.Image", reason="needs Pillow")
    random = np.random.default_rng(seed)
    for part, count in (("train", 20), ("val", 10)):
        for name in "ab":
            folder = Path(root, part, name)
            folder.mkdir(parents=True, exist_ok=True)
            for number in range(count):
                pixels = random.integers(0, 256, (16, 16), dtype=np.uint8)
                image.fromarray(pixels).save(folder / f"{number}.png")


def losses() -> list[float]:
    return list(load_results("runs/single")["train/loss"])


def test_two_folders_of_pictures_have_results_of_their_own(run: Run) -> None:
    pictures("easy", 0)
    pictures("noise", 1)
    assert run(*PICTURES, "data.root=easy") == 1
    assert run(*PICTURES, "data.root=noise") == 1
    assert len(set(losses())) == 2
    assert run(*PICTURES, "data.root=easy") == 0
    assert len(losses()) == 2


def test_a_copy_of_a_folder_elsewhere_holds_the_same(run: Run) -> None:
    pictures("here", 0)
    shutil.copytree("here", "there")
    assert run(*PICTURES, "data.root=here") == 1
    assert run(*PICTURES, "data.root=there", "study.name=other") == 0
    assert load_results("runs/other")["reused_from"].tolist() == ["single"]


def test_a_folder_whose_content_changes_is_other_data(run: Run) -> None:
    pictures("data", 0)
    assert run(*PICTURES, "data.root=data") == 1
    kept = Path("data/train/a/0.png").read_bytes()
    Path("data/train/a/0.png").write_bytes(Path("data/train/b/0.png").read_bytes())
    assert run(*PICTURES, "data.root=data") == 1
    assert len(set(losses())) == 2
    Path("data/train/a/0.png").write_bytes(kept)
    assert run(*PICTURES, "data.root=data") == 0


def test_data_that_change_between_plan_and_training_are_refused(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from ablate.run import execution

    train = execution._train

    def changed(*arguments: object) -> dict[str, str]:
        shutil.copy("data/train/b/0.png", "data/train/a/0.png")
        return train(*arguments)  # type: ignore[arg-type]

    pictures("data", 0)
    monkeypatch.setattr(execution, "_train", changed)
    contents.forget()
    assert main([*PICTURES, "data.root=data"]) == 1
    (reason,) = load_results("runs/single")["reason"]
    assert reason.endswith("what data=imagefolder reads changed since the plan; run again")


def test_files_of_one_name_with_other_content_are_another_set(run: Run) -> None:
    """As KMNIST has the names of MNIST."""
    mnist = [*SMALL, "data=mnist", "data.batch_size=20"]
    for root, samples in (("one", 40), ("other", 60)):
        published.write_mnist(Path(root), samples)
    assert run(*mnist, "data.root=one") == 1
    assert run(*mnist, "data.root=other") == 1
    assert len(set(losses())) == 2
    shutil.copytree("one", "copy")
    assert run(*mnist, "data.root=copy") == 0


def test_where_data_is_absent_a_plan_says_that_ids_are_provisional(capsys: pytest.CaptureFixture[str]) -> None:
    for data in (["data=mnist", "data.root=nowhere"], ["data=imagefolder", "data.root=nowhere", "data.classes=2"]):
        assert main(["plan", "depth=8", "augment=none", *data]) == 0
        said = " ".join(capsys.readouterr().out.split())
        assert "the ID of 1 cell is provisional: what data" in said
        assert "is not here yet" in said


PUBLISHED = """
from pathlib import Path

import torch

from ablate import DataSet, InputError, Split, Splits, register


@register("data", "own")
class Own(DataSet):
    \"\"\"Noise, of which one file says how much.\"\"\"

    channels, size, classes, samples = 1, (8, 8), 2, (40, 40)
    published = {"count": "HASH"}

    def __init__(self, *, batch_size: int = 20):
        self.batch_size = batch_size

    @classmethod
    def reads(cls, batch_size):
        return [Path("data/count")]

    def check(self):
        if not Path("data/count").exists():
            raise InputError("no data/count")

    def load(self):
        count = int(Path("data/count").read_text())
        images = torch.randint(0, 256, (count, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
        return Splits(*(Split(images, torch.arange(count) % 2) for _ in range(2)))
"""


def test_finished_cells_of_a_published_set_need_its_files_no_more(run: Run) -> None:
    Path("plugins").mkdir()
    Path("data").mkdir()
    Path("plugins/own.py").write_text(PUBLISHED.replace("HASH", hashlib.md5(b"40").hexdigest()))
    own = [*SMALL, "data=own"]
    Path("data/count").write_text("40")
    assert run(*own) == 1
    Path("data/count").unlink()
    assert run(*own) == 0
    assert main([*own, "seed=1"]) == 2, "what is to be trained needs them"
    Path("data/count").write_text("60")
    assert run(*own) == 1, "other data under that name is another set"


def test_finished_cells_of_other_data_need_it_to_be_told_apart(run: Run) -> None:
    mnist = [*SMALL, "data=mnist", "data.batch_size=20"]
    published.write_mnist(Path("data"), 40)
    assert run(*mnist) == 1
    shutil.rmtree("data")
    assert main(mnist) == 2


INIT = """
from pathlib import Path

from torch import nn

from ablate import Init, register


@register("init", "from_file")
class FromFile(Init):
    \"\"\"A normal distribution, whose width stands in a file.\"\"\"

    def __init__(self, *, file: Path):
        self.file = file

    def fill(self, module, name, parameter, generator):
        nn.init.normal_(parameter, 0.0, float(self.file.read_text()), generator=generator)
        return True
"""


def test_a_path_option_of_a_plugin_counts_by_what_it_points_to(capsys: pytest.CaptureFixture[str]) -> None:
    Path("plugins").mkdir()
    Path("plugins/from_file.py").write_text(INIT)
    for name, text in (("a", "0.01"), ("b", "1.0"), ("c", "0.01")):
        Path(f"{name}.txt").write_text(text)

    def arms(first: str, second: str) -> list[str]:
        files = {first: f"{first}.txt", second: f"{second}.txt"}
        return [f"+study.arms.{name}=['init=from_file','init.file={file}']" for name, file in files.items()]

    study = plan_study(["depth=8", *arms("a", "b")])
    assert len({cell.id for cell in study.cells}) == len(study.cells) == 2 * len(study.seeds.values)
    assert main(["plan", "depth=8", "study.seeds=1", *arms("a", "b")]) == 0
    assert main(["plan", "depth=8", "study.seeds=1", *arms("a", "c")]) == 2, "they hold the same"
    assert capsys.readouterr().err.startswith("ablate: arm 'a' and arm 'c' have the same config")
