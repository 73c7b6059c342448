"""What a job does: take messages in, make replies, deliver them, check timers."""
