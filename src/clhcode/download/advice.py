"""What a user is told of a file that did not come: what, where, and what to do."""

from __future__ import annotations

from urllib.parse import urlsplit

from clhcode.download.login import HOW, Login
from clhcode.download.sources import PHYSIONET
from clhcode.download.trouble import DownloadError, shown
from clhcode.errors import StoppedError, UserError

GO_ON = "what came is kept, and the same command goes on from there"


def advise(
    trouble: DownloadError, name: str, page: str, *, login: Login | None, agent: str, told: bool
) -> UserError:
    """The one line for a trouble.

    Args:
        trouble: What happened.
        name: Of the data set.
        page: Where a person reads about it.
        login: The credentials that were at hand.
        agent: The name that the program gave itself.
        told: Whether the server was one that credentials go to.
    """
    where = shown(trouble.url) if "://" in trouble.url else trouble.url
    said = str(trouble)
    if trouble.kind == "stopped":
        return StoppedError(f"stopped; {GO_ON}")
    if trouble.kind == "refused":
        return UserError(f"{name}: {where}: {_refused(trouble, page, login, agent, told)}")
    again = "it was not kept: run the same command again" if "://" in where else "it was not taken"
    told_more = {
        "nowhere": f"{said}; the set is at {page}, `--from` names another server",
        "unreachable": f"{said}; {GO_ON} (`--from` names another server)",
        "broken": f"{said} again and again; {GO_ON}",
        "damaged": f"{said}; {again} (the set is at {page})",
        "page": f"{said}; the set is at {page}",
        "full": f"the disk is full; {GO_ON}",
    }
    return UserError(f"{name}: {where}: {told_more.get(trouble.kind, said)}")


def _refused(trouble: DownloadError, page: str, login: Login | None, agent: str, told: bool) -> str:
    said, physionet = str(trouble), urlsplit(page).hostname == PHYSIONET
    if trouble.status == 401 and physionet:
        if not told:
            return f"{said}: credentials are sent to https and to this machine only"
        if login is None:
            return f"{said}: it wants a user and a password ({HOW})"
        return f"{said}: wrong user or password, those of {login.found} ({HOW})"
    if trouble.status == 403 and physionet:
        return (
            f"{said}: sign the agreement at {page} with the same account (section Files);"
            " PhysioNet also refuses programs whose user agent does not begin with Wget/ or"
            f" libwfdb/ (sent: {agent}; --user-agent)"
        )
    if trouble.status in (404, 410):
        return f"{said}: the address may have changed, see {page} (`--from` takes another)"
    return f"{said}; see {page}"
