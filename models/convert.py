"""From a PyTorch module to ONNX files of every precision, each compared with the untouched PyTorch model before it is kept."""

import contextlib
import io
import logging
import tempfile
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnxruntime.quantization import CalibrationDataReader

OPSET = 17
# Protocol buffers end at 2 GiB; a model that comes near keeps its weights in a file beside it.
LARGEST_FILE = 2_000_000_000
# Least cosine to PyTorch of any vector; that of int8 is reported, and only refused where the model is broken.
LIMITS = {"fp32": 0.99999, "fp16": 0.999, "int8": 0.9}


def export(module, inputs, outputs, dynamic, path):
    """Writes the fp32 file."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        # A large model comes out as a file for each weight.
        raw = Path(folder) / "raw.onnx"
        # Tracing warns of every size that Python looked at; that none became a constant is what `compare` shows.
        warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)
        torch.onnx.export(
            module.eval(), tuple(inputs.values()), str(raw), input_names=list(inputs), output_names=outputs, dynamic_axes=dynamic, opset_version=OPSET, dynamo=False
        )
        save(onnx.load(raw), path)


def save(model, path):
    """In one file, or with the weights beside it where one file cannot hold them."""
    size = sum(len(tensor.raw_data) for tensor in model.graph.initializer)
    if size < LARGEST_FILE:
        onnx.save(model, path)
    else:
        onnx.save(model, path, save_as_external_data=True, all_tensors_to_one_file=True, location=weights_of(path).name, size_threshold=1024)


def weights_of(path):
    """Where a large model keeps its weights."""
    return path.with_name(path.name + ".data")


def derive(path, target, precision):
    """The float16 or dynamic int8 form of an exported model: int8 for its linear maps, see `calibrate` for convolutions."""
    if precision == "fp16":
        from onnxruntime.transformers.float16 import convert_float_to_float16

        save(convert_float_to_float16(str(path), keep_io_types=True), target)
    else:
        from onnxruntime.quantization import QuantType, quantize_dynamic

        logging.getLogger().setLevel(logging.ERROR)
        large = weights_of(path).exists()
        quantize_dynamic(path, target, weight_type=QuantType.QInt8, per_channel=True, op_types_to_quantize=["MatMul", "Gemm"], use_external_data_format=large)


def calibrate(path, target, pixels):
    """The static int8 form of an exported convolutional model, whose activations keep the ranges that they have for `pixels` [N, 3, H, W], N a multiple of 8.

    Dynamic convolutions have no fast kernel in ONNX Runtime. A percentile of the values, not their largest, ends a range: Wu et al., *Integer Quantization for Deep Learning Inference*, 2020, section 5.
    """
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    logging.getLogger().setLevel(logging.ERROR)
    with contextlib.redirect_stdout(io.StringIO()):
        quantize_static(
            path, target, Batches(pixels), quant_format=QuantFormat.QDQ, activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, per_channel=True,
            # Histograms are kept from batch to batch, values are not.
            calibrate_method=CalibrationMethod.Percentile, extra_options={"CalibPercentile": 99.999, "CalibStridedMinMax": 1},
        )


class Batches(CalibrationDataReader):
    """Eight pictures at a time."""

    def __init__(self, pixels):
        self.batches = list(pixels.reshape(-1, 8, *pixels.shape[1:]))
        self.set_range(0, len(self))

    def __len__(self):
        return len(self.batches)

    def set_range(self, start_index, end_index):
        self.left = iter(self.batches[start_index:end_index])

    def get_next(self):
        batch = next(self.left, None)
        return None if batch is None else {"pixel_values": batch}


def compare(path, inputs, expected, precision):
    """Runs a file and ends the program where it is further from PyTorch than its precision allows; returns how far it is, by output."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found = session.run(list(expected), {name: tensor.numpy() for name, tensor in inputs.items()})
    distances = {}
    for (name, wanted), found in zip(expected.items(), found):
        wanted = wanted.numpy()
        cosine, largest = least_cosine(found, wanted), float(np.abs(found - wanted).max())
        print(f"{path.name:24} {size(path):8.1f} MiB  {name:12} least cosine to PyTorch {cosine:.7f}, largest difference {largest:.1e}", flush=True)
        if not cosine >= LIMITS[precision]:
            raise SystemExit(f"{path}: `{name}` differs from PyTorch: cosine {cosine}, wanted at least {LIMITS[precision]}")
        distances[name] = {"least_cosine": cosine, "largest_difference": largest}
    return distances


def least_cosine(found, wanted):
    """Of any vector: BERT's per layer, ResNet's map as a whole."""
    shape = (-1, wanted.shape[-1]) if wanted.ndim == 3 else (wanted.shape[0], -1)
    a, b = found.astype(np.float64).reshape(shape), wanted.astype(np.float64).reshape(shape)
    return float((np.sum(a * b, 1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))).min())


def size(path):
    """MiB, the weights beside it included."""
    return sum(file.stat().st_size for file in [path, weights_of(path)] if file.exists()) / 2**20
