"""All benchmarks, one after another: `make bench`."""

from __future__ import annotations

from tests.bench import (
    bench_commit,
    bench_drivers,
    bench_packs,
    bench_prompt,
    bench_recall,
    bench_restore,
    bench_screen,
    bench_start_up,
    bench_sync,
    bench_timeline,
    bench_transfer,
)

_BENCHES = (
    bench_start_up,
    bench_commit,
    bench_packs,
    bench_transfer,
    bench_sync,
    bench_prompt,
    bench_screen,
    bench_drivers,
    bench_timeline,
    bench_recall,
    bench_restore,
)


def main() -> None:
    for bench in _BENCHES:
        bench.run()
        print()


if __name__ == "__main__":
    main()
