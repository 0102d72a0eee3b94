"""HTTP around the runtime: `app.Application` is the ASGI application, `process.serve` runs it."""
