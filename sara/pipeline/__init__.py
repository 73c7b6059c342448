"""The work of jobs and webhooks: accept messages, make replies, deliver them, check timers."""
