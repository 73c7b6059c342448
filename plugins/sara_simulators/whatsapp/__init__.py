"""The other end of the channel on loopback: a Graph API, customers who write and read, and a phone page for the browser."""

from __future__ import annotations

from sara_simulators.whatsapp.faults import Fault, Faults
from sara_simulators.whatsapp.media import Media
from sara_simulators.whatsapp.records import AcceptedSend, ChatMessage, Customer, GraphRequest, ReadMark
from sara_simulators.whatsapp.server import WhatsAppSimulator
from sara_simulators.whatsapp.settings import Settings
from sara_simulators.whatsapp.templates import Template
from sara_simulators.whatsapp.webhook_delivery import NotVerified, WebhookDelivery

__all__ = [
    "AcceptedSend",
    "ChatMessage",
    "Customer",
    "Fault",
    "Faults",
    "GraphRequest",
    "Media",
    "NotVerified",
    "ReadMark",
    "Settings",
    "Template",
    "WebhookDelivery",
    "WhatsAppSimulator",
]
