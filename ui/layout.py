"""The page as a whole: header, model status, the tabs in their order, theme, style and the little script."""

from pathlib import Path
from typing import Any

import gradio as gr
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware

from common.errors import for_visitors
from common.jsonl import read_text
from models.config.registry import ROLES
from models.serving.status import Phase, Status
from ui.api import build_api, mcp_installed
from ui.benchmarks.tab import build_benchmarks_tab
from ui.cases.tab import build_cases_tab
from ui.compare.tab import build_compare_tab
from ui.kit.events import QUIET
from ui.kit.html import Markup, join, render
from ui.kit.owner import can_sign_in
from ui.kit.places import guard
from ui.kit.routes import serve_at
from ui.metrics import MetricsPage
from ui.preferences.tab import build_preferences_tab
from ui.server.languages import PATH, answer
from ui.server.policy import LARGEST_UPLOAD, PagePolicy
from ui.server.sessions import forget_those_who_leave
from ui.services import Services
from ui.traces.tab import build_traces_tab
from ui.transparency.tab import build_transparency_tab

UI = Path(__file__).parent
FONT = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "Noto Sans CJK SC", "sans-serif"]
MONO = ["ui-monospace", "SFMono-Regular", "Menlo", "DejaVu Sans Mono", "monospace"]
TABS = {
    "compare": ("Compare", build_compare_tab),
    "preferences": ("Preferences", build_preferences_tab),
    "benchmarks": ("Benchmarks", build_benchmarks_tab),
    "cases": ("Case studies", build_cases_tab),
    "traces": ("Traces", build_traces_tab),
    "transparency": ("Transparency", build_transparency_tab),
}
STYLES = ("text/reading.css", "lens/lens.css", "benchmarks/benchmarks.css", "traces/traces.css")
SECONDS_WHILE_STARTING = 2
SECONDS_BETWEEN_LOOKS = 20
QUEUE: dict[str, Any] = {"default_concurrency_limit": 16, "max_size": 1000}
"""For `Blocks.queue()`."""
THREADS = 400
"""A streaming handler holds one now and then; with gradio's 40, the forty-first visitor waits for the first."""
TONES: dict[Phase, str] = {"ready": "good", "failed": "bad", "stopped": "bad"}


def theme() -> gr.themes.Base:
    """Calm and legible in light and dark, with system fonts: nothing is loaded from elsewhere."""
    return gr.themes.Default(
        primary_hue="teal", secondary_hue="teal", neutral_hue="slate", font=FONT, font_mono=MONO, radius_size="lg"
    ).set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_400",
        input_placeholder_color="*neutral_500",
        input_placeholder_color_dark="*neutral_400",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_hover_dark="*primary_800",
        button_primary_text_color="white",
        button_secondary_background_fill="white",
        button_secondary_background_fill_dark="*neutral_800",
        button_secondary_border_color="*neutral_300",
        button_secondary_border_color_dark="*neutral_600",
        button_border_width="1px",
    )


def launch_options(services: Services | None = None) -> dict[str, Any]:
    """The options of `launch()` that the page needs; with `services`, it has `/metrics` as well."""
    watched = [Middleware(MetricsPage, services=services)] if services else []
    # Event streams are not compressed: they would wait for a full block.
    compressed = Middleware(GZipMiddleware, minimum_size=1000, compresslevel=6)
    scripts = ("language.js", "mine.js", "news.js", "first.js", "page.js", "lens/lens.js")
    script = "\n".join(read_text(UI / name) for name in scripts)
    # Not with the page's style, where gradio rewrites selectors, nor in its tabs, each of which would carry a copy.
    look = "\n".join(read_text(UI / name) for name in STYLES)
    return {
        "theme": theme(),
        "css": read_text(UI / "style.css"),
        "head": f"<style>{look}</style><script>{script}</script>",
        "run_history": False,
        "footer_links": [],
        "app_kwargs": {"middleware": [compressed, Middleware(PagePolicy), *watched]},
        "max_file_size": LARGEST_UPLOAD,
        "max_threads": THREADS,
        "enable_monitoring": False,
        "mcp_server": mcp_installed(),
        "ssr_mode": False,
        # Gradio gives up if its page takes longer than three seconds, as it may on a busy machine.
        "_frontend": False,
    }


def status_chip(role: str, title: str, status: Status) -> Markup:
    """A model's status, spelled out unless all is well; on a phone, models that are ready share one dot."""
    tone = TONES.get(status.phase, "busy")
    return render(
        '<span class="chip {{ tone }}" title="{{ title }}"><b>{{ role }}<span class="wide">: {{ title }}</span></b> '
        '<span class="sentence">{{ sentence }}</span></span>',
        tone=tone,
        role=role,
        title=title,
        sentence=for_visitors(status.sentence),
    )


def status_line(services: Services) -> Markup:
    """One chip per model: its title and what it is doing."""
    served = services.served
    chips = [status_chip(role.capitalize(), served.pair.model(role).title, served.status(role)) for role in ROLES]
    if services.guard and services.guard.sentence:
        chips.append(render('<span class="chip bad"><b>Guard:</b> {{ said }}</span>', said=services.guard.sentence))
    return render('<div class="chips" role="status">{{ chips }}</div>', chips=join(chips))


def look_at_models(services: Services, shown: str) -> tuple[Any, Any]:
    """The status line if it differs from what the page shows, and how soon the page should ask again."""
    line = status_line(services)
    if line == shown:
        return gr.skip(), gr.skip()
    settled = all(services.served.status(role).phase in ("ready", "failed") for role in ROLES)
    return line, gr.Timer(SECONDS_BETWEEN_LOOKS if settled else SECONDS_WHILE_STARTING)


def build_header(services: Services) -> gr.HTML:
    with gr.Row(elem_id="top"):
        gr.HTML(read_text(UI / "text" / "header.html"), elem_id="header")
        status = gr.HTML(status_line(services), elem_id="status")
        if can_sign_in():
            gr.LoginButton(size="sm", scale=0, min_width=160, elem_id="login")
        return status


def tab_of(request: gr.Request) -> Any:
    """The tab a link asks for: `?tab=benchmarks`, or a case by `?case=…`."""
    wanted = request.query_params.get("tab") or ("cases" if "case" in request.query_params else "compare")
    return gr.update(selected=wanted if wanted in TABS else "compare")


def build_app(services: Services) -> gr.Blocks:
    """The whole page. Launch it with `launch_options()`."""
    with gr.Blocks(title="Journey Arena", analytics_enabled=False, fill_width=True, delete_cache=(3600, 7200)) as app:
        build_api(services)  # first: names that are taken get a number
        status = build_header(services)
        with gr.Tabs(elem_id="tabs", overflow_behavior="wrap") as tabs:
            for key, (label, build_tab) in TABS.items():
                with gr.Tab(label, id=key):
                    gr.HTML(render('<h2 class="for-readers">{{ label }}</h2>', label=label), elem_classes="flush")
                    build_tab(services)

        def open_page(request: gr.Request) -> tuple[Any, Markup]:
            return tab_of(request), status_line(services)  # what the page was built with may have passed long ago

        app.load(open_page, outputs=[tabs, status], **QUIET)
        timer = gr.Timer(SECONDS_WHILE_STARTING)
        # Not queued: hundreds of idle pages ask this, and a question must not wait behind them.
        timer.tick(lambda shown: look_at_models(services, shown), status, [status, timer], queue=False, **QUIET)
        forget_those_who_leave(app)
        serve_at(app, PATH, answer)
    guard(app)
    return app
