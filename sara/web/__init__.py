"""The HTTP applications: the public one for webhooks, the admin one for operators."""
