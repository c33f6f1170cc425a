"""Stripe's events in the shared vocabulary. Their names are `object.what` at any depth."""

from jackfield_common.connector.webhook import EventMapping

_MONEY = EventMapping(
    canonical="payment",
    occurrence={
        "number": "body:data.object.id",
        "actor": "body:data.object.customer",
        "state": "body:data.object.status",
        "title": "body:type",
        "description": "body:data.object.description",
    },
)
_OTHER = EventMapping(
    occurrence={
        "number": "body:data.object.id",
        "actor": "body:data.object.customer",
        "title": "body:type",
    }
)

EVENTS = {
    **{f"{name}.*": _MONEY for name in ("payment_intent", "charge", "refund", "payout", "dispute")},
    "invoice.*": EventMapping(
        canonical="invoice",
        occurrence={
            "number": "body:data.object.number",
            "actor": "body:data.object.customer",
            "state": "body:data.object.status",
            "title": "body:type",
            "url": "body:data.object.hosted_invoice_url",
        },
    ),
    "customer.*": EventMapping(
        canonical="customer",
        occurrence={
            "number": "body:data.object.id",
            "actor": "body:data.object.email",
            "title": "body:type",
        },
    ),
    "customer.subscription.*": EventMapping(
        canonical="subscription",
        occurrence={
            "number": "body:data.object.id",
            "actor": "body:data.object.customer",
            "state": "body:data.object.status",
            "title": "body:type",
        },
    ),
    **{
        f"{name}.*": _OTHER
        for name in (
            "account",
            "balance",
            "checkout",
            "coupon",
            "credit_note",
            "file",
            "payment_link",
            "payment_method",
            "plan",
            "price",
            "product",
            "promotion_code",
            "quote",
            "radar",
            "review",
            "setup_intent",
            "subscription_schedule",
            "tax_rate",
            "topup",
            "transfer",
        )
    },
}
