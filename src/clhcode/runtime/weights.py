"""Where the weights of a model lie: here, or on the hub, from where they come with a bar."""

from __future__ import annotations

import re
from pathlib import Path

from clhcode.errors import UserError

_SPLIT = re.compile(r"-(\d{5})-of-\d{5}\.gguf$", re.IGNORECASE)


def gguf_file(model: str) -> Path:
    """The GGUF file that a model's name means.

    Args:
        model: A file; a folder that holds one; `ORG/NAME/FILE.gguf`, or `ORG/NAME` with one GGUF,
            on the hub (`HF_ENDPOINT` names another hub).

    Raises:
        UserError: There is none, or several.
    """
    path = Path(model)
    if path.is_file():
        return path
    if path.is_dir():
        return path / _only([each.name for each in path.glob("*.gguf")], model)
    parts = model.split("/")
    if len(parts) < 2 or model.startswith(("/", ".")):
        raise UserError(f"{model}: no such file")
    return _from_hub("/".join(parts[:2]), "/".join(parts[2:]))


def _from_hub(repository: str, file: str) -> Path:
    """The file of a repository, downloaded where it is not here yet; the hub's bar shows it."""
    try:
        from huggingface_hub import HfApi, hf_hub_download
        from huggingface_hub.errors import (
            EntryNotFoundError,
            HfHubHTTPError,
            LocalEntryNotFoundError,
        )
        from huggingface_hub.utils import logging as hub_logging
    except ImportError:
        raise UserError("the hub needs huggingface-hub: pip install 'clhcode[llamacpp]'") from None
    # Its retries are told by what becomes of them.
    hub_logging.set_verbosity_error()
    named = f"{repository}/{file}" if file else repository
    try:
        if not file:
            every = HfApi().list_repo_files(repository)
            file = _only([name for name in every if name.lower().endswith(".gguf")], repository)
        return Path(hf_hub_download(repository, file))
    except LocalEntryNotFoundError:
        raise UserError(f"{named}: not here, and the hub cannot be reached") from None
    except EntryNotFoundError:
        raise UserError(f"{named}: the hub has no such file") from None
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else "nothing"
        locked = status in (401, 403)
        advice = " (log in with `hf auth login`, or accept its licence)" if locked else ""
        raise UserError(f"{named}: the hub answers {status}{advice}") from None
    except OSError as error:
        raise UserError(f"{named}: the hub cannot be reached ({type(error).__name__})") from None


def _only(names: list[str], where: str) -> str:
    """The one file there is; of several that belong together the first."""
    firsts = [n for n in sorted(names) if not (m := _SPLIT.search(n)) or int(m[1]) == 1]
    if len(firsts) == 1:
        return firsts[0]
    if not firsts:
        raise UserError(f"{where}: holds no GGUF file")
    raise UserError(f"{where}: holds several GGUF files, name one: {', '.join(firsts[:6])}")
