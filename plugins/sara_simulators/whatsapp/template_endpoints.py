"""Endpoints of message templates: list and submit."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from sara_simulators.whatsapp.errors import invalid, no_such_object, required
from sara_simulators.whatsapp.graph_requests import OBJECT, GraphGateway, json_response, parse_object
from sara_simulators.whatsapp.templates import Template, Templates


def routes(gateway: GraphGateway, templates: Templates) -> list[web.RouteDef]:
    """Return the routes. A submitted template waits until a test or the page approves it."""

    def own_account(request: web.Request) -> None:
        if request.match_info["object"] != gateway.settings.business_account_id:
            raise no_such_object(request.method, request.match_info["object"])

    async def listing(request: web.Request, raw: bytes) -> web.Response:
        gateway.authorize(request)
        own_account(request)
        wanted = {key: request.query[key] for key in ("name", "language", "status") if key in request.query}
        nodes = [_node(template) for template in templates]
        found = [node for node in nodes if all(str(node[key]).lower() == value.lower() for key, value in wanted.items())]
        return json_response({"data": found, "paging": {}})

    async def hand_in(request: web.Request, raw: bytes) -> web.Response:
        gateway.authorize(request)
        own_account(request)
        template = _handed_in(parse_object(raw) or {})
        if templates.get(template.name, template.language):
            raise invalid("There is already a template of that name in that language.")
        kept = templates.put(template)
        gateway.world.changed(kind="templates")
        return json_response({"id": kept.id, "status": kept.status, "category": kept.category.upper()})

    path = f"{OBJECT}/message_templates"
    return [web.get(path, gateway.wrap(listing)), web.post(path, gateway.wrap(hand_in))]


def _handed_in(body: dict[str, Any]) -> Template:
    for key in ("name", "language", "category", "components"):
        if not body.get(key):
            raise required(key)
    parts = {str(part.get("type")).upper(): part for part in body["components"] if isinstance(part, dict)}
    text = parts.get("BODY", {}).get("text")
    if not isinstance(text, str) or not text:
        raise required("components['BODY']['text']")
    buttons = tuple(str(button.get("text")) for button in parts.get("BUTTONS", {}).get("buttons") or ())
    footer = str(parts.get("FOOTER", {}).get("text") or "")
    return Template(str(body["name"]), str(body["language"]), text, str(body["category"]).lower(), buttons, footer, "PENDING")


def _node(template: Template) -> dict[str, Any]:
    components: list[dict[str, Any]] = [{"type": "BODY", "text": template.body}]
    if template.footer:
        components.append({"type": "FOOTER", "text": template.footer})
    if template.buttons:
        components.append({"type": "BUTTONS", "buttons": [{"type": "QUICK_REPLY", "text": text} for text in template.buttons]})
    return {
        "id": template.id,
        "name": template.name,
        "language": template.language,
        "status": template.status,
        "category": template.category.upper(),
        "components": components,
    }
