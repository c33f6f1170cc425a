"""Stripe: customers, payments, invoices, subscriptions; and its webhooks. API version 2024-06-20."""

from typing import Any, TypeVar

from jackfield_common.connector.auth import Bearer
from jackfield_common.connector.declaration import Action, Connector, delete, get, post
from jackfield_common.connector.error_map import on
from jackfield_common.connector.fields import Input, NoInput, Output, secret
from jackfield_common.connector.limits import SlidingWindow
from jackfield_common.connector.manifest import Category
from jackfield_common.connector.pages import CursorPages
from jackfield_common.connector.repeat import Repeat
from jackfield_common.connector.verification import Hmac, Window
from jackfield_common.connector.webhook import Webhook
from jackfield_common.errors import ErrorKind
from jackfield_connectors.catalog.stripe import inputs as given
from jackfield_connectors.catalog.stripe import outputs as answered
from jackfield_connectors.catalog.stripe.events import EVENTS

In = TypeVar("In", bound=Input)
Out = TypeVar("Out", bound=Output)

PAGES = CursorPages(
    cursor_param="starting_after",
    next_path="data.-1.id",
    items_path="data",
    more_path="has_more",
    size_param="limit",
)


def _write(
    name: str, path: str, takes: type[In], returns: type[Out], **more: Any
) -> Action[In, Out]:
    """A form post that Stripe does once for each idempotency key."""
    return post(
        name,
        path,
        takes,
        returns=returns,
        encoding="form",
        repeat=Repeat.KEYED,
        idempotency_header="Idempotency-Key",
        **more,
    )


connector = Connector(
    slug="stripe",
    title="Stripe",
    description="Customers, payments, refunds, invoices and subscriptions.",
    category=Category.BUSINESS,
    docs="https://docs.stripe.com/api",
    version="1.0.0",
    base_url="https://api.stripe.com/v1",
    auth=(Bearer(fields=(secret("secret_key", "Secret key", "sk_… or a restricted key rk_…"),)),),
    headers={"Stripe-Version": "2024-06-20"},
    limits=(SlidingWindow(calls=100, seconds=1),),
    errors=(
        on(402, ErrorKind.INVALID),
        on(409, ErrorKind.UNAVAILABLE),
        on(424, ErrorKind.UNAVAILABLE),
    ),
    error_message=("error.message",),
    test=get("test_connection", "/balance", NoInput, returns=answered.Balance),
    actions=(
        _write("create_customer", "/customers", given.CreateCustomer, answered.Customer),
        get(
            "get_customer",
            "/customers/{customer}",
            given.GetCustomer,
            returns=answered.Customer,
        ),
        _write("update_customer", "/customers/{customer}", given.UpdateCustomer, answered.Customer),
        delete(
            "delete_customer",
            "/customers/{customer}",
            given.DeleteCustomer,
            returns=answered.Deleted,
        ),
        get(
            "list_customers",
            "/customers",
            given.ListCustomers,
            returns=answered.Customer,
            pages=PAGES,
        ),
        _write(
            "create_payment_intent",
            "/payment_intents",
            given.CreatePaymentIntent,
            answered.PaymentIntent,
        ),
        get(
            "get_payment_intent",
            "/payment_intents/{payment_intent}",
            given.GetPaymentIntent,
            returns=answered.PaymentIntent,
        ),
        _write(
            "confirm_payment_intent",
            "/payment_intents/{payment_intent}/confirm",
            given.ConfirmPaymentIntent,
            answered.PaymentIntent,
        ),
        _write(
            "capture_payment_intent",
            "/payment_intents/{payment_intent}/capture",
            given.CapturePaymentIntent,
            answered.PaymentIntent,
        ),
        _write(
            "cancel_payment_intent",
            "/payment_intents/{payment_intent}/cancel",
            given.CancelPaymentIntent,
            answered.PaymentIntent,
        ),
        get(
            "list_payment_intents",
            "/payment_intents",
            given.ListPaymentIntents,
            returns=answered.PaymentIntent,
            pages=PAGES,
        ),
        get("list_charges", "/charges", given.ListCharges, returns=answered.Charge, pages=PAGES),
        _write("create_refund", "/refunds", given.CreateRefund, answered.Refund),
        _write("create_product", "/products", given.CreateProduct, answered.Product),
        _write("create_price", "/prices", given.CreatePrice, answered.Price),
        _write(
            "create_checkout_session",
            "/checkout/sessions",
            given.CreateCheckoutSession,
            answered.CheckoutSession,
        ),
        _write(
            "create_subscription", "/subscriptions", given.CreateSubscription, answered.Subscription
        ),
        delete(
            "cancel_subscription",
            "/subscriptions/{subscription}",
            given.CancelSubscription,
            returns=answered.Subscription,
        ),
        get(
            "list_subscriptions",
            "/subscriptions",
            given.ListSubscriptions,
            returns=answered.Subscription,
            pages=PAGES,
        ),
        _write("create_invoice", "/invoices", given.CreateInvoice, answered.Invoice),
        _write(
            "finalize_invoice",
            "/invoices/{invoice}/finalize",
            given.FinalizeInvoice,
            answered.Invoice,
        ),
        get(
            "list_invoices", "/invoices", given.ListInvoices, returns=answered.Invoice, pages=PAGES
        ),
        delete(
            "delete_webhook_endpoint",
            "/webhook_endpoints/{webhook_endpoint}",
            given.DeleteWebhookEndpoint,
            returns=answered.Deleted,
        ),
    ),
    webhook=Webhook(
        verify=Hmac(
            header="Stripe-Signature",
            parts="v1",
            content="{part:t}.{body}",
            window=Window(timestamp="part:t"),
            fields=(secret("webhook_secret", "Signing secret", "whsec_… of the endpoint"),),
        ),
        delivery_id="body:id",
        event_type="body:type",
        ordering="body:data.object.customer",
        subject="body:data.object.id",
        events=EVENTS,
        setup=(
            "Open the Stripe dashboard: Developers → Webhooks → Add destination.",
            "Endpoint URL: {url}",
            "Choose the events; API version 2024-06-20 fits the actions of this connector.",
            "Reveal the signing secret (whsec_…) and enter it here.",
        ),
    ),
    popularity=90,
)
