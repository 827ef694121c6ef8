"""HTTP: one request, sent or not sent, retried by its effect. This room knows no product."""
