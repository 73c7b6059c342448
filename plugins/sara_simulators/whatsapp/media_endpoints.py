"""Endpoints of media: upload, look up, fetch, delete."""

from __future__ import annotations

from aiohttp import web

from sara_simulators.whatsapp.errors import GraphError, invalid, no_such_object, required
from sara_simulators.whatsapp.graph_requests import OBJECT, GraphGateway, json_response
from sara_simulators.whatsapp.media import KINDS, MB, PATH, Media, MediaStore, kind_of

_TYPES = sorted(mime for _, types in KINDS.values() for mime in types)


def routes(gateway: GraphGateway, media_store: MediaStore) -> list[web.RouteDef]:
    """Return the routes. A GET of a file's id is answered by `media_response`, as its path is that of the phone number."""
    endpoints = _MediaEndpoints(gateway, media_store)
    return [
        web.post(f"{OBJECT}/media", gateway.wrap(endpoints.upload, form=True)),
        web.get(PATH, gateway.wrap(endpoints.fetch)),
        web.delete(OBJECT, gateway.wrap(endpoints.delete)),
    ]


def media_response(gateway: GraphGateway, media_store: MediaStore, request: web.Request) -> web.Response | None:
    """Return the response with a file's URL; None where the id in the path is not a file's."""
    media = _media(gateway, media_store, request)
    if media is None:
        return None
    return json_response(
        {
            "url": media_store.create_url(media),
            "mime_type": media.mime,
            "sha256": media.sha256_hex,
            "file_size": str(len(media.data)),
            "id": media.id,
            "messaging_product": "whatsapp",
        }
    )


def _media(gateway: GraphGateway, media_store: MediaStore, request: web.Request) -> Media | None:
    asked = request.query.get("phone_number_id", gateway.settings.phone_number_id)
    return media_store.get(request.match_info["object"]) if asked == gateway.settings.phone_number_id else None


class _MediaEndpoints:
    def __init__(self, gateway: GraphGateway, media_store: MediaStore) -> None:
        self._gateway = gateway
        self._media_store = media_store

    async def upload(self, request: web.Request, raw: bytes) -> web.Response:
        self._gateway.authorize(request)
        self._gateway.own_number(request)
        if request.content_type != "multipart/form-data":
            raise required("file")
        form = await request.post()
        if form.get("messaging_product") != "whatsapp":
            raise (
                required("messaging_product")
                if "messaging_product" not in form
                else invalid("Param messaging_product must be one of {WHATSAPP}")
            )
        file = form.get("file")
        if not isinstance(file, web.FileField):
            raise required("file")
        claimed = form.get("type")
        mime = file.content_type
        if isinstance(claimed, str) and claimed and mime == "application/octet-stream":
            mime = claimed
        kind = kind_of(mime)
        if kind is None:
            raise invalid(
                f"Param file must be a file with one of the following types: {', '.join(_TYPES)}. Received file of type '{mime}'."
            )
        if self._gateway.faults.upload_refused.strikes():
            raise GraphError(self._gateway.faults.upload_refused.value, "Switched on in the simulator.")
        data = file.file.read()
        most = KINDS[kind][0]
        if len(data) > most:
            raise GraphError(100, f"File too large: {len(data) / MB:.1f} MB; at most {most / MB:g} MB for {kind}.")
        if not data:
            raise invalid("Param file must not be empty.")
        return json_response({"id": self._media_store.add(data, mime, file.filename, uploaded=True).id})

    async def fetch(self, request: web.Request, raw: bytes) -> web.Response:
        self._gateway.authorize(request)
        if self._gateway.faults.media_silent.strikes():
            await self._gateway.faults.media_silent.over()
        media = self._media_store.find_by_url(request.query)
        if media is None or self._gateway.faults.media_gone.strikes():
            return web.Response(status=404, text="Not found", content_type="text/plain")
        data = media.data
        if self._gateway.faults.media_damaged.strikes():
            data = data[::-1] + b"!"
        return web.Response(body=data, headers={"Content-Type": media.mime})

    async def delete(self, request: web.Request, raw: bytes) -> web.Response:
        self._gateway.authorize(request)
        if _media(self._gateway, self._media_store, request) is None:
            raise no_such_object(request.method, request.match_info["object"])
        self._media_store.remove(request.match_info["object"])
        return json_response({"success": True})
