"""The HTTP applications: the public one for webhooks, the admin one for people and machines of the house."""
