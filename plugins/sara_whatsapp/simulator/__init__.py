"""The other end of the channel on loopback: a Graph API, customers who write and read, and a phone page for the browser."""

from __future__ import annotations

from sara_whatsapp.simulator.faults import Fault, Faults
from sara_whatsapp.simulator.media import Media
from sara_whatsapp.simulator.postman import Delivery, NotVerified
from sara_whatsapp.simulator.records import AcceptedSend, Bubble, Customer, GraphRequest, Mark
from sara_whatsapp.simulator.server import WhatsAppSimulator
from sara_whatsapp.simulator.settings import Settings
from sara_whatsapp.simulator.templates import Template

__all__ = [
    "AcceptedSend",
    "Bubble",
    "Customer",
    "Delivery",
    "Fault",
    "Faults",
    "GraphRequest",
    "Mark",
    "Media",
    "NotVerified",
    "Settings",
    "Template",
    "WhatsAppSimulator",
]
