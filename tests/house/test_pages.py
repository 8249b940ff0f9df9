"""The pages lead somewhere: every link between them ends at a file and at a heading, and each leads to the glossary."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
GENERATED = ("configuration.md", "errors.md", "metrics.md")
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def prose(page):
    """The text of a page without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)


def anchors(page):
    """The anchors of a page's headings, as code hosts make them of the text."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


def test_every_link_to_another_page_ends_somewhere():
    headings = {page: anchors(page) for page in PAGES}
    nowhere = []
    for page in PAGES:
        for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            there = (page.parent / path).resolve() if path else page
            if not there.exists() or (anchor and anchor not in headings[there]):
                nowhere.append((str(page.relative_to(ROOT)), target))
    assert nowhere == []


def test_every_page_that_people_write_leads_to_the_glossary():
    written = [
        page
        for page in PAGES
        if page.parent != ROOT and page.name not in (*GENERATED, "glossary.md")
    ]
    leading = r"\]\((\.\./)?glossary\.md"
    assert [page for page in written if not re.search(leading, page.read_text())] == []
