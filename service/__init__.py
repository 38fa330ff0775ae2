"""The service: what the world speaks to, and the only place that knows HTTP and SQL."""
