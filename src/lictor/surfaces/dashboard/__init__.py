"""The dashboard: server-rendered pages over the same requests as the API, live over server-sent events.

Every page is a `Route` with a permission; every change is a form that goes through the CSRF check of `access`. No
inline script and no inline style: the content security policy allows what is served from here and nothing else.
"""
