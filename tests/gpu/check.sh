#!/usr/bin/env bash
# Checks CUDA on a machine with an NVIDIA card, in an unpacked kit (`just gpu-kit`) or in a clone: bash tests/gpu/check.sh [FOLDER FOR THE RESULTS].
# MMFND_GPU_DRY=1 runs the same parts on the processor with the demo's encoders, to see that the script itself works.
set -euo pipefail
results=$(realpath -m "${1:-mmfnd-gpu-results}")
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
exec "${PYTHON:-python3}" tests/gpu/check.py "$results"
