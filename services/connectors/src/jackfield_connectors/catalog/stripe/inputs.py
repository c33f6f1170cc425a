"""What Stripe's actions take. Amounts are in the smallest unit of the currency."""

from typing import Literal

from pydantic import Field

from jackfield_common.connector.fields import Input, Paged

CURRENCY = Field(pattern=r"^[a-z]{3}$", examples=["eur"])
AMOUNT = Field(ge=0, le=99_999_999, description="In the smallest unit, such as cents")
Metadata = dict[str, str]


class Address(Input):
    """A postal address."""

    line1: str | None = None
    line2: str | None = None
    postal_code: str | None = None
    city: str | None = None
    state: str | None = None
    country: str | None = Field(default=None, pattern=r"^[A-Z]{2}$")


class CreateCustomer(Input):
    """Create a customer."""

    email: str | None = Field(default=None, max_length=512)
    name: str | None = None
    phone: str | None = None
    description: str | None = None
    address: Address | None = None
    metadata: Metadata | None = None


class OneCustomer(Input):
    """A customer."""

    customer: str = Field(examples=["cus_NffrFeUfNV2Hib"])


class GetCustomer(OneCustomer):
    """Read a customer."""


class UpdateCustomer(CreateCustomer):
    """Change a customer: what is left out stays."""

    customer: str


class DeleteCustomer(OneCustomer):
    """Delete a customer and end their subscriptions."""


class ListCustomers(Paged):
    """List customers, newest first."""

    email: str | None = None


class CreatePaymentIntent(Input):
    """Begin a payment."""

    amount: int = AMOUNT
    currency: str = CURRENCY
    customer: str | None = None
    description: str | None = None
    payment_method: str | None = None
    receipt_email: str | None = None
    confirm: bool | None = None
    off_session: bool | None = None
    capture_method: Literal["automatic", "automatic_async", "manual"] | None = None
    metadata: Metadata | None = None


class OnePaymentIntent(Input):
    """A payment."""

    payment_intent: str = Field(examples=["pi_3MtwBwLkdIwHu7ix28a3tqPa"])


class GetPaymentIntent(OnePaymentIntent):
    """Read a payment."""


class ConfirmPaymentIntent(OnePaymentIntent):
    """Confirm a payment."""

    payment_method: str | None = None
    return_url: str | None = None


class CapturePaymentIntent(OnePaymentIntent):
    """Capture the money of a payment that was authorised."""

    amount_to_capture: int | None = Field(default=None, ge=1)


class CancelPaymentIntent(OnePaymentIntent):
    """Cancel a payment."""

    cancellation_reason: (
        Literal["duplicate", "fraudulent", "requested_by_customer", "abandoned"] | None
    ) = None


class ListPaymentIntents(Paged):
    """List payments, newest first."""

    customer: str | None = None


class ListCharges(Paged):
    """List charges, newest first."""

    customer: str | None = None
    payment_intent: str | None = None


class CreateRefund(Input):
    """Pay a payment back, in part or whole."""

    payment_intent: str | None = None
    charge: str | None = None
    amount: int | None = Field(default=None, ge=1)
    reason: Literal["duplicate", "fraudulent", "requested_by_customer"] | None = None
    metadata: Metadata | None = None


class CreateProduct(Input):
    """Create a product."""

    name: str
    description: str | None = None
    metadata: Metadata | None = None


class Recurring(Input):
    """How often a price recurs."""

    interval: Literal["day", "week", "month", "year"]
    interval_count: int | None = Field(default=None, ge=1)


class CreatePrice(Input):
    """Create a price of a product."""

    product: str
    currency: str = CURRENCY
    unit_amount: int = AMOUNT
    recurring: Recurring | None = None
    nickname: str | None = None


class LineItem(Input):
    """A position."""

    price: str
    quantity: int = Field(default=1, ge=1)


class CreateCheckoutSession(Input):
    """Open a payment page."""

    mode: Literal["payment", "subscription", "setup"] = "payment"
    line_items: tuple[LineItem, ...] = Field(min_length=1)
    success_url: str = Field(pattern=r"^https?://")
    cancel_url: str | None = None
    customer: str | None = None
    customer_email: str | None = None
    client_reference_id: str | None = None
    metadata: Metadata | None = None


class CreateSubscription(Input):
    """Subscribe a customer."""

    customer: str
    items: tuple[LineItem, ...] = Field(min_length=1, max_length=20)
    trial_period_days: int | None = Field(default=None, ge=1)
    metadata: Metadata | None = None


class CancelSubscription(Input):
    """End a subscription now."""

    subscription: str
    invoice_now: bool | None = None
    prorate: bool | None = None


class ListSubscriptions(Paged):
    """List subscriptions, newest first."""

    customer: str | None = None
    status: Literal["active", "past_due", "unpaid", "canceled", "trialing", "all"] | None = None


class CreateInvoice(Input):
    """Draft an invoice of what is pending for a customer."""

    customer: str
    description: str | None = None
    auto_advance: bool | None = None
    collection_method: Literal["charge_automatically", "send_invoice"] | None = None
    days_until_due: int | None = Field(default=None, ge=0)


class FinalizeInvoice(Input):
    """Make a draft final."""

    invoice: str


class ListInvoices(Paged):
    """List invoices, newest first."""

    customer: str | None = None
    status: Literal["draft", "open", "paid", "uncollectible", "void"] | None = None


class DeleteWebhookEndpoint(Input):
    """Stop sending events to an address."""

    webhook_endpoint: str
