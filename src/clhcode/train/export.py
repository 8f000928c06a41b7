"""A trained model for llama.cpp: a Hugging Face folder becomes one GGUF file.

Adapters are merged into their base first. Llama, Qwen 3 and Gemma 3 are written here; others go
through llama.cpp's own converter.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clhcode.errors import UserError
from clhcode.train.gguf_model import Shape, describe, shape, tensors, turned
from clhcode.train.gguf_tokenizer import vocabulary

if TYPE_CHECKING:
    import numpy as np
    from gguf import GGMLQuantizationType
    from numpy.typing import NDArray

PLAIN = ("f32", "f16", "bf16", "q8_0")
"""What the package `gguf` writes; a column of `q8_0` costs 8.5 bits."""
PACKED = ("q2_k", "q3_k_s", "q3_k_m", "q3_k_l", "q4_k_s", "q4_k_m", "q5_k_s", "q5_k_m", "q6_k")
"""What llama.cpp makes of a file of the above."""
QUANTS = (*PLAIN, *PACKED)
_MISSING = "{} is not installed: pip install 'clhcode[train]'"


def export(folder: Path, out: Path, quant: str = "f16", converter: Path | None = None) -> None:
    """Writes a GGUF file.

    Args:
        folder: Whole weights, or an adapter beside the name of its base.
        out: The file; it is there when it is whole.
        quant: One of `QUANTS`.
        converter: llama.cpp's `convert_hf_to_gguf.py`, taken for all where it is given.

    Raises:
        UserError: Something is missing, or the model is none that can be exported.
    """
    if quant not in QUANTS:
        raise UserError(f"--quant {quant}: choose among {', '.join(QUANTS)}")
    if quant in PACKED:
        _llama_cpp()
    if converter is not None and not converter.is_file():
        raise UserError(f"--converter {converter}: no such file")
    with ExitStack() as stack:
        whole = stack.enter_context(merged(folder))
        part = stack.enter_context(_finished(out))
        if quant in PLAIN:
            _convert(whole, part, quant, converter)
        else:
            between = stack.enter_context(_finished(out.with_name(f"{out.name}.f32"), keep=False))
            _convert(whole, between, "f32", converter)
            _pack(between, part, quant)


@contextmanager
def merged(folder: Path) -> Iterator[Path]:
    """A folder of whole weights: the given one, or a passing one with the adapter in its base.

    Raises:
        UserError: It is no model's folder, or its base is not there.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder")
    if not (folder / "adapter_config.json").is_file():
        if not (folder / "config.json").is_file():
            raise UserError(f"{folder}: holds neither a config.json nor an adapter_config.json")
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="clh-merged-") as passing:
        merge(folder, Path(passing))
        yield Path(passing)


def whole(folder: Path, out: Path) -> None:
    """Writes an adapter and its base as a folder of whole weights.

    Raises:
        UserError: There is no adapter, or its base is not there.
    """
    if not (folder / "adapter_config.json").is_file():
        raise UserError(f"{folder}: holds no adapter_config.json, so there is nothing to merge")
    merge(folder, out)


def merge(folder: Path, out: Path) -> None:
    """Writes an adapter and its base as one model, with the tokenizer of the run.

    Raises:
        UserError: peft is missing, or the base is not there.
    """
    try:
        import torch
        from peft import AutoPeftModelForCausalLM
        from transformers import AutoTokenizer
    except ImportError as error:
        raise UserError(_MISSING.format(error.name)) from None
    base = _json(folder / "adapter_config.json").get("base_model_name_or_path")
    own = (folder / "tokenizer_config.json").is_file()
    try:
        model = AutoPeftModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(folder if own else base)
    except (OSError, ValueError) as error:
        why = str(error).strip().splitlines()[0]
        raise UserError(f"{folder}: its base {base} cannot be loaded ({why})") from None
    model.merge_and_unload().save_pretrained(out)
    tokenizer.save_pretrained(out)


def _convert(folder: Path, out: Path, quant: str, converter: Path | None) -> None:
    if converter is not None:
        _by_converter(folder, out, quant, converter)
        return
    config = _json(folder / "config.json")
    found = shape(config)
    if found is None:
        what = (config.get("architectures") or ["a model without a class"])[0]
        raise UserError(
            f"{folder}: clh exports llama, qwen3 and gemma3 models, and this is {what}: give"
            " llama.cpp's own converter by --converter PATH/convert_hf_to_gguf.py"
        )
    _write(folder, out, quant, found)


def _write(folder: Path, out: Path, quant: str, found: Shape) -> None:
    import numpy as np

    try:
        import torch  # noqa: F401 - the reader of weights needs it
        from gguf import GGUFWriter, LlamaFileType
        from gguf.quants import quant_shape_to_byte_shape
        from transformers import AutoTokenizer
    except ImportError as error:
        raise UserError(_MISSING.format(error.name)) from None
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder)
    except (OSError, ValueError) as error:
        why = str(error).strip().splitlines()[0]
        raise UserError(f"{folder}: its tokenizer cannot be loaded ({why})") from None
    words = vocabulary(tokenizer, found.config["vocab_size"], _ends(folder, found.config))
    writer = GGUFWriter(str(out), found.name)
    writer.add_name(folder.resolve().name)
    writer.add_file_type(
        LlamaFileType.ALL_F32 if quant == "f32" else LlamaFileType[f"MOSTLY_{quant.upper()}"]
    )
    writer.add_quantization_version(2)
    describe(found, writer)
    words.write(writer)
    every = list(tensors(folder, found))
    factors = turned(found)
    if factors is not None:
        writer.add_tensor_info("rope_freqs.weight", factors.shape, factors.dtype, factors.nbytes)
    byte = np.dtype(np.uint8)
    kinds = [_kind(each.shape, quant) for each in every]
    for each, kind in zip(every, kinds, strict=True):
        packed = quant_shape_to_byte_shape(each.shape, kind)
        writer.add_tensor_info(each.name, packed, byte, math.prod(packed), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    if factors is not None:
        writer.write_tensor_data(factors)
    # One at a time: a model need not fit into memory twice.
    for each, kind in zip(every, kinds, strict=True):
        writer.write_tensor_data(_quantised(each.values(), kind))
    writer.close()


def _kind(rows: tuple[int, ...], quant: str) -> GGMLQuantizationType:
    """How a tensor is kept: vectors whole, and what does not fall into blocks in half."""
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

    if len(rows) == 1:
        return GGMLQuantizationType.F32
    kind = GGMLQuantizationType[quant.upper()]
    block, _ = GGML_QUANT_SIZES[kind]
    return kind if rows[-1] % block == 0 else GGMLQuantizationType.F16


def _quantised(values: NDArray[np.float32], kind: GGMLQuantizationType) -> NDArray[Any]:
    from gguf.quants import quantize

    found: NDArray[Any] = quantize(values, kind)
    return found


def _ends(folder: Path, config: Mapping[str, Any]) -> tuple[int, ...]:
    """Tokens that end an answer."""
    path = folder / "generation_config.json"
    found = (_json(path) if path.is_file() else {}).get("eos_token_id", config.get("eos_token_id"))
    if found is None:
        return ()
    return tuple(found) if isinstance(found, list) else (found,)


def _by_converter(folder: Path, out: Path, quant: str, converter: Path) -> None:
    command = [sys.executable, converter, folder, "--outfile", out, "--outtype", quant]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    if done.returncode or not out.exists():
        said = done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"]
        raise UserError(f"{converter.name} cannot convert {folder}: {said[-1]}")


def _llama_cpp() -> Any:
    try:
        import llama_cpp
    except ImportError:
        raise UserError(
            f"llama.cpp is not installed: pip install 'clhcode[llamacpp]', or --quant"
            f" {' | '.join(PLAIN)}"
        ) from None
    return llama_cpp


def _pack(source: Path, out: Path, quant: str) -> None:
    from clhcode.runtime.llama_library import silenced

    lib = silenced()
    params = lib.llama_model_quantize_default_params()
    params.ftype = getattr(lib, f"LLAMA_FTYPE_MOSTLY_{quant.upper()}")
    if lib.llama_model_quantize(os.fsencode(source), os.fsencode(out), params):
        raise UserError(f"llama.cpp cannot make {quant} of {source.name}: try --quant q8_0")


@contextmanager
def _finished(out: Path, *, keep: bool = True) -> Iterator[Path]:
    """A file to write to, which takes its name when it is whole, or goes where it is not kept."""
    part = out.with_name(f"{out.name}.part")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        yield part
        if keep:
            os.replace(part, out)
    except OSError as error:
        raise UserError(f"{out}: cannot be written ({error.strerror})") from None
    finally:
        part.unlink(missing_ok=True)


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    except ValueError:
        raise UserError(f"{path}: no JSON") from None
    if not isinstance(found, dict):
        raise UserError(f"{path}: no JSON object")
    return found
