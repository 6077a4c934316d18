"""What MkDocs does for the site beside its own: the README is its first page, the reference is
generated, the tour is run, and the pages and pictures elsewhere in the repository that a page links
to are in it.
"""

import json
import os
import re
import subprocess
from base64 import b64decode
from pathlib import Path
from posixpath import dirname, normpath, relpath
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
TOUR = "tour.md"
PLACES = {"README.md": "index.md", "docs/tour.py": TOUR}  # in the site, of what is elsewhere there
FENCED = re.compile(r"(^ *```.*?^ *```)", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for uri, content in _printed("reference.py").items():
        files.append(File.generated(config, uri, content=content))
    tour = _printed("notebook.py")
    files.append(File.generated(config, TOUR, content=tour["markdown"]))
    for uri, picture in tour["pictures"].items():
        files.append(File.generated(config, uri, content=b64decode(picture)))
    readme = File.generated(config, "index.md", abs_src_path=str(ROOT / "README.md"))
    files.append(readme)
    waiting = [_in_repository(page.src_uri) for page in files.documentation_pages()]
    while waiting:
        page = waiting.pop()
        if not page.endswith(".md"):
            continue
        path = ROOT / page
        text = path.read_text(encoding="utf-8") if path.is_file() else ""  # generated: no links
        for target in _targets(text, page):
            uri = _in_site(target)
            if target.endswith((".md", ".png")) and uri not in files.src_uris:
                files.append(File.generated(config, uri, abs_src_path=str(ROOT / target)))
                waiting.append(target)
    return files


def _printed(script: str) -> Any:
    """What a script of docs/ prints as JSON, run in the project's own environment."""
    quiet = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    command = ["python", ROOT / "docs" / script]
    ran = subprocess.run(command, cwd=ROOT, env=quiet, stdout=subprocess.PIPE, check=True)
    return json.loads(ran.stdout)


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links lead to where the pages are in the site; those to other files become their text."""
    own = page.file.src_uri

    def link(match: re.Match[str]) -> str:
        picture, text, address = match.groups()
        if ":" in address or address.startswith("#"):
            return match[0]
        path, hash_, anchor = address.partition("#")
        uri = _in_site(_target(path, _in_repository(own)))
        if uri not in files.src_uris:
            return text
        return f"{picture}[{text}]({relpath(uri, dirname(own) or '.')}{hash_}{anchor})"

    parts = FENCED.split(markdown)
    return "".join(part if i % 2 else LINK.sub(link, part) for i, part in enumerate(parts))


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """The theme's dialog of the search has no name, which those who hear a page need; and it marks
    all pages with one language."""
    dialog = 'data-md-component="search" role="dialog"'
    output = output.replace(dialog, f'{dialog} aria-label="Search"')
    chinese = page.file.src_uri.startswith(("zh/", "README.zh"))
    return output.replace('<html lang="en"', '<html lang="zh-Hans"', 1) if chinese else output


def _targets(text: str, page: str) -> list[str]:
    """The path in the repository of each file of it that a page links to."""
    prose = "".join(FENCED.split(text)[::2])
    addresses = [match[3].partition("#")[0] for match in LINK.finditer(prose)]
    return [_target(address, page) for address in addresses if address and ":" not in address]


def _target(address: str, page: str) -> str:
    return normpath(f"{dirname(page) or '.'}/{address}")


def _in_site(path: str) -> str:
    return PLACES.get(path, path.removeprefix("docs/"))


def _in_repository(uri: str) -> str:
    for path, place in PLACES.items():
        if uri == place:
            return path
    outside = (ROOT / uri).is_file() and not (ROOT / "docs" / uri).is_file()
    return uri if outside else f"docs/{uri}"
