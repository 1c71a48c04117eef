"""Replies that try to make a reader's browser load something, take over the page's ids, or stall it."""

FOREIGN = "http://127.0.0.1:9"
"""An address that is not the page's own; nothing listens there."""


def loads() -> dict[str, str]:
    """Everything in which HTML, Markdown or CSS names an address that is fetched without a click, by kind."""
    url = f"{FOREIGN}/x.png"
    return {
        "markdown image": f"![p]({url})",
        "reference image": f"![p][r]\n\n[r]: {url}",
        "nested image": f"[![p]({url})]({url})",
        "image": f"<img src='{url}'>",
        "image set": f"<img srcset='{url} 2x'>",
        "picture": f"<picture><source srcset='{url}'><img alt=x></picture>",
        "style": f'<div style="background:url({url})">x</div>',
        "style sheet": f"<style>@import '{url}'; body {{ background: url({url}) }}</style>",
        "link": f"<link rel=stylesheet href='{url}'><link rel=prefetch href='{url}'>",
        "table background": f"<table background='{url}'><tr><td background='{url}'>x</td></tr></table>",
        "body background": f"<body background='{url}'>",
        "video": f"<video src='{url}' poster='{url}' autoplay></video>",
        "audio": f"<audio src='{url}' autoplay></audio><embed src='{url}'><object data='{url}'></object>",
        "svg image": f"<svg><image href='{url}'/><use href='{url}#a'/><feImage href='{url}'/></svg>",
        "input": f"<input type=image src='{url}'>",
        "frame": f"<iframe src='{url}'></iframe><iframe srcdoc=\"<img src='{url}'>\"></iframe>",
        "base": f"<base href='{FOREIGN}/'><meta http-equiv=refresh content='0;url={url}'>",
        "script": f"<script src='{url}'></script><img src=x onerror=\"fetch('{url}')\">",
        "mermaid": f'```mermaid\ngraph LR\nA["<img src=\'{url}\'>"] --> B\nclick A "{url}"\n```',
        "mermaid div": f'<div class="mermaid">graph LR\nA["<img src={url}>"]</div>',
        "formula": f"$<img src='{url}'>$ and \\(\\includegraphics{{{url}}}\\) $\\href{{{url}}}{{x}}$",
        "code": f"`<img src='{url}'>` ```html\n<img src='{url}'>\n```",
        "list style": f"<ul style='list-style-image:url({url})'><li>x</ul>",
    }


IDS = '<div id="ask">z</div><form id="vote-a" name="question"></form><button id="vote-a">x</button>'

HEAVY = {
    "emphasis, 16,000 unclosed": "*a " * 16_000,
    "emphasis, 40,000 nested": "*a" * 40_000,
    "underscores": "_a_" * 30_000,
    "brackets": "[" * 40_000,
    "links": "[a](" * 20_000,
    "quotes": ">" * 40_000,
    "list in list": "- " * 30_000,
    "backticks": "` `` " * 20_000,
    "formulas": "$x$ " * 20_000,
    "one formula": "$" + "x^{" * 30_000 + "$",
    "angle brackets": "<" * 60_000,
    "table": "|" * 40_000 + "\n" + "|-" * 20_000,
    "words": "word " * 24_000,
    "one line": "a" * 120_000,
    "addresses": "a@b.c " * 20_000,
    "just under the limit": ("*a* `b` $c$ [d](https://e.f) " * 1_000)[:29_000],
    "marks just under the limit": "*a " * 2_990,
}
