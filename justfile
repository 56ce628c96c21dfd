# Recipes only call cargo and python; `cargo run` and `cargo test` need none of them.

python := env("PYTHON", "python3")

# The whole method on a generated world: posts, features, head, table.
demo *ARGS:
    cargo run --release -- demo {{ARGS}}

# Everything that CI tests.
test *ARGS:
    cargo test --release {{ARGS}}

# Kills the program at 200 random moments and compares what it leaves with an undisturbed run (CI: 40).
kill-test KILLS="200":
    MMFND_TEST_KILLS={{KILLS}} cargo test --release -p mmfnd --test tests kill -- --nocapture

# Fuzzes one parser (docs/fuzzing.md; needs `cargo install cargo-fuzz`): `just fuzz picture 600`.
fuzz TARGET SECONDS="600" *ARGS="":
    cargo fuzz run --sanitizer none seeds
    mkdir -p fuzz/corpus/{{TARGET}}
    cargo fuzz run --sanitizer none {{TARGET}} -- -max_total_time={{SECONDS}} -timeout=10 -report_slow_units=1 -rss_limit_mb=2048 -malloc_limit_mb=1024 {{ARGS}}

# All of them, one after the other.
fuzz-all SECONDS="600":
    for target in manifest posts twitter weibo text picture preset model ocr store experiment run sweep; do just fuzz $target {{SECONDS}} || exit 1; done

# Formatting, lints and documentation, as CI checks them.
lint:
    cargo fmt --all --check
    cargo clippy --release --workspace --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --release --workspace --no-deps

# Make the golden files again (needs tests/golden/requirements.txt installed).
golden:
    {{python}} tests/golden/events.py
    {{python}} tests/golden/export.py
    {{python}} tests/golden/heads/export.py
    {{python}} tests/golden/metrics.py
    {{python}} tests/golden/pixels.py
    {{python}} tests/golden/products.py
    {{python}} tests/golden/resnet.py
    {{python}} tests/golden/separation.py
    {{python}} tests/golden/significance.py
    {{python}} tests/golden/tokens.py

# Pages of `mmfnd report` in headless Chromium, at two widths, light, dark and in print (needs npm and Chromium): `just browser data/demo/report.html`.
browser *PAGES:
    tests/browser/run {{PAGES}}

# Train the demo encoders again and rewrite the preset's checksums (needs models/demo/requirements.txt installed).
demo-encoders:
    cargo build --release
    {{python}} models/demo/train.py

# Export the real encoders (needs models/requirements.txt installed): `just export twitter --calibrate PICTURES`, `just export twitter --random-init --vocab DIR`.
export PRESET *ARGS:
    {{python}} models/export.py {{PRESET}} {{ARGS}}

# Stage 1 against Hugging Face, Pillow and PyTorch on real data, into docs/parity.md (needs tests/parity/requirements.txt and the exports of `twitter` and `weibo`).
parity DATA="../shared/data" *ARGS="":
    cargo build --release -p mmfnd -p mmfnd-encode --bin mmfnd --example dump
    {{python}} tests/parity/parity.py --data {{DATA}} {{ARGS}}

# Our decoding against the installed Pillow's, over folders of pictures: `just parity-pictures FOLDER...` (needs pillow and numpy).
parity-pictures *FOLDERS:
    cargo build --release -p mmfnd -p mmfnd-pictures --example decode
    {{python}} tests/parity/pictures.py {{FOLDERS}}

# The PyTorch reference of the golden files against the authors' published modules, into docs/parity.md: `just parity-released CLONE` (needs tests/golden/requirements.txt and torchvision).
parity-released CLONE:
    {{python}} tests/parity/released.py {{CLONE}}

# Stage 1 against Python and the bare session, into target/bench/encode.json (needs what `just parity` needs).
bench-encode DATA="../shared/data" *ARGS="":
    cargo build --release -p mmfnd -p mmfnd-encode --bin mmfnd --example dump
    {{python}} tests/speed/speed.py --data {{DATA}} {{ARGS}}

# Training against PyTorch: a step, an epoch, a sweep (needs tests/golden/requirements.txt installed). Writes target/bench/train.json.
bench-train *ARGS:
    {{python}} tests/speed/train.py {{ARGS}}

# A training step of each of the eleven kinds of head against PyTorch (needs tests/golden/requirements.txt installed). Writes target/bench/heads.json; `just bench-heads eann cafe` shows some.
bench-heads *ARGS:
    {{python}} tests/speed/heads.py {{ARGS}}

# ResNet trained with the head against PyTorch and torchvision, over posts as `mmfnd import twitter` writes them: `just bench-online data/twitter/posts.parquet`. Writes target/bench/online.json.
bench-online POSTS *ARGS:
    {{python}} tests/speed/online.py --posts {{POSTS}} {{ARGS}}

# The head on Vulkan; without a GPU, Mesa's lavapipe does (Debian: mesa-vulkan-drivers).
test-wgpu:
    cargo test --release -p mmfnd -p mmfnd-train --features wgpu --test golden wgpu

# The check of CUDA, here (docs/gpu.md); `MMFND_GPU_DRY=1 just gpu-check` tries the script itself, on the processor.
gpu-check *ARGS:
    PYTHON={{python}} bash tests/gpu/check.sh {{ARGS}}

# The same check as a folder for a machine with a card, Python and PyTorch, but neither network nor Rust; prints how to get it there.
gpu-kit OUT VOCABULARIES="../shared/vocab" *ARGS="":
    {{python}} tests/gpu/kit.py {{OUT}} --vocabularies {{VOCABULARIES}} {{ARGS}}

# What CI runs.
ci:
    bash .ci/run
