"""HTTP around the runtime: `app.create_app` is the ASGI application, `app.serve` runs it."""
