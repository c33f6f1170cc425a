"""What Stripe answers, as far as it is passed on."""

from jackfield_common.connector.fields import Output

Metadata = dict[str, str]


class Amount(Output):
    """Money in one currency."""

    amount: int
    currency: str


class Balance(Output):
    """The account's balance."""

    livemode: bool
    available: tuple[Amount, ...]
    pending: tuple[Amount, ...] = ()


class Customer(Output):
    """A customer."""

    id: str
    email: str | None = None
    name: str | None = None
    created: int | None = None
    livemode: bool = False
    metadata: Metadata = {}


class Deleted(Output):
    """Something that was deleted."""

    id: str
    deleted: bool


class PaymentIntent(Output):
    """A payment."""

    id: str
    amount: int
    currency: str
    status: str
    customer: str | None = None
    client_secret: str | None = None
    latest_charge: str | None = None
    metadata: Metadata = {}


class Charge(Output):
    """A charge."""

    id: str
    amount: int
    currency: str
    status: str
    paid: bool
    refunded: bool = False
    receipt_url: str | None = None


class Refund(Output):
    """A refund."""

    id: str
    amount: int
    currency: str
    status: str | None = None
    payment_intent: str | None = None


class Product(Output):
    """A product."""

    id: str
    name: str
    active: bool


class Price(Output):
    """A price."""

    id: str
    product: str
    currency: str
    unit_amount: int | None = None
    active: bool


class CheckoutSession(Output):
    """A payment page: `url` is where to send the customer."""

    id: str
    url: str | None = None
    status: str | None = None
    payment_status: str | None = None


class Subscription(Output):
    """A subscription."""

    id: str
    status: str
    customer: str
    current_period_end: int | None = None
    cancel_at_period_end: bool = False


class Invoice(Output):
    """An invoice."""

    id: str
    status: str | None = None
    customer: str | None = None
    amount_due: int
    currency: str
    number: str | None = None
    hosted_invoice_url: str | None = None
